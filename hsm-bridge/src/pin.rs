//! Where the PIN comes from, and how to tell that the source has changed without keeping anything of the PIN.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use strongroom_device_api::bridge::flags::{FlagError, Flags};
use strongroom_device_api::{DeviceError, DeviceErrorKind};
use strongroom_types::Secret;
use zeroize::Zeroizing;

/// Longest PIN, with the end of its line.
const MAX_PIN: usize = 512;

/// Tells one state of a source from the next. Made from the file's identity and times, never from its content:
/// a digest of a PIN of six digits is the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

/// Where the PIN comes from.
pub(crate) enum PinSource {
    /// Read anew at each login.
    File(PathBuf),
    /// Was read at the start from a descriptor.
    Given(Secret, Fingerprint),
}

impl PinSource {
    /// From `--pin-file` or `--pin-fd`; exactly one is needed. A descriptor is read here.
    pub(crate) fn of(flags: &Flags) -> Result<Self, FlagError> {
        let fd = flags.parsed::<i32>("--pin-fd", "the number of an open descriptor, 0 or from 3")?;
        match (flags.get("--pin-file"), fd) {
            (Some(_), Some(_)) => Err(FlagError("--pin-file and --pin-fd exclude each other".into())),
            (None, None) => Err(FlagError("--pin-file is missing; --pin-fd does too".into())),
            (Some(path), None) => Ok(Self::File(PathBuf::from(path))),
            (None, Some(fd)) => {
                let fail = |cause: io::Error| FlagError(format!("--pin-fd: {cause}"));
                let file = open_fd(fd).map_err(fail)?;
                let fingerprint = fingerprint(Path::new("descriptor"), &file.metadata().map_err(fail)?);
                Ok(Self::Given(read_pin(file).map_err(fail)?, fingerprint))
            }
        }
    }

    /// The PIN as it is now, and the source's state.
    pub(crate) fn read(&self) -> Result<(Secret, Fingerprint), DeviceError> {
        match self {
            Self::Given(pin, fingerprint) => Ok((Secret::copy_of(pin.expose()), *fingerprint)),
            Self::File(path) => read_file(path).map_err(|cause| {
                let message = format!("--pin-file {}: {cause}", path.display());
                DeviceError::new(DeviceErrorKind::Login, message)
            }),
        }
    }
}

fn read_file(path: &Path) -> io::Result<(Secret, Fingerprint)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let own = nix::unistd::geteuid().as_raw();
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.mode() & 0o177 != 0 {
        return Err(io::Error::other("its mode must be 0600, so that only its owner can read it: chmod 600"));
    }
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(io::Error::other("its owner must be the user of the bridge, or root"));
    }
    Ok((read_pin(file)?, fingerprint(path, &metadata)))
}

/// The descriptor `fd`, owned from now on.
fn open_fd(fd: i32) -> io::Result<File> {
    let wrong = |why| io::Error::other(why);
    if !(fd == 0 || fd >= 3) {
        return Err(wrong("it must be 0 or from 3"));
    }
    if fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_err() {
        return Err(wrong("no such descriptor is open"));
    }
    // SAFETY: the descriptor is open, as just checked; it was handed over by who started this process, and this is
    // the only place that takes it, once, before any thread or file of ours is opened under a number that was free.
    #[expect(unsafe_code, reason = "a descriptor that was handed over can be named only by its number")]
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// All there is, without the end of the line.
fn read_pin(mut file: File) -> io::Result<Secret> {
    // One buffer that does not grow: no copy stays behind.
    let mut buffer = Zeroizing::new([0; MAX_PIN]);
    let mut filled = 0;
    loop {
        match file.read(buffer.get_mut(filled..).unwrap_or_default())? {
            0 => break,
            count => filled += count,
        }
    }
    if filled == MAX_PIN {
        return Err(io::Error::other("it is longer than a PIN can be"));
    }
    let text = buffer.get(..filled).unwrap_or_default();
    let pin = text.strip_suffix(b"\n").map_or(text, |line| line.strip_suffix(b"\r").unwrap_or(line));
    match pin {
        [] => Err(io::Error::other("it is empty")),
        pin => Ok(Secret::copy_of(pin)),
    }
}

/// A file with a name changes its identity or its times when it is written. What has no name, a pipe or memory, is
/// another one at each start: it must not count as changed, or a refused PIN would be tried at each start.
fn fingerprint(path: &Path, metadata: &fs::Metadata) -> Fingerprint {
    let mut hash = Context::new(&SHA256);
    hash.update(b"strongroom/pin-source/v1");
    hash.update(path.as_os_str().as_encoded_bytes());
    if metadata.is_file() && metadata.nlink() > 0 {
        for number in [metadata.dev(), metadata.ino(), metadata.len()] {
            hash.update(&number.to_be_bytes());
        }
        for time in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
            hash.update(&time.to_be_bytes());
        }
    }
    let mut print = [0; 32];
    print.copy_from_slice(hash.finish().as_ref());
    Fingerprint(print)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(folder: &Path, content: &[u8], mode: u32) -> PinSource {
        let path = folder.join("pin");
        let _ = fs::remove_file(&path);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        PinSource::File(path)
    }

    #[test]
    fn only_a_file_that_others_cannot_read_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o400] {
            let (pin, _) = file(folder.path(), b"12 34\r\n", mode).read().unwrap();
            assert_eq!(pin.expose(), b"12 34");
        }
        for mode in [0o640, 0o604, 0o660, 0o700, 0o644] {
            let error = file(folder.path(), b"1234", mode).read().err().unwrap();
            assert_eq!(error.kind, DeviceErrorKind::Login);
            assert!(error.message.contains("0600"), "{error}");
        }
        for content in [&b""[..], b"\n", &[b'1'; 600]] {
            assert!(file(folder.path(), content, 0o600).read().is_err());
        }
    }

    #[test]
    fn a_file_that_is_written_again_is_another_source() {
        let folder = tempfile::tempdir().unwrap();
        let print = |source: &PinSource| source.read().unwrap().1;
        let source = file(folder.path(), b"1234", 0o600);
        let before = print(&source);
        assert_eq!(before, print(&source));
        assert_ne!(before, print(&file(folder.path(), b"1234", 0o600)));
    }

    #[test]
    fn what_has_no_name_is_the_same_source_at_each_start() {
        let one = fingerprint(Path::new("descriptor"), &tempfile::tempfile().unwrap().metadata().unwrap());
        let other = fingerprint(Path::new("descriptor"), &tempfile::tempfile().unwrap().metadata().unwrap());
        assert_eq!(one, other);
    }
}
