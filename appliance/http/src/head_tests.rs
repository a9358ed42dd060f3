use http::Request;
use proptest::prelude::*;

use super::*;

fn parsed(request: http::request::Builder) -> Result<Head, Refusal> {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let lines =
        Lines { method: &parts.method, uri: &parts.uri, version: parts.version, headers: &parts.headers };
    parse(&lines, RequestId([7; 16]), None, 8192)
}

fn get(uri: &str) -> http::request::Builder {
    Request::get(uri).header("host", "vault")
}

fn refused(request: http::request::Builder) -> (Kind, String) {
    let Err(refusal) = parsed(request) else { panic!("was accepted") };
    (refusal.kind, refusal.message.into_owned())
}

#[test]
fn methods_and_flags_are_operations() {
    let operation = |method: &str, uri: &str| {
        parsed(Request::builder().method(method).uri(uri).header("host", "v")).map(|head| head.operation)
    };
    for (method, uri, expected) in [
        ("GET", "/v1/a", Operation::Read),
        ("GET", "/v1/a?list=true", Operation::List),
        ("GET", "/v1/a?list=1", Operation::List),
        ("GET", "/v1/a?list=false", Operation::Read),
        ("GET", "/v1/a?scan=T", Operation::Scan),
        ("GET", "/v1/a?help=1", Operation::Help),
        ("HEAD", "/v1/a", Operation::Head),
        ("POST", "/v1/a", Operation::Update),
        ("POST", "/v1/a?list=true", Operation::Update),
        ("PUT", "/v1/a", Operation::Update),
        ("PATCH", "/v1/a", Operation::Patch),
        ("DELETE", "/v1/a", Operation::Delete),
        ("LIST", "/v1/a", Operation::List),
        ("SCAN", "/v1/a", Operation::Scan),
    ] {
        assert_eq!(operation(method, uri).unwrap(), expected, "{method} {uri}");
    }
    for (method, uri, kind) in [
        ("GET", "/v1/a?list=true&scan=true", Kind::BadRequest),
        ("GET", "/v1/a?list=yes", Kind::BadRequest),
        ("GET", "/v1/a?list", Kind::BadRequest),
        ("OPTIONS", "/v1/a", Kind::BadRequest),
        ("TRACE", "/v1/a", Kind::Unsupported),
        ("get", "/v1/a", Kind::Unsupported),
        ("ALIAS-LOOKAHEAD", "/v1/a", Kind::Unsupported),
    ] {
        assert_eq!(operation(method, uri).unwrap_err().kind, kind, "{method} {uri}");
    }
}

