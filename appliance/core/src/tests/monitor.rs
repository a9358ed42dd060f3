//! Following the server's own log: who may, what is seen, and when it ends.

use std::time::Duration;

use serde_json::{Value, json};
use strongroom_audit::testing::Mood;
use strongroom_types::error::Kind;
use strongroom_types::{Operation, Refusal, Reply, Stream};
use tokio::time::timeout;

use crate::log::{self, Level};
use crate::sys::monitor::PLACES;
use crate::testing::{Rig, request};
use crate::tests::sweep::active;

const MAY: &str = r#"path "sys/monitor" { capabilities = ["read", "sudo"] }"#;
/// Longer than it takes to ask for a right once more, shorter than anybody waits for a test.
const PATIENCE: Duration = Duration::from_secs(60);

async fn follow(rig: &Rig, query: &str, token: &str) -> Result<Stream, Refusal> {
    match rig.core.handle(request(Operation::Read, &format!("sys/monitor?{query}"), token, None)).await {
        Ok(Reply::Stream(stream)) => Ok(stream),
        Ok(_) => panic!("no stream"),
        Err(refusal) => Err(refusal),
    }
}

async fn next(stream: &mut Stream) -> Option<String> {
    let part = timeout(PATIENCE, stream.part()).await.expect("nothing comes, and no end");
    part.map(|part| String::from_utf8(part).unwrap())
}

/// The first line with `text`: tests beside this one log, too.
async fn until(stream: &mut Stream, text: &str) -> String {
    while let Some(line) = next(stream).await {
        if line.contains(text) {
            return line;
        }
    }
    panic!("it has ended before {text}");
}

/// The lines up to its end.
async fn rest(stream: &mut Stream) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(line) = next(stream).await {
        lines.push(line);
    }
    lines
}

