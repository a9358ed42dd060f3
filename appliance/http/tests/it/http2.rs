//! HTTP/2 over TLS: ordinary use, and its own ways to do harm.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustls::ClientConnection;
use strongroom_http::{Limits, MinVersion};

use crate::support::{Server, limits};
use crate::tls::shake;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A connection on which a test writes frames.
pub struct Frames {
    tls: ClientConnection,
    socket: TcpStream,
}

impl Frames {
    pub fn open(server: &Server) -> Self {
        let (tls, socket) = shake(server, &[b"h2"]);
        let mut frames = Self { tls, socket };
        frames.raw(PREFACE);
        frames.send(SETTINGS, 0, 0, &[]);
        frames
    }

    fn raw(&mut self, bytes: &[u8]) -> bool {
        rustls::Stream::new(&mut self.tls, &mut self.socket).write_all(bytes).is_ok()
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.raw(&frame(kind, flags, stream, payload))
    }

    /// The next frame, unless the connection is closed.
    fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some((head[3], head[4], stream, payload))
    }

    /// The first frame of `kind` on `stream`; None when the connection ends before it.
    pub fn find(&mut self, kind: u8, stream: u32) -> Option<Vec<u8>> {
        loop {
            let (found, _, on, payload) = self.next()?;
            if (found, on) == (kind, stream) {
                return Some(payload);
            }
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block without Huffman coding and without the dynamic table.
pub fn block(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in
        [(":method", method), (":scheme", "https"), (":authority", "v"), (":path", path)].iter().chain(more)
    {
        out.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            out.push(u8::try_from(text.len()).unwrap());
            out.extend(text.as_bytes());
        }
    }
    out
}

#[test]
fn streams_side_by_side() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    for stream in [1, 3, 5, 7] {
        frames.send(HEADERS, END_HEADERS, stream, &block("POST", "/v1/echo", &[]));
    }
    for stream in [7, 5, 3, 1] {
        frames.send(DATA, END_STREAM, stream, b"hello");
    }
    let mut answered = Vec::new();
    while answered.len() < 4 {
        let (kind, _, stream, payload) = frames.next().unwrap();
        if kind == DATA && !payload.is_empty() {
            assert!(String::from_utf8(payload).unwrap().contains("\"bytes\":5"));
            answered.push(stream);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3, 5, 7]);
}

#[test]
fn a_head_has_no_body_on_http_2_either() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &block("HEAD", "/v1/health", &[]));
    loop {
        let (kind, flags, stream, payload) = frames.next().unwrap();
        if stream == 1 {
            assert!(kind == HEADERS || payload.is_empty(), "a body was sent");
            if flags & END_STREAM != 0 {
                break;
            }
        }
    }
}

#[test]
fn too_many_streams_at_once_are_refused_one_by_one() {
    let server = Server::tls(Limits { streams: 4, ..limits() }, MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    // Only a client that ignores the settings does this.
    frames.find(SETTINGS, 0).unwrap();
    for stream in 0..6 {
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &block("GET", "/v1/wait", &[]));
    }
    assert!(frames.find(RST_STREAM, 9).is_some());
    assert!(server.seen.begun() <= 4);
}

#[test]
fn rapid_resets_end_the_connection() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    let get = block("GET", "/v1/wait", &[]);
    let mut flood = Vec::new();
    for stream in 0..5000u32 {
        flood.extend(frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &get));
        flood.extend(frame(RST_STREAM, 0, 2 * stream + 1, &8u32.to_be_bytes()));
    }
    frames.raw(&flood);
    frames.find(GOAWAY, 0);
    assert!(frames.find(HEADERS, 9999).is_none(), "the connection lives on");
    assert!(server.seen.begun() < 5000);
    let mut well = Frames::open(&server);
    well.send(HEADERS, END_HEADERS | END_STREAM, 1, &block("GET", "/v1/echo", &[]));
    assert!(well.find(DATA, 1).is_some());
}

#[test]
fn endless_continuations_end_the_connection_or_the_stream() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    frames.send(HEADERS, END_STREAM, 1, &block("GET", "/v1/echo", &[]));
    let value = "x".repeat(120);
    let piece = block("GET", "/v1/echo", &[("x-a", value.as_str()); 60])[60..].to_vec();
    for _ in 0..2000 {
        if !frames.send(CONTINUATION, 0, 1, &piece) {
            break;
        }
    }
    frames.send(CONTINUATION, END_HEADERS, 1, &[]);
    while frames.next().is_some() {}
    assert_eq!(server.seen.begun(), 0);
}

