use std::fs::File;
use std::io::{Read, Seek, Write};

use nix::fcntl::{FcntlArg, FdFlag};

use super::*;

fn file_with(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn descriptors_arrive_with_the_bytes() {
    let (left, right) = UnixStream::pair().unwrap();
    let (first, second) = (file_with("first"), file_with("second"));
    send(&left, b"two files", &[first.as_fd(), second.as_fd()]).unwrap();
    drop((first, second));
    let mut buffer = [0; 64];
    let received = receive(&right, &mut buffer).unwrap();
    assert_eq!(&buffer[..received.len], b"two files");
    let texts: Vec<String> = received
        .descriptors
        .into_iter()
        .map(|fd| {
            let flags = nix::fcntl::fcntl(&fd, FcntlArg::F_GETFD).unwrap();
            assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
            let mut text = String::new();
            File::from(fd).read_to_string(&mut text).unwrap();
            text
        })
        .collect();
    assert_eq!(texts, ["first", "second"]);
}

#[test]
fn bytes_without_descriptors_and_the_end() {
    let (left, right) = UnixStream::pair().unwrap();
    let long = vec![7; 300_000];
    let writer = std::thread::spawn(move || send(&left, &long, &[]).unwrap());
    let (mut total, mut buffer) = (0, [0; 4096]);
    loop {
        let received = receive(&right, &mut buffer).unwrap();
        assert!(received.descriptors.is_empty());
        if received.len == 0 {
            break;
        }
        total += received.len;
    }
    writer.join().unwrap();
    assert_eq!(total, 300_000);
}

#[test]
fn too_many_descriptors_are_refused_on_both_sides_and_closed() {
    let (left, right) = UnixStream::pair().unwrap();
    // A pipe tells when the last copy of its writing end is gone.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let many = vec![writer.as_fd(); MAX_DESCRIPTORS + 1];
    assert_eq!(send(&left, b"x", &many).unwrap_err().kind(), io::ErrorKind::InvalidInput);

    let raw: Vec<RawFd> = many.iter().map(AsRawFd::as_raw_fd).collect();
    let control = [ControlMessage::ScmRights(&raw)];
    sendmsg::<()>(left.as_raw_fd(), &[IoSlice::new(b"x")], &control, MsgFlags::empty(), None).unwrap();
    assert_eq!(receive(&right, &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    drop(many);
    drop(writer);
    assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0, "every copy has been closed");
}

#[test]
fn the_peer_is_this_process() {
    let (left, _right) = UnixStream::pair().unwrap();
    let peer = peer(&left).unwrap();
    assert_eq!(peer.uid, nix::unistd::getuid().as_raw());
    assert_eq!(peer.gid, nix::unistd::getgid().as_raw());
    assert_eq!(peer.pid, nix::unistd::getpid().as_raw());
}
