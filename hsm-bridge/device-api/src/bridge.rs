//! What both bridges do alike: read flags, harden, listen, stop, and offer a device whose threads they keep.

mod device;
pub mod flags;
mod pool;
mod process;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, chown};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub use device::{PooledDevice, Worker};
pub use pool::{Pool, PoolOptions};
pub use process::{Serving, exit_code, serve, show_help};

/// A line on stderr, with the program's name before it. Never a secret.
pub fn say(line: &str) {
    let name = std::env::args_os().next().map(PathBuf::from);
    let name = name.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("bridge");
    // A closed stderr must not stop a bridge.
    let _ = writeln!(io::stderr().lock(), "{name}: {line}");
}

/// No core dumps, no ptrace by others of the same user, no new privileges by exec.
pub fn harden() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_dumpable(false)?;
    prctl::set_no_new_privs()?;
    Ok(())
}

/// Where a bridge listens, and who may connect at all; the peer's user is checked besides.
#[derive(Clone, Debug)]
pub struct SocketPlace {
    /// The socket.
    pub path: PathBuf,
    /// The group that may connect, with mode 0660; without it the mode is 0600, or 0660 if `shared`.
    pub group: Option<u32>,
    /// Another user than the owner has to connect.
    pub shared: bool,
}

impl SocketPlace {
    /// Listens. A socket that nobody serves any more is replaced; anything else at its place is left alone.
    pub fn listen(&self) -> io::Result<UnixListener> {
        self.clear()?;
        // Nobody can connect between bind and chmod.
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(&self.path);
        umask(before);
        let listener = bound?;
        if let Some(group) = self.group {
            chown(&self.path, None, Some(Gid::from_raw(group)))?;
        }
        let mode = if self.group.is_some() || self.shared { 0o660 } else { 0o600 };
        fs::set_permissions(&self.path, fs::Permissions::from_mode(mode))?;
        Ok(listener)
    }

    fn clear(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => return Err(cause),
            Ok(there) if !there.file_type().is_socket() => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something that is not a socket is there",
                ));
            }
            Ok(_) => {}
        }
        match std::os::unix::net::UnixStream::connect(&self.path) {
            Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process serves it")),
            Err(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(&self.path),
            Err(cause) => Err(cause),
        }
    }

    /// Removes the socket; for a bridge that ends.
    pub fn remove(&self) {
        // It may have gone with its folder.
        let _ = fs::remove_file(&self.path);
    }
}

/// True once SIGTERM or SIGINT has come.
pub fn stop_on_signals() -> io::Result<watch::Receiver<bool>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        // A receiver that has gone has stopped already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}
