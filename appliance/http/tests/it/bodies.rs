//! What the bodies of all requests may take of the memory together.

use std::sync::atomic::Ordering;

use strongroom_http::Limits;

use crate::support::{Server, limits};

const LARGE: usize = 600 * 1024;

fn head(path: &str, length: &str) -> String {
    format!("POST /v1/{path} HTTP/1.1\r\nHost: v\r\n{length}\r\n\r\n")
}

fn with_length(path: &str, bytes: usize) -> String {
    head(path, &format!("Content-Length: {bytes}")) + &"x".repeat(bytes)
}

fn in_chunks(path: &str, bytes: usize) -> String {
    let chunk = format!("{:x}\r\n{}\r\n", 10 * 1024, "x".repeat(10 * 1024));
    head(path, "Transfer-Encoding: chunked") + &chunk.repeat(bytes / 10 / 1024) + "0\r\n\r\n"
}

#[test]
fn many_large_bodies_take_only_so_much_memory_and_small_ones_do_not_notice() {
    let small = Limits { body_bytes: 1 << 20, all_bodies_bytes: 1 << 20, ..limits() };
    let server = Server::plain(small);
    for large in [with_length, in_chunks] {
        let mut first = server.connect();
        let before = server.seen.held.load(Ordering::SeqCst);
        first.send(large("hold", LARGE));
        while server.seen.held.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
        // There is room for one of them, until its request is done.
        assert_eq!(server.connect().send(with_length("echo", LARGE)).answer().0, 429);
        assert_eq!(server.connect().send(in_chunks("echo", LARGE)).answer().0, 429);
        for small in [with_length("echo", 64 * 1024), in_chunks("echo", 60 * 1024)] {
            assert_eq!(server.connect().send(small).answer().0, 200);
        }
        server.seen.go.notify_one();
        assert_eq!(first.answer().0, 200);
        assert_eq!(server.connect().send(large("echo", LARGE)).answer().0, 200);
    }
}

#[test]
fn a_body_that_never_comes_gives_its_room_back() {
    let small = Limits { body_bytes: 1 << 20, all_bodies_bytes: 1 << 20, ..limits() };
    let server = Server::plain(small);
    let mut silent = server.connect();
    silent.send(head("echo", &format!("Content-Length: {LARGE}")));
    while server.seen.begun() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(silent.answer().0, 400);
    assert_eq!(server.connect().send(with_length("echo", LARGE)).answer().0, 200);
    // Nor does one whose client goes away.
    server.connect().send(head("echo", &format!("Content-Length: {LARGE}")));
    assert_eq!(server.connect().send(with_length("echo", LARGE)).answer().0, 200);
}
