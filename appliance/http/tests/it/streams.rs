//! Answers that go on: until their end, their client's, or the listener's.

use std::io::Read;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use strongroom_http::{Limits, MinVersion};
use strongroom_types::{BoxFuture, StreamSource};

use crate::drain::until;
use crate::http2::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, block};
use crate::support::{PATIENCE, Seen, Server, limits};

/// Two lines at once, a third one when it is let go, and the end.
pub struct Lines {
    seen: Arc<Seen>,
    said: usize,
}

impl Lines {
    pub fn new(seen: &Arc<Seen>) -> Self {
        seen.streams.fetch_add(1, Ordering::SeqCst);
        Self { seen: seen.clone(), said: 0 }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.seen.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

impl StreamSource for Lines {
    fn part(&mut self) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            self.said += 1;
            if self.said == 3 {
                self.seen.go.notified().await;
            }
            (self.said < 4).then(|| format!("line {}\n", self.said).into_bytes())
        })
    }
}

/// More than anybody reads.
pub struct Flood(pub Lines);

impl StreamSource for Flood {
    fn part(&mut self) -> BoxFuture<'_, Option<Vec<u8>>> {
        self.0.said += 1;
        Box::pin(async { Some(vec![b'x'; 64 * 1024]) })
    }
}

const STREAM: &str = "GET /v1/stream HTTP/1.1\r\nHost: v\r\n\r\n";
const FLOOD: &str = "GET /v1/flood HTTP/1.1\r\nHost: v\r\n\r\n";
const ECHO: &str = "GET /v1/echo HTTP/1.1\r\nHost: v\r\n\r\n";
const TWO_LINES: &str = "7\r\nline 1\n\r\n7\r\nline 2\n\r\n";
const END: &str = "0\r\n\r\n";

fn streams(server: &Server) -> usize {
    server.seen.streams.load(Ordering::SeqCst)
}

fn read(wire: &mut crate::support::Wire, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    wire.0.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn parts_come_as_they_are_made_and_the_connection_stays() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    let (head, status) = wire.send(STREAM).head();
    let head = head.to_ascii_lowercase();
    assert_eq!(status, 200);
    for line in ["transfer-encoding: chunked", "content-type: text/plain", "cache-control: no-store"] {
        assert!(head.contains(line), "{head}");
    }
    assert!(!head.contains("content-length"), "{head}");
    read(&mut wire, TWO_LINES);
    server.seen.go.notify_one();
    read(&mut wire, &format!("7\r\nline 3\n\r\n{END}"));
    assert_eq!(wire.send(ECHO).answer().0, 200);
    assert_eq!(streams(&server), 0);
}

#[test]
fn of_http_2_it_is_one_stream_among_others() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &block("GET", "/v1/stream", &[]));
    assert_eq!(frames.find(DATA, 1).unwrap(), b"line 1\n");
    assert_eq!(frames.find(DATA, 1).unwrap(), b"line 2\n");
    frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &block("GET", "/v1/echo", &[]));
    assert!(!frames.find(DATA, 3).unwrap().is_empty());
    server.seen.go.notify_one();
    assert_eq!(frames.find(DATA, 1).unwrap(), b"line 3\n");
    assert!(frames.find(DATA, 1).unwrap().is_empty(), "its end");
    assert_eq!(streams(&server), 0);
}

#[test]
fn a_head_begins_no_stream() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    let (head, status) = wire.send("HEAD /v1/stream HTTP/1.1\r\nHost: v\r\n\r\n").head();
    assert!(status == 200 && head.contains("text/plain"), "{head}");
    assert_eq!(wire.send(ECHO).answer().0, 200);
    assert_eq!(streams(&server), 0);
}

#[test]
fn it_counts_as_under_way_until_its_client_goes() {
    let server = Server::plain(Limits { requests: 1, ..limits() });
    let mut wire = server.connect();
    wire.send(STREAM).head();
    read(&mut wire, TWO_LINES);
    assert_eq!(server.connect().send(ECHO).answer().0, 429);
    drop(wire);
    until(|| streams(&server) == 0);
    assert_eq!(server.connect().send(ECHO).answer().0, 200);
}

#[test]
fn it_ends_when_the_listener_stops() {
    let server = Server::plain(Limits { drain_time: PATIENCE, ..limits() });
    let mut wire = server.connect();
    wire.send(STREAM).head();
    read(&mut wire, TWO_LINES);
    server.stop();
    assert_eq!(wire.rest(), END);
    assert_eq!(streams(&server), 0);
    server.end();
}

#[test]
fn who_does_not_read_it_is_cut() {
    let server = Server::plain(Limits { idle_time: Duration::from_millis(300), ..limits() });
    let mut wire = server.connect();
    wire.send(FLOOD).head();
    until(|| streams(&server) == 0);
    // What was on its way still comes, but no end: the client must not take it for whole.
    assert!(!wire.rest().ends_with(END));
    let _ = wire.0.shutdown(Shutdown::Both);
}

#[test]
fn who_does_not_read_it_on_http_2_loses_it_and_keeps_the_rest() {
    let server = Server::tls(Limits { idle_time: Duration::from_millis(600), ..limits() }, MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    // Without an update of its window it may send no more than 64 KiB.
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &block("GET", "/v1/flood", &[]));
    until(|| server.seen.begun() == 1);
    until(|| streams(&server) == 0);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &block("HEAD", "/v1/health", &[]));
    assert!(frames.find(HEADERS, 3).is_some());
}
