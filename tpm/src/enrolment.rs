//! The name of the primary key, pinned when the TPM is enrolled and compared at each opening.
//!
//! The name is the digest of the key that sessions are salted with. Without the pin an interposer on the bus, or an
//! exchanged TPM, could offer a key of its own and read everything.
//!
//! ```text
//! strongroom-tpm-primary 1
//! name <hex digits>
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use strongroom_device_api::bridge::say;
use strongroom_device_api::{DeviceError, DeviceErrorKind};

const HEAD: &str = "strongroom-tpm-primary 1\nname ";

/// Where the name is pinned, and whether it may be pinned now.
pub(crate) struct Enrolment {
    folder: PathBuf,
    may_enrol: bool,
}

impl Enrolment {
    pub(crate) fn new(folder: impl Into<PathBuf>, may_enrol: bool) -> Self {
        Self { folder: folder.into(), may_enrol }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Accepts the TPM whose primary key has the name `name`, in hex, or refuses it.
    pub(crate) fn check(&self, name: &str) -> Result<(), DeviceError> {
        let file = self.folder.join("primary");
        let refused = |message: String| Err(DeviceError::new(DeviceErrorKind::Refused, message));
        match fs::read_to_string(&file) {
            Ok(text) if text == format!("{HEAD}{name}\n") => Ok(()),
            Ok(text) if text.starts_with(HEAD) => refused(
                "the TPM was exchanged or cleared: its primary key is not the one that was enrolled. What the enrolled \
                 TPM has sealed does not open here; put it back, or open another keyslot and enrol this one in an \
                 empty --state folder"
                    .into(),
            ),
            Ok(_) => refused(format!("{} is not a pinned name: restore it", file.display())),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && self.may_enrol => {
                self.pin(&file, name).map_err(|cause| {
                    let message = format!("--state {}: {cause}", self.folder.display());
                    DeviceError::new(DeviceErrorKind::Fatal, message)
                })?;
                say(&format!("enrolled the TPM with the primary key {name}"));
                Ok(())
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => refused(format!(
                "no TPM is enrolled in {}: start once with --enrol, on the right machine",
                self.folder.display()
            )),
            Err(cause) => refused(format!("{}: {cause}", file.display())),
        }
    }

    fn pin(&self, file: &Path, name: &str) -> io::Result<()> {
        let next = self.folder.join("primary.next");
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        out.write_all(format!("{HEAD}{name}\n").as_bytes())?;
        out.sync_all()?;
        fs::rename(&next, file)?;
        fs::File::open(&self.folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_is_pinned_if_asked_and_no_other_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let (enrols, checks) = (Enrolment::new(folder.path(), true), Enrolment::new(folder.path(), false));
        assert!(checks.check("000b01").unwrap_err().message.contains("--enrol"));
        enrols.check("000b01").unwrap();
        for enrolment in [&enrols, &checks] {
            enrolment.check("000b01").unwrap();
            let error = enrolment.check("000b02").unwrap_err();
            assert_eq!(error.kind, DeviceErrorKind::Refused);
            assert!(error.message.contains("exchanged"), "{error}");
        }
        fs::write(folder.path().join("primary"), "").unwrap();
        assert!(enrols.check("000b01").is_err());
    }
}
