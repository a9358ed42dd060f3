//! Bytes that no good client sends: each gets its 4xx or a closed connection, and the server goes on.

use std::time::{Duration, Instant};

use strongroom_http::{Address, Limits, Listener, Seating, bind};

use crate::support::{PATIENCE, Server, Wire, address, headers, limits};

const GET: &str = "GET /v1/echo HTTP/1.1\r\nHost: v\r\n\r\n";

/// The server still answers: whatever came before did no harm.
fn still_well(server: &Server) {
    assert_eq!(server.connect().send(GET).answer().0, 200);
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /v1/echo HTTP/1.1\r\nHost: v\r\n{headers}\r\n{body}")
}

#[test]
fn an_ordinary_exchange() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    for _ in 0..3 {
        let (status, body) = wire.send(post("Content-Length: 5\r\nX-Vault-Token: t\r\n", "hello")).answer();
        assert_eq!(status, 200);
        assert!(body.contains("\"data\":{\"bytes\":5,\"operation\":\"update\",\"token\":\"t\"}"), "{body}");
    }
    let (status, body) =
        wire.send(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")).answer();
    assert_eq!(status, 200);
    assert!(body.contains("\"bytes\":7"));
    assert_eq!(
        wire.send("LIST /v1/none HTTP/1.1\r\nHost: v\r\n\r\n").answer(),
        (404, "{\"errors\":[]}\n".into())
    );
    assert_eq!(wire.send("GET / HTTP/1.1\r\nHost: v\r\n\r\n").answer().0, 404);
    assert_eq!(wire.send("GET /ui/ HTTP/1.1\r\nHost: v\r\n\r\n").answer().1, "there is no page here\n");
    let (head, status) = wire.send("HEAD /v1/health HTTP/1.1\r\nHost: v\r\n\r\n").head();
    assert_eq!(status, 200);
    assert!(head.contains("content-length: 8"), "{head}");
    let (head, status) =
        wire.send("POST /v1/unread HTTP/1.1\r\nHost: v\r\nX-Vault-Namespace: root\r\n\r\n").head();
    assert_eq!(status, 204);
    assert!(!head.contains("content-length") && head.contains("x-vault-namespace: root"), "{head}");
    assert_eq!(wire.send(GET).answer().0, 200);
}

#[test]
fn headers_that_are_too_many_or_too_long_are_431() {
    let server = Server::plain(limits());
    let many = "X-Some: thing\r\n".repeat(100);
    assert_eq!(
        server.connect().send(format!("GET /v1/echo HTTP/1.1\r\nHost: v\r\n{many}\r\n")).answer().0,
        431
    );
    let long = "x".repeat(60 * 1024);
    assert_eq!(
        server.connect().send(format!("GET /v1/echo HTTP/1.1\r\nHost: v\r\nX: {long}\r\n\r\n")).answer().0,
        431
    );
    let token = "x".repeat(8193);
    let answer = server
        .connect()
        .send(format!("GET /v1/echo HTTP/1.1\r\nHost: v\r\nX-Vault-Token: {token}\r\n\r\n"))
        .answer();
    assert_eq!(answer, (431, "{\"errors\":[\"the token is longer than 8192 bytes\"]}\n".into()));
    let uri = "x".repeat(70_000);
    assert!(
        [414, 431].contains(
            &server.connect().send(format!("GET /v1/{uri} HTTP/1.1\r\nHost: v\r\n\r\n")).answer().0
        )
    );
    still_well(&server);
}

#[test]
fn a_hundred_thousand_headers_are_not_read_to_their_end() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    wire.send(format!("GET /v1/echo HTTP/1.1\r\nHost: v\r\n{}\r\n", "X-Some: thing\r\n".repeat(100_000)));
    wire.rest();
    assert_eq!(server.seen.begun(), 0);
    still_well(&server);
}

