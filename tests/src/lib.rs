//! What the tests of the whole share: the built binaries, servers that stop with the test, a small HTTPS client.

#![allow(clippy::disallowed_methods)] // tests start processes and look at the clock

pub mod client;
pub mod fresh;
pub mod fuzz;
pub mod gpg;
pub mod process;

use std::path::PathBuf;

pub use client::{Answer, Client};
pub use fresh::Fresh;
pub use process::{Appliance, DevServer};

/// The repository's folder.
pub fn repository() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// The built binary `name`, from the folder that `./x test` hands over.
///
/// # Panics
/// Without `STRONGROOM_BIN_DIR`: a stale binary must never be tested by accident.
#[allow(clippy::panic)] // tests only, and there is nothing to go on with
pub fn binary(name: &str) -> PathBuf {
    let Some(folder) = std::env::var_os("STRONGROOM_BIN_DIR") else {
        panic!("STRONGROOM_BIN_DIR is not set: run ./x test, or build every binary and name their folder");
    };
    let path = repository().join(folder).join(name); // an absolute folder stands as it is
    match std::fs::canonicalize(&path) {
        Ok(path) => path,
        Err(cause) => panic!("{}: {cause}", path.display()),
    }
}
