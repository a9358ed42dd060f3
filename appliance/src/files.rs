//! Files that nobody else reads.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// A folder of mode 0700, if there is none.
pub fn make_folder(path: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(cause) => Err(format!("{}: {cause}", path.display())),
        Ok(()) => Ok(()),
    }
}

/// The whole of `content` at `path`, of mode 0600; what was there is replaced at once or not at all.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), String> {
    let new = path.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|cause: std::io::Error| format!("{}: {cause}", path.display()))
}

/// What `path` holds, if it can be read.
pub fn read_text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}