#[test]
fn slow_headers_are_cut_and_an_idle_connection_is_not() {
    let server = Server::plain(limits());
    let mut idle = server.connect();
    assert_eq!(idle.send(GET).answer().0, 200);
    let mut slow = server.connect();
    assert_eq!(slow.send(GET).answer().0, 200);
    slow.send("GET /v1/echo HTTP/1.1\r\nHost: v\r\nX: ");
    let start = Instant::now();
    // A byte now and then does not buy more time.
    slow.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    loop {
        assert!(start.elapsed() < PATIENCE, "the slow client is still served");
        slow.send("x");
        match std::io::Read::read(&mut slow.0, &mut [0]) {
            Ok(0) => break,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => break,
            Ok(_) => panic!("half a request was answered"),
        }
    }
    assert_eq!(idle.send(GET).answer().0, 200);
}

#[test]
fn a_client_that_says_nothing_is_gone_after_a_while() {
    let server = Server::plain(limits());
    assert_eq!(server.connect().rest(), "");
    let mut idle = Server::plain(Limits { idle_time: Duration::from_millis(300), ..limits() });
    let mut wire = idle.connect();
    assert_eq!(wire.send(GET).answer().0, 200);
    assert_eq!(wire.rest(), "");
    idle = server;
    still_well(&idle);
}

#[test]
fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = Server::plain(Limits { idle_time: Duration::from_millis(300), connections: 1, ..limits() });
    let mut wire = server.connect();
    wire.send("GET /v1/long HTTP/1.1\r\nHost: v\r\n\r\n");
    // The only seat: another client gets it when the first has been cut.
    still_well(&server);
    assert!(wire.rest().len() < 8 * 1024 * 1024);
}

#[test]
fn bodies_that_are_no_bodies() {
    let server = Server::plain(limits());
    for (headers, body) in [
        ("Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n"),
        ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"),
        ("Transfer-Encoding: chunked\r\n", "-1\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabcdef\r\n"),
        ("Content-Length: 10\r\n", "abc"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nab"),
    ] {
        let (status, _) = server.connect().send(post(headers, body)).answer();
        assert_eq!(status, 400, "{headers}{body}");
    }
    still_well(&server);
}

#[test]
fn heads_that_two_servers_could_read_differently() {
    let server = Server::plain(Limits { idle_time: Duration::from_millis(300), ..limits() });
    for head in [
        "POST /v1/echo HTTP/1.1\r\nHost: v\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /v1/echo HTTP/1.1\r\nHost: v\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST /v1/echo HTTP/1.1\r\nHost: v\r\nContent-Length: +3\r\n\r\nabc",
        "POST /v1/echo HTTP/1.1\r\nHost: v\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        "POST /v1/echo HTTP/1.1\r\nHost: v\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "POST /v1/echo HTTP/1.1\r\nHost: v\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc",
        "POST /v1/echo HTTP/1.0\r\nHost: v\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/echo HTTP/1.1\r\nHost : v\r\n\r\n",
        "GET /v1/echo HTTP/1.1\r\nHost: v\r\n X: folded\r\n\r\n",
        "GET /v1/echo HTTP/1.1\r\n\r\n",
        "GET /v1/echo HTTP/1.1\r\nHost: v\r\nHost: w\r\n\r\n",
        "GET /v1/echo HTTP/1.1\r\nHost: v\r\nX: a\0b\r\n\r\n",
        "GET  /v1/echo HTTP/1.1\r\nHost: v\r\n\r\n",
        "GET /v1/echo\r\n\r\n",
        "GET /v1/echo HTTP/3.0\r\nHost: v\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03\r\n\r\n",
    ] {
        let mut wire = server.connect();
        let answer = wire.send(head).rest();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{head:?} gave {answer:?}");
    }
    // Sent on a connection that stays open, the answer to a bad Host is still the only thing that happens.
    assert_eq!(server.seen.begun(), 0);
    still_well(&server);
}

#[test]
fn a_smuggled_request_is_never_served() {
    let server = Server::plain(limits());
    for (first, second) in [
        ("Content-Length: 60\r\n", "Transfer-Encoding: chunked\r\n"),
        ("Transfer-Encoding: chunked\r\n", "Content-Length: 60\r\n"),
        ("Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"),
    ] {
        let before = server.seen.begun();
        let mut wire = server.connect();
        wire.send(format!("POST /v1/echo HTTP/1.1\r\nHost: v\r\n{first}{second}\r\n0\r\n\r\n{GET}"));
        let answers = wire.rest();
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(server.seen.begun() <= before + 1);
    }
    still_well(&server);
}

#[test]
fn a_huge_body_is_refused_without_being_read() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    let (status, body) = wire.send(post("Content-Length: 1099511627776\r\n", "abc")).answer();
    assert_eq!((status, body.as_str()), (413, "{\"errors\":[\"http: request body too large\"]}\n"));
    let mut wire = server.connect();
    wire.send(post("Transfer-Encoding: chunked\r\n", ""));
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..20 {
        wire.send(&chunk);
    }
    assert_eq!(wire.answer().0, 413);
    still_well(&server);
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let server = Server::plain(limits());
    let (status, body) = server.connect().send(post("Content-Length: 10\r\n", "abc")).answer();
    assert_eq!(status, 400);
    assert!(body.contains("did not arrive"));
    still_well(&server);
}