#[test]
fn a_header_list_that_is_too_long_is_refused() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    let value = "x".repeat(120);
    let long = block("GET", "/v1/echo", &vec![("x-a", value.as_str()); 500]);
    let mut pieces = long.chunks(16_000);
    frames.send(HEADERS, END_STREAM, 1, pieces.next().unwrap());
    let rest: Vec<_> = pieces.collect();
    for (at, piece) in rest.iter().enumerate() {
        frames.send(CONTINUATION, if at + 1 == rest.len() { END_HEADERS } else { 0 }, 1, piece);
    }
    while let Some((kind, _, _, payload)) = frames.next() {
        if kind == HEADERS {
            // 431 in HPACK: a literal status, or the connection's end.
            assert!(!payload.starts_with(&[0x88]), "it was served");
            break;
        }
        if kind == RST_STREAM || kind == GOAWAY {
            break;
        }
    }
    assert_eq!(server.seen.begun(), 0);
}

#[test]
fn headers_that_http_2_forbids_are_refused() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    for more in [("transfer-encoding", "chunked"), ("connection", "close"), ("Upper", "case"), ("te", "gzip")]
    {
        let mut frames = Frames::open(&server);
        frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &block("GET", "/v1/echo", &[more]));
        let refused = loop {
            match frames.next() {
                None => break true,
                Some((RST_STREAM | GOAWAY, ..)) => break true,
                Some((HEADERS, ..)) => break false,
                Some(_) => {}
            }
        };
        assert!(refused, "{more:?} was served");
    }
    assert_eq!(server.seen.begun(), 0);
}

#[test]
fn a_length_that_is_not_the_length_is_refused() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    frames.send(HEADERS, END_HEADERS, 1, &block("POST", "/v1/echo", &[("content-length", "3")]));
    frames.send(DATA, END_STREAM, 1, b"hello");
    let (kind, payload) = loop {
        let (kind, _, stream, payload) = frames.next().unwrap();
        if stream == 1 {
            break (kind, payload);
        }
    };
    // Reset, or the 400 of a body that did not arrive whole (0x8c is ":status: 400").
    assert!(kind == RST_STREAM || payload.first() == Some(&0x8c), "{kind} {payload:?}");
}

#[test]
fn a_huge_body_is_413_on_http_2_too() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    frames.send(HEADERS, END_HEADERS, 1, &block("POST", "/v1/echo", &[("content-length", "1099511627776")]));
    let body = frames.find(DATA, 1).unwrap();
    assert!(String::from_utf8(body).unwrap().contains("too large"));
}

#[test]
fn an_early_answer_tells_the_client_to_stop_and_that_nothing_is_wrong() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    // More streams than the server remembers, each with a body that is still on its way when the answer leaves.
    for stream in (1..400).step_by(2) {
        frames.send(HEADERS, END_HEADERS, stream, &block("POST", "/v1/none", &[]));
        frames.send(DATA, 0, stream, &[b'x'; 1000]);
        let answer = frames.find(DATA, stream).unwrap();
        assert_eq!(answer, b"{\"errors\":[]}\n");
        // NO_ERROR.
        assert_eq!(frames.find(RST_STREAM, stream).unwrap(), [0; 4]);
        frames.send(DATA, 0, stream, &[b'x'; 1000]);
        frames.send(DATA, END_STREAM, stream, &[b'x'; 1000]);
    }
    frames.send(HEADERS, END_HEADERS | END_STREAM, 401, &block("GET", "/v1/echo", &[]));
    assert!(frames.find(DATA, 401).is_some());
}

#[test]
fn answers_without_content_have_none() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let mut frames = Frames::open(&server);
    for (stream, path) in [(1, "/v1/status/204"), (3, "/v1/status/205"), (5, "/v1/status/304")] {
        frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &block("GET", path, &[]));
        loop {
            let (kind, flags, on, payload) = frames.next().unwrap();
            if on == stream {
                assert!(kind == HEADERS && flags & END_STREAM != 0, "{path}: {kind} {payload:?}");
                break;
            }
        }
    }
}

#[test]
fn noise_after_the_preface_does_no_harm() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    for kind in 0..12 {
        let mut frames = Frames::open(&server);
        for flags in [0, 1, 4, 8, 0x20, 0xff] {
            frames.send(kind, flags, 1, &[0xff; 40]);
        }
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2, &[]);
        while frames.next().is_some() {}
    }
    let mut well = Frames::open(&server);
    well.send(HEADERS, END_HEADERS | END_STREAM, 1, &block("GET", "/v1/echo", &[]));
    assert!(well.find(DATA, 1).is_some());
}