#[test]
fn flags_are_taken_out_of_the_query() {
    let head = parsed(get("/v1/a?list=true&after=b&limit=3")).unwrap();
    assert_eq!(head.query, [("after", "b"), ("limit", "3")].map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn only_canonical_paths_of_the_api_are_paths() {
    assert_eq!(parsed(get("/v1/secret/data/a%20b")).unwrap().path.as_str(), "secret/data/a b");
    assert_eq!(parsed(get("https://other/v1/secret/a")).unwrap().path.as_str(), "secret/a");
    assert!(parsed(get("/v1/secret/")).unwrap().path.has_trailing_slash());
    for uri in ["/v2/a", "/v1", "/V1/a", "/x/v1/a", "//v1/a"] {
        assert_eq!(refused(get(uri)).0, Kind::NotFound, "{uri}");
    }
    for uri in ["/v1/a/../b", "/v1//a", "/v1/a%00", "/v1/%2e%2e/a", "/v1/a%ff", "/v1/a?x=%zz"] {
        assert_eq!(refused(get(uri)).0, Kind::BadRequest, "{uri}");
    }
}

#[test]
fn a_token_comes_in_one_of_two_headers() {
    let token = |request: http::request::Builder| {
        parsed(request).unwrap().token.map(|token| token.expose_str().unwrap().to_owned())
    };
    assert_eq!(token(get("/v1/a")), None);
    assert_eq!(token(get("/v1/a").header("x-vault-token", "s.1")).as_deref(), Some("s.1"));
    assert_eq!(token(get("/v1/a").header("x-vault-token", " s.1 ")).as_deref(), Some("s.1"));
    assert_eq!(token(get("/v1/a").header("x-vault-token", "")), None);
    assert_eq!(token(get("/v1/a").header("authorization", "Bearer s.2")).as_deref(), Some("s.2"));
    assert_eq!(token(get("/v1/a").header("authorization", "Basic dTpw")), None);
    assert_eq!(token(get("/v1/a").header("authorization", "é")), None);
    let both = get("/v1/a").header("authorization", "Bearer s.2").header("x-vault-token", "s.1");
    assert_eq!(token(both).as_deref(), Some("s.1"));
    for empty in ["", " "] {
        let beside = get("/v1/a").header("authorization", "Bearer s.2").header("x-vault-token", empty);
        assert_eq!(token(beside).as_deref(), Some("s.2"), "an empty header hides nothing");
    }
}

#[test]
fn headers_that_decide_something_are_there_once() {
    for name in
        ["x-vault-token", "authorization", "x-vault-namespace", "x-vault-wrap-ttl", "content-type", "host"]
    {
        let twice = get("/v1/a").header(name, "1").header(name, "1");
        assert_eq!(refused(twice).0, Kind::BadRequest, "{name}");
    }
    assert_eq!(refused(Request::get("/v1/a")).0, Kind::BadRequest);
    assert!(parsed(Request::get("/v1/a").version(Version::HTTP_2)).is_ok());
}

#[test]
fn a_token_that_is_too_long_is_431() {
    let long = "x".repeat(8193);
    assert_eq!(refused(get("/v1/a").header("x-vault-token", &long)).0, Kind::HeaderTooLarge);
    assert_eq!(refused(get("/v1/a").header("authorization", &long)).0, Kind::HeaderTooLarge);
    assert!(parsed(get("/v1/a").header("x-vault-token", &long[1..])).is_ok());
}

#[test]
fn namespaces_are_canonical() {
    let namespace =
        |value: &str| parsed(get("/v1/a").header("x-vault-namespace", value)).map(|head| head.namespace);
    assert_eq!(namespace("").unwrap(), "");
    assert_eq!(namespace("root").unwrap(), "");
    assert_eq!(namespace("/").unwrap(), "");
    assert_eq!(namespace("team/a/").unwrap(), "team/a");
    assert_eq!(namespace("/team/a").unwrap(), "team/a");
    assert!(namespace("team/../a").is_err());
    assert!(namespace("team//a").is_err());
}

#[test]
fn wrap_ttl_is_a_duration_that_is_not_negative() {
    let ttl = |value: &str| parsed(get("/v1/a").header("x-vault-wrap-ttl", value)).map(|head| head.wrap_ttl);
    assert_eq!(ttl("60").unwrap(), Some(60));
    assert_eq!(ttl("1h30m").unwrap(), Some(5400));
    assert_eq!(ttl("1ms").unwrap(), Some(1));
    assert_eq!(ttl("0").unwrap(), None);
    assert_eq!(ttl("-1s").unwrap_err().message, "requested wrap ttl cannot be negative");
    assert!(ttl("soon").is_err());
    assert_eq!(ttl("").unwrap(), None);
}

#[test]
fn content_types_lose_their_parameters() {
    let kind = |value: &str| parsed(get("/v1/a").header("content-type", value)).unwrap().content_type;
    assert_eq!(
        kind("Application/Merge-Patch+JSON; charset=utf-8").as_deref(),
        Some("application/merge-patch+json")
    );
    assert_eq!(kind(";"), None);
}

#[test]
fn no_refusal_repeats_what_was_sent() {
    let canary = "CANARY";
    for request in [
        get("/v1/CANARY/../a"),
        get("/v1/a?list=CANARY"),
        get("/v1/a").header("x-vault-namespace", "CANARY/../a"),
        get("/v1/a").header("x-vault-wrap-ttl", "CANARY"),
        get("/v1/a").header("x-vault-token", canary.repeat(2000)),
    ] {
        assert!(!refused(request).1.contains(canary));
    }
}

proptest! {
    #[test]
    fn any_head_is_parsed_or_refused(
        method in "[A-Z]{1,8}|LIST|GET|[!-~]{1,8}",
        uri in "/v1/[!-~]{0,40}|/[!-~]{0,40}|/v1/\\PC{0,20}",
        names in prop::collection::vec(("(x-vault-token|authorization|x-vault-namespace|x-vault-wrap-ttl|content-type|host|expect)", "\\PC{0,40}"), 0..6),
    ) {
        let mut request = Request::builder().method(method.as_str()).uri(uri.as_str());
        for (name, value) in &names {
            request = request.header(name, value.as_bytes());
        }
        // What http itself refuses never gets here.
        let Ok(request) = request.body(()) else { return Ok(()) };
        let (parts, ()) = request.into_parts();
        let lines = Lines { method: &parts.method, uri: &parts.uri, version: parts.version, headers: &parts.headers };
        if let Ok(head) = parse(&lines, RequestId([0; 16]), None, 8192) {
            prop_assert!(head.path.segments().all(|s| s != "." && s != ".."));
            prop_assert!(!head.namespace.starts_with('/') && !head.namespace.ends_with('/'));
        }
    }
}