#[test]
fn a_body_that_nobody_asks_for_is_not_waited_for() {
    let server = Server::plain(limits());
    let head = "POST /v1/unread HTTP/1.1\r\nHost: v\r\nContent-Length: 1000000\r\n\r\n";
    assert_eq!(server.connect().send(head).head().1, 204);
    let expecting =
        "POST /v1/unread HTTP/1.1\r\nHost: v\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(server.connect().send(expecting).head().1, 204);
    let mut wire = server.connect();
    wire.send(post("Expect: 100-continue\r\nContent-Length: 5\r\n", ""));
    assert_eq!(wire.head().1, 100);
    assert_eq!(wire.send("hello").answer().0, 200);
}

#[test]
fn a_thousand_connections_at_once() {
    let server = Server::plain(Limits { head_time: PATIENCE, ..limits() });
    let mut wires: Vec<Wire> = (0..1000).map(|_| server.connect()).collect();
    for wire in &mut wires {
        wire.send(GET);
    }
    for wire in &mut wires {
        assert_eq!(wire.answer().0, 200);
    }
    assert_eq!(server.seen.ended(), 1000);
}

#[test]
fn connections_of_one_address_and_requests_under_way_are_limited() {
    let server = Server::plain(Limits { connections_per_address: 2, requests: 1, ..limits() });
    let (mut first, mut second) = (server.connect(), server.connect());
    first.send("GET /v1/wait HTTP/1.1\r\nHost: v\r\n\r\n");
    while server.seen.begun() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(second.send(GET).answer().0, 429);
    assert_eq!(server.connect().send(GET).rest(), "");
    server.seen.go.notify_one();
    assert_eq!(first.answer().0, 200);
    assert_eq!(second.send(GET).answer().0, 200);
}

#[test]
fn all_listeners_share_the_seats_that_open_files_allow() {
    let bound = |limits: Limits| {
        let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
        bind(Listener { address, tls: None, limits, headers: headers(), metrics: Default::default() })
            .unwrap()
    };
    let listeners = vec![bound(limits()), bound(limits())];
    let other = address(&listeners[1]);
    // Three of four for one address: the last seats are for others. Each listener keeps one for whom it waits for.
    let server = Server::seated(listeners, Seating { connections: 8 });
    let mut open: Vec<Wire> = (0..6).map(|_| server.connect()).collect();
    for wire in &mut open {
        assert_eq!(wire.send(GET).answer().0, 200);
    }
    assert_eq!(server.connect().send(GET).rest(), "");
    let mut elsewhere = Wire(std::net::TcpStream::connect(other).unwrap());
    elsewhere.0.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(elsewhere.send(GET).rest(), "", "addresses are counted over all listeners");
    // A seat that is given back is there again, a moment later.
    drop(open.pop());
    let start = Instant::now();
    while server.connect().send(GET).rest_or_answer().is_none() {
        assert!(start.elapsed() < PATIENCE, "the seat does not come back");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::plain(limits());
    let mut wire = server.connect();
    wire.send(GET.repeat(50));
    for _ in 0..50 {
        assert_eq!(wire.answer().0, 200);
    }
}

#[test]
fn noise_does_no_harm() {
    let server = Server::plain(limits());
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..200 {
        let noise: Vec<u8> = (0..200)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        let mut wire = server.connect();
        wire.send(noise).send("\r\n\r\n");
        let _ = wire.0.shutdown(std::net::Shutdown::Write);
        wire.rest();
    }
    still_well(&server);
}