/// Whether it says that whoever follows may not any more, and nothing after that.
async fn has_farewell(stream: &mut Stream) -> bool {
    let lines = rest(stream).await;
    log::HTTP.error(format_args!("after the end"));
    let is_over = next(stream).await.is_none();
    is_over
        && lines.last().is_some_and(|line| line.contains("monitor: ended: the token has ended, or may not"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_at_any_level_in_either_format() {
    let rig = Rig::new().await;
    let mut all = follow(&rig, "log_level=debug", &rig.root).await.unwrap();
    let mut usual = follow(&rig, "log_format=json", &rig.root).await.unwrap();
    assert_eq!(all.content_type, "text/plain; charset=utf-8");
    assert_eq!(usual.content_type, "application/x-ndjson");
    assert!(log::HTTP.level() > Level::Debug, "what is followed is not written");
    log::HTTP.debug(format_args!("of little importance, to {}", "some"));
    log::HTTP.warn(format_args!("of more importance"));
    let line = until(&mut all, "of little importance").await;
    assert_eq!(line, "2027-01-15T08:00:00Z [DEBUG] http: of little importance, to some\n");
    until(&mut all, "[WARN]  http: of more importance\n").await;
    let line: Value = serde_json::from_str(&until(&mut usual, "importance").await).unwrap();
    assert_eq!(
        line,
        json!({
            "@level": "warn",
            "@message": "of more importance",
            "@module": "http",
            "@timestamp": "2027-01-15T08:00:00Z",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_is_the_last_that_is_seen() {
    let rig = Rig::new().await;
    let mut stream = follow(&rig, "", &rig.root).await.unwrap();
    rig.put("sys/seal", &rig.root, json!({})).await.unwrap();
    let lines = rest(&mut stream).await;
    assert!(lines.iter().any(|line| line.contains("[INFO]  seal: sealed")), "{lines:?}");
    assert_eq!(follow(&rig, "", &rig.root).await.err().unwrap().kind, Kind::Sealed);
    rig.unseal().await;
    assert!(follow(&rig, "", &rig.root).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_no_longer_follow_the_log_sees_its_end() {
    let rig = Rig::new().await;
    let (revoked, expired) = (rig.allowed(MAY).await, rig.allowed(MAY).await);
    rig.put("sys/policies/acl/other", &rig.root, json!({ "policy": MAY })).await.unwrap();
    let weaker = rig.token(json!({"policies": ["other"]})).await;
    let once = rig.token(json!({"policies": ["other"], "num_uses": 1})).await;
    let mut streams = Vec::new();
    for token in [&revoked, &weaker, &once] {
        streams.push(follow(&rig, "", token).await.unwrap());
    }
    rig.put("auth/token/revoke", &rig.root, json!({ "token": revoked })).await.unwrap();
    let weak = r#"path "sys/monitor" { capabilities = ["read"] }"#;
    rig.put("sys/policies/acl/other", &rig.root, json!({ "policy": weak })).await.unwrap();
    for stream in &mut streams {
        assert!(has_farewell(stream).await);
    }
    let (mut ends, mut stays) =
        (follow(&rig, "", &expired).await.unwrap(), follow(&rig, "", &rig.root).await.unwrap());
    rig.clock.advance(2 * 3600);
    assert!(has_farewell(&mut ends).await);
    log::HTTP.warn(format_args!("who may goes on"));
    until(&mut stays, "who may goes on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_late_sees_nothing_once_it_may_not() {
    let rig = Rig::new().await;
    let token = rig.allowed(MAY).await;
    let mut stream = follow(&rig, "", &token).await.unwrap();
    log::HTTP.warn(format_args!("while it may"));
    until(&mut stream, "while it may").await;
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    log::HTTP.warn(format_args!("not for its eyes"));
    // It reads nothing until its right has been due to be asked for again.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(next(&mut stream).await.unwrap().contains("monitor: ended"));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn it_needs_sudo_and_a_level_and_a_format_that_there_are() {
    let rig = Rig::new().await;
    let weak = rig.allowed(r#"path "sys/*" { capabilities = ["read", "list"] }"#).await;
    for token in ["", "made-up", &weak] {
        assert_eq!(follow(&rig, "", token).await.err().unwrap().kind, Kind::Denied);
    }
    for query in ["log_level=loud", "log_format=xml"] {
        let refusal = follow(&rig, query, &rig.root).await.err().unwrap();
        assert_eq!(refusal.kind, Kind::BadRequest, "{query}");
        assert!(!refusal.message.contains("loud") && !refusal.message.contains("xml"), "{}", refusal.message);
    }
    for operation in [Operation::Head, Operation::List, Operation::Update, Operation::Delete] {
        let answer = rig.core.handle(request(operation, "sys/monitor", &rig.root, None)).await;
        assert_eq!(answer.err().unwrap().kind, Kind::Unsupported, "{operation:?}");
    }
    assert_eq!(active(&rig).monitors.available_permits(), PLACES, "nobody follows");
}

#[tokio::test]
async fn so_many_follow_at_once_and_whoever_leaves_makes_room() {
    let rig = Rig::new().await;
    let mut streams = Vec::new();
    for _ in 0..PLACES {
        streams.push(follow(&rig, "", &rig.root).await.unwrap());
    }
    let refusal = follow(&rig, "", &rig.root).await.err().unwrap();
    assert_eq!(refusal.kind, Kind::TooMany);
    assert!(refusal.message.contains("16 clients"), "{}", refusal.message);
    streams.pop();
    assert!(follow(&rig, "", &rig.root).await.is_ok());
}

#[tokio::test]
async fn both_lines_of_the_audit_log_come_before_the_first_of_the_stream() {
    let rig = Rig::new().await;
    let stream = follow(&rig, "log_level=error", &rig.root).await.unwrap();
    let lines = rig.lines();
    let [.., first, second] = lines.as_slice() else { panic!("no lines") };
    assert_eq!((&first["type"], &second["type"]), (&json!("request"), &json!("response")));
    assert_eq!(first["request"]["path"], "sys/monitor");
    assert_eq!(second["response"]["data"]["http_stream"], true);
    drop(stream);
    rig.sink.set(Mood::Refusing);
    assert_eq!(follow(&rig, "", &rig.root).await.err().unwrap().kind, Kind::Internal);
    rig.sink.set(Mood::Well);
    assert_eq!(active(&rig).monitors.available_permits(), PLACES, "what was not audited is not begun");
}

#[tokio::test]
async fn as_long_as_it_goes_on_it_is_under_way() {
    let rig = Rig::new().await;
    let paths = async || {
        let shown = rig.get("sys/in-flight-req", &rig.root).await.unwrap();
        let all = shown["data"].as_object().unwrap().values();
        let mut paths: Vec<String> =
            all.map(|one| one["request_path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    let stream = follow(&rig, "", &rig.root).await.unwrap();
    assert_eq!(paths().await, ["/v1/sys/in-flight-req", "/v1/sys/monitor"]);
    drop(stream);
    assert_eq!(paths().await, ["/v1/sys/in-flight-req"]);
}
