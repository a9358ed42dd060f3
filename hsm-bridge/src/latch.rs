//! The latch: a file that says that a PIN was refused, so that no start and no second call tries it again and
//! locks the token.
//!
//! ```text
//! strongroom-pin-latch 1
//! state refused                  or: trying, which is written before a login and removed after it
//! token <serial number>          for the operator
//! source <64 hex digits>         what `pin::Fingerprint` says of the source; nothing of the PIN
//! ```
//!
//! A latch that cannot be read or written means that nothing logs in.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use strongroom_device_api::bridge::flags::FlagError;
use strongroom_device_api::bridge::say;

use crate::pin::Fingerprint;

/// Where the latch is.
pub(crate) struct Latch(PathBuf);

/// What a latch says of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing: it may be tried.
    Open,
    /// The process ended in the middle of a login: it may have been refused.
    Trying,
    /// It was refused.
    Refused,
}

impl Latch {
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What the latch says of a source in the state `print`. A file that is not a latch counts as refused.
    pub(crate) fn state(&self, print: Fingerprint) -> io::Result<State> {
        let text = match fs::read(&self.0) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(State::Open),
            Err(cause) => return Err(cause),
        };
        let text = std::str::from_utf8(&text).unwrap_or_default();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let is_latch = field("strongroom-pin-latch") == Some("1");
        Ok(match (is_latch, field("state"), field("source")) {
            (true, Some(_), Some(source)) if source.len() == 64 && source != hex(&print.0) => State::Open,
            (true, Some("trying"), Some(_)) => State::Trying,
            _ => State::Refused,
        })
    }

    /// Writes the latch, so that it stays whatever happens next.
    pub(crate) fn set(&self, state: State, token: &str, print: Fingerprint) -> io::Result<()> {
        let state = match state {
            State::Open => return self.clear(),
            State::Trying => "trying",
            State::Refused => "refused",
        };
        let folder =
            self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let next = self.0.with_added_extension("next");
        let token: String = token.chars().filter(|c| !c.is_control()).collect();
        let text =
            format!("strongroom-pin-latch 1\nstate {state}\ntoken {token}\nsource {}\n", hex(&print.0));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&next, &self.0)?;
        fs::File::open(folder)?.sync_all()
    }

    /// Removes the latch after a login that the token has accepted.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
            _ => Ok(()),
        }
    }

    /// `hsm-bridge clear-latch`.
    pub(crate) fn clear_by_operator(&self) -> Result<(), FlagError> {
        let was_there = self.0.exists();
        self.clear().map_err(|cause| FlagError(format!("--latch {}: {cause}", self.0.display())))?;
        say(if was_there {
            "the latch is cleared: the PIN is tried again"
        } else {
            "there is no latch: nothing to clear"
        });
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    const PRINT: Fingerprint = Fingerprint([0xab; 32]);

    #[test]
    fn a_latch_holds_for_its_source_only() {
        let folder = tempfile::tempdir().unwrap();
        let latch = Latch::at(folder.path().join("latch"));
        assert_eq!(latch.state(PRINT).unwrap(), State::Open);
        for state in [State::Trying, State::Refused] {
            latch.set(state, "serial\nstate open", PRINT).unwrap();
            assert_eq!(latch.state(PRINT).unwrap(), state);
            assert_eq!(latch.state(Fingerprint([1; 32])).unwrap(), State::Open);
        }
        assert_eq!(fs::metadata(latch.path()).unwrap().mode() & 0o777, 0o600);
        latch.clear().unwrap();
        assert_eq!(latch.state(PRINT).unwrap(), State::Open);
        latch.clear_by_operator().unwrap();
    }

    #[test]
    fn what_is_not_a_latch_counts_as_refused() {
        let folder = tempfile::tempdir().unwrap();
        let latch = Latch::at(folder.path().join("latch"));
        for text in [
            "",
            "strongroom-pin-latch 2\nstate trying\nsource ab\n",
            "strongroom-pin-latch 1\nstate x\nsource \n",
        ] {
            fs::write(latch.path(), text).unwrap();
            assert_eq!(latch.state(PRINT).unwrap(), State::Refused, "{text}");
        }
        fs::write(latch.path(), [0xff; 100]).unwrap();
        assert_eq!(latch.state(PRINT).unwrap(), State::Refused);
        assert!(Latch::at(folder.path().join("missing/latch")).set(State::Trying, "s", PRINT).is_err());
        assert!(Latch::at(folder.path()).state(PRINT).is_err());
    }
}
