//! Descriptors over a Unix socket, and who is at the other end.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, getsockopt, recvmsg, sendmsg, sockopt::PeerCredentials,
};

/// Most descriptors of one message.
pub const MAX_DESCRIPTORS: usize = 8;

/// `SCM_MAX_FD` of the kernel.
const KERNEL_MAX: usize = 253;

/// The process at the other end of a Unix socket, as the kernel saw it when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its process id: for log lines; it may have ended since.
    pub pid: i32,
}

/// What [`receive`] got.
#[derive(Debug)]
pub struct Received {
    /// How many bytes of the buffer were written; 0 is the end of the stream.
    pub len: usize,
    /// The descriptors, closed on exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Who is at the other end of `socket`.
pub fn peer(socket: impl AsFd) -> io::Result<Peer> {
    let credentials = getsockopt(&socket, PeerCredentials)?;
    Ok(Peer { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
}

/// Sends `bytes`, at least one, and `descriptors` with the first of them.
pub fn send(socket: &UnixStream, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    if bytes.is_empty() || descriptors.len() > MAX_DESCRIPTORS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let parts = [IoSlice::new(bytes)];
    let sent = again(|| sendmsg::<()>(socket.as_raw_fd(), &parts, control, MsgFlags::MSG_NOSIGNAL, None))?;
    // The descriptors went with the first byte; the rest goes as in any stream.
    io::Write::write_all(&mut &*socket, bytes.get(sent..).unwrap_or_default())
}

/// Receives up to `buffer`'s length, and the descriptors that came with it. More of them than [`MAX_DESCRIPTORS`] are an
/// error, and all are closed.
pub fn receive(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<Received> {
    // Room for as many as the kernel allows: those of a message that was cut for want of room could not be closed.
    let mut space = nix::cmsg_space!([RawFd; KERNEL_MAX]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = control {
            // SAFETY: the kernel has made them for this call, and nobody else knows them.
            descriptors.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if descriptors.len() > MAX_DESCRIPTORS {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too many descriptors in one message"));
    }
    Ok(Received { len: message.bytes, descriptors })
}

/// `call`, repeated as long as a signal interrupts it.
fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
#[path = "fd_tests.rs"]
mod tests;
