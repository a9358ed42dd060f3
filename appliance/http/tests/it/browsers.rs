//! What browsers and operators find in the headers of answers: CORS, custom headers, HSTS.

use std::io::{Read, Write};
use std::sync::Arc;

use strongroom_core::{Cors, ResponseRules};
use strongroom_http::MinVersion;

use crate::support::{Server, limits};
use crate::tls::shake;

fn with_cors() -> Server {
    let server = Server::plain(limits());
    let cors = Cors {
        origins: vec!["https://a.example".into()],
        headers: vec!["X-Vault-Token".into(), "X-Own".into()],
        allow_credentials: false,
    };
    let ui_headers = vec![("X-Page".into(), vec!["yes".into()]), ("no name".into(), vec!["x".into()])];
    *server.seen.rules.lock().unwrap() =
        Arc::new(ResponseRules { cors: Some(cors), ui_headers, ..ResponseRules::default() });
    server
}

/// The head of the answer, in lower case, and its status.
fn ask(server: &Server, method: &str, path: &str, headers: &str) -> (String, u16) {
    let (head, status) =
        server.connect().send(format!("{method} {path} HTTP/1.1\r\nHost: v\r\n{headers}\r\n")).head();
    (head.to_ascii_lowercase(), status)
}

#[test]
fn c3_a_page_of_another_origin_may_ask_only_if_it_was_named() {
    let server = with_cors();
    let (head, status) = ask(&server, "GET", "/v1/echo", "Origin: https://a.example\r\n");
    assert_eq!(status, 200);
    assert!(head.contains("access-control-allow-origin: https://a.example\r\n"), "{head}");
    assert!(head.contains("vary: origin\r\n") && !head.contains("credentials"), "{head}");
    let begun = server.seen.begun();
    for origin in ["https://c.example", "null", "https://a.example.evil", "http://a.example"] {
        for method in ["GET", "POST", "OPTIONS"] {
            let (head, status) = ask(&server, method, "/v1/echo", &format!("Origin: {origin}\r\n"));
            assert_eq!(status, 403, "{origin}");
            assert!(!head.contains("access-control"), "{head}");
        }
    }
    assert_eq!(server.seen.begun(), begun, "nothing of it reached the service");
    let (head, status) = ask(&server, "GET", "/v1/echo", "");
    assert!(status == 200 && !head.contains("access-control"), "{head}");
}

#[test]
fn a_preflight_is_answered_without_the_service() {
    let server = with_cors();
    let asks = "Origin: https://a.example\r\nAccess-Control-Request-Method: LIST\r\n";
    let (head, status) = ask(&server, "OPTIONS", "/v1/anything", asks);
    assert_eq!(status, 200);
    for line in [
        "access-control-allow-origin: https://a.example",
        "access-control-allow-methods: delete,get,options,post,put,list,scan",
        "access-control-allow-headers: x-vault-token,x-own",
        "access-control-max-age: 300",
        "cache-control: no-store",
    ] {
        assert!(head.contains(&format!("{line}\r\n")), "{line}: {head}");
    }
    assert_eq!(server.seen.begun(), 0);
    let trace = "Origin: https://a.example\r\nAccess-Control-Request-Method: TRACE\r\n";
    assert_eq!(ask(&server, "OPTIONS", "/v1/anything", trace).1, 405);
    // Nobody has enabled anything.
    let server = Server::plain(limits());
    let (head, status) = ask(&server, "OPTIONS", "/v1/anything", asks);
    assert!(status >= 400 && !head.contains("access-control"), "{head}");
}

#[test]
fn an_operators_headers_go_by_the_status_and_replace_none_of_ours() {
    let server = with_cors();
    let (head, _) = ask(&server, "GET", "/v1/echo", "");
    assert!(head.contains("x-custom: any\r\n") && head.contains("cache-control: no-store"), "{head}");
    let (head, status) = ask(&server, "GET", "/v1/none", "");
    assert!(status == 404 && head.contains("x-custom: refused; by us\r\n"), "{head}");
    let (head, _) = ask(&server, "GET", "/v1/none", "");
    assert!(!head.contains("x-page"), "the pages' headers are for pages: {head}");
    let (head, _) = ask(&server, "GET", "/ui/vault", "");
    assert!(head.contains("x-page: yes\r\n"), "{head}");
}

#[test]
fn a_fault_of_ours_can_be_named_by_whoever_met_it() {
    let server = with_cors();
    let (head, status) = ask(&server, "GET", "/v1/fault", "");
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: "));
    assert_eq!((status, id.map(str::len)), (500, Some(36)), "{head}");
    assert!(!ask(&server, "GET", "/v1/none", "").0.contains("x-request-id"));
}

#[test]
fn only_tls_promises_tls() {
    const HSTS: &str = "strict-transport-security: max-age=31536000; includesubdomains\r\n";
    assert!(!ask(&with_cors(), "GET", "/v1/echo", "").0.contains("strict-transport"));
    let server = Server::tls(limits(), MinVersion::Tls13);
    let (mut connection, mut socket) = shake(&server, &[b"http/1.1"]);
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET /v1/echo HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.to_ascii_lowercase().contains(HSTS), "{answer}");
}
