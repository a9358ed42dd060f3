//! Answers that do not wait for the end of their request's body: the client gets them, whatever it is still sending.

use std::io::{Read, Write};

use strongroom_http::{Limits, MinVersion};

use crate::support::{Server, ca, command, limits};
use crate::tls::shake;

const GET: &str = "GET /v1/echo HTTP/1.1\r\nHost: v\r\n\r\n";

fn post(path: &str, headers: &str, length: usize) -> Vec<u8> {
    let head = format!("POST /v1/{path} HTTP/1.1\r\nHost: v\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; length]].concat()
}

/// Refused writes from Python's own client, which sends all of a body before it reads.
const PYTHON: &str = r#"
import http.client, ssl, sys
port, authority, times, size, path = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
body, connection, statuses = b"x" * size, None, {}
for _ in range(times):
    if connection is None:
        connection = (http.client.HTTPConnection("127.0.0.1", port, timeout=20) if authority == "-" else
            http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=ssl.create_default_context(cafile=authority)))
    connection.request("POST", path, body)
    answer = connection.getresponse()
    answer.read()
    statuses[answer.status] = statuses.get(answer.status, 0) + 1
    if answer.will_close:
        connection.close()
        connection = None
print(statuses)
"#;

fn python(server: &Server, authority: &str, times: usize, size: usize, path: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("client.py");
    std::fs::write(&script, PYTHON).unwrap();
    let arguments =
        format!("{} {} {authority} {times} {size} {path}", script.display(), server.address.port());
    let output = command("python3", &arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}").trim().to_owned()
}

#[test]
fn three_hundred_refused_writes_get_three_hundred_answers() {
    let plain = Server::plain(limits());
    assert_eq!(python(&plain, "-", 300, 300_000, "/v1/none"), "{404: 300}");
    let tls = Server::tls(limits(), MinVersion::Tls13);
    let authority = ca().ca.display().to_string();
    assert_eq!(python(&tls, &authority, 300, 300_000, "/v1/none"), "{404: 300}");
}

#[test]
fn a_body_that_is_too_large_gets_its_413_although_nobody_asked_first() {
    let authority = ca().ca.display().to_string();
    for size in [33_000_000, 34_000_000] {
        assert_eq!(python(&Server::plain(limits()), "-", 3, size, "/v1/echo"), "{413: 3}");
        let tls = Server::tls(limits(), MinVersion::Tls13);
        assert_eq!(python(&tls, &authority, 3, size, "/v1/echo"), "{413: 3}");
    }
}

#[test]
fn the_connection_says_that_it_closes_and_closes() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    let (head, status) = wire.send(post("unread", "", 300_000)).head();
    assert_eq!(status, 204);
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(wire.rest(), "");
    // Headers that are refused are no different.
    let mut wire = server.connect();
    wire.send(format!("GET /v1/echo HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(400_000)));
    let (head, status) = wire.head();
    assert_eq!(status, 431);
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(wire.rest(), "");
}

#[test]
fn a_small_body_that_nobody_wants_costs_no_connection() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    for _ in 0..10 {
        assert_eq!(wire.send(post("none", "", 10_000)).answer().0, 404);
    }
    assert_eq!(wire.send(GET).answer().0, 200);
}

#[test]
fn who_waits_to_be_asked_is_not_told_to_send() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    wire.send("POST /v1/none HTTP/1.1\r\nHost: v\r\nExpect: 100-continue\r\nContent-Length: 300000\r\n\r\n");
    let (head, status) = wire.head();
    assert_eq!(status, 404);
    assert!(head.contains("connection: close"), "{head}");
}

#[test]
fn who_never_stops_sending_is_cut() {
    let server = Server::plain(Limits { linger_bytes: 1024 * 1024, ..limits() });
    let mut wire = server.connect();
    wire.send(post("none", "", 0).strip_suffix(b"0\r\n\r\n").unwrap()).send("99999999999\r\n\r\n");
    let sent = (0..10_000).take_while(|_| wire.0.write_all(&[b'x'; 64 * 1024]).is_ok()).count();
    assert!(sent < 10_000);
    let server = Server::plain(Limits { linger_time: std::time::Duration::from_millis(100), ..limits() });
    let mut wire = server.connect();
    // Nor is one waited for that sends nothing more.
    wire.send("POST /v1/none HTTP/1.1\r\nHost: v\r\nContent-Length: 300000\r\n\r\n");
    assert_eq!(wire.answer().0, 404);
    assert_eq!(wire.rest(), "");
    while wire.0.write_all(b"x").is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn over_tls_the_answer_comes_before_the_end() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let (mut connection, mut socket) = shake(&server, &[b"http/1.1"]);
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    stream.write_all(&post("none", "", 300_000)).unwrap();
    let mut answer = String::new();
    // To its end, with the alert that says that nothing was cut off.
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404") && answer.ends_with("{\"errors\":[]}\n"), "{answer}");
}
