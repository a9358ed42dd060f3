//! The token file: `VAULT_TOKEN_PATH`, or `.vault-token` in the home folder.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use strongroom_types::Secret;

use crate::env;
use crate::io::Io;

fn path(io: &Io) -> Option<PathBuf> {
    match env::get(io, "TOKEN_PATH") {
        Some(path) => Some(path.into()),
        None => io.home().map(|home| home.join(".vault-token")),
    }
}

/// What it holds, if it is there.
pub fn read(io: &Io) -> io::Result<Option<Secret>> {
    let Some(path) = path(io) else { return Ok(None) };
    match std::fs::read(path) {
        Ok(token) => Ok(Some(Secret::from(token))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes it, for our own user only; a file that others could read is replaced, not filled.
pub fn write(io: &Io, token: &str) -> io::Result<()> {
    let path = path(io).ok_or_else(|| io::Error::other("HOME is not set"))?;
    let mut name = path.clone().into_os_string();
    name.push(".new");
    let new = PathBuf::from(name);
    let _ = std::fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.set_permissions(PermissionsExt::from_mode(0o600))?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

/// Removes it, if it is there.
pub fn remove(io: &Io) -> io::Result<()> {
    let Some(path) = path(io) else { return Ok(()) };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
