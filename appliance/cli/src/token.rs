//! The token: from the environment, or from the file that `login` writes.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use strongroom_types::Secret;

use crate::env;
use crate::io::Io;

/// Where the token file is: `VAULT_TOKEN_PATH`, or `.vault-token` in the home folder.
fn file(io: &Io) -> Option<PathBuf> {
    match env::get(io, "TOKEN_PATH") {
        Some(path) => Some(path.into()),
        None => io
            .env
            .get("HOME")
            .filter(|home| !home.is_empty())
            .map(|home| PathBuf::from(home).join(".vault-token")),
    }
}

/// The token in use, if there is one.
pub fn current(io: &Io) -> io::Result<Option<Secret>> {
    if let Some(token) = env::get(io, "TOKEN") {
        return Ok(Some(Secret::copy_of(token.trim().as_bytes())));
    }
    let Some(path) = file(io) else { return Ok(None) };
    match std::fs::read(path).map(Secret::from) {
        Ok(token) => {
            let token = Secret::copy_of(token.expose().trim_ascii());
            Ok((!token.is_empty()).then_some(token))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the token file, for our own user only; a file that others could read is replaced, not filled.
pub fn store(io: &Io, token: &str) -> io::Result<()> {
    let path = file(io).ok_or_else(|| io::Error::other("HOME is not set"))?;
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
