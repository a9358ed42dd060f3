//! Stopping, and clients that go away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use strongroom_http::{Address, BindError, Limits, Listener, bind};

use crate::support::{PATIENCE, Server, limits};

const WAIT: &str = "GET /v1/wait HTTP/1.1\r\nHost: v\r\n\r\n";
const GET: &str = "GET /v1/echo HTTP/1.1\r\nHost: v\r\n\r\n";

pub fn until(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_is_under_way_is_finished_and_idle_connections_are_closed() {
    let server = Server::plain(Limits { drain_time: PATIENCE, ..limits() });
    let (mut busy, mut idle) = (server.connect(), server.connect());
    assert_eq!(idle.send(GET).answer().0, 200);
    busy.send(WAIT);
    until(|| server.seen.begun() == 2);
    server.stop();
    assert_eq!(idle.rest(), "");
    until(|| TcpStream::connect(server.address).is_err());
    server.seen.go.notify_one();
    assert!(busy.answer().1.contains("waited"));
    assert_eq!(busy.rest(), "");
    server.end();
}

#[test]
fn what_does_not_end_in_time_is_cut() {
    let server = Server::plain(limits());
    let mut busy = server.connect();
    busy.send(WAIT);
    until(|| server.seen.begun() == 1);
    server.stop();
    assert_eq!(busy.rest(), "");
    server.end();
}

#[test]
fn a_request_goes_on_when_its_client_goes_away() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    wire.send(WAIT);
    until(|| server.seen.begun() == 1);
    drop(wire);
    // Enough for the connection to notice that it is closed.
    assert_eq!(server.connect().send(GET).answer().0, 200);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(server.seen.ended(), 1);
    server.seen.go.notify_one();
    until(|| server.seen.ended() == 2);
}

#[test]
fn an_answer_that_takes_too_long_is_503_and_the_work_goes_on() {
    let server = Server::plain(Limits { request_time: Duration::from_millis(100), ..limits() });
    let mut wire = server.connect();
    assert_eq!(wire.send(WAIT).answer().0, 503);
    assert_eq!(wire.send(GET).answer().0, 200);
    server.seen.go.notify_one();
    until(|| server.seen.ended() == 2);
}

#[test]
fn plain_http_is_for_loopback_and_unix_sockets_only() {
    let listener = |address: &str| Listener {
        address: Address::Tcp(address.parse().unwrap()),
        tls: None,
        limits: limits(),
        headers: Default::default(),
        metrics: Default::default(),
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let Err(error) = bind(listener(address)) else { panic!("{address} is served in clear") };
        assert!(matches!(error, BindError::PlainText(_)), "{error}");
        assert!(error.to_string().contains("tls_cert_file"));
    }
    let taken = bind(listener("127.0.0.1:0")).unwrap();
    let Err(error) = bind(listener(&taken.address().to_string())) else { panic!("bound twice") };
    assert!(error.to_string().contains("another process"), "{error}");
}

#[test]
fn a_unix_socket_replaces_only_the_socket_of_a_process_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let listener = || Listener {
        address: Address::Unix { path: path.clone(), mode: 0o600 },
        tls: None,
        limits: limits(),
        headers: Default::default(),
        metrics: Default::default(),
    };
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(bind(listener()), Err(BindError::Occupied(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    std::fs::remove_file(&path).unwrap();
    drop(bind(listener()).unwrap());
    let server = Server::start(bind(listener()).unwrap());
    assert!(matches!(bind(listener()), Err(BindError::Occupied(_))));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut client = UnixStream::connect(&path).unwrap();
    client.write_all(b"GET /v1/echo HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.end();
}
