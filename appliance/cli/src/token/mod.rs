//! The token in use, and where it is kept: the environment, a helper program that the user has named, or a file.

mod file;
mod helper;

use std::io;

use strongroom_types::Secret;

use crate::env;
use crate::io::Io;

/// The token in use, if there is one.
pub fn current(io: &Io) -> io::Result<Option<Secret>> {
    match env::get(io, "TOKEN") {
        Some(token) => Ok(Some(Secret::copy_of(token.trim().as_bytes()))),
        None => kept(io),
    }
}

/// The token that is kept, whatever the environment says.
fn kept(io: &Io) -> io::Result<Option<Secret>> {
    let found = match helper::named(io)? {
        Some(helper) => helper.get(io)?,
        None => file::read(io)?,
    };
    // Without the line end that an editor or a helper adds.
    let token = found.map(|token| Secret::copy_of(token.expose().trim_ascii()));
    Ok(token.filter(|token| !token.is_empty()))
}

/// Keeps a token for later commands.
pub fn store(io: &Io, token: &str) -> io::Result<()> {
    match helper::named(io)? {
        Some(helper) => helper.store(io, token),
        None => file::write(io, token),
    }
}

/// Keeps no token any more.
pub fn erase(io: &Io) -> io::Result<()> {
    match helper::named(io)? {
        Some(helper) => helper.erase(io),
        None => file::remove(io),
    }
}
