use strongroom_types::reply::{AuthReply, LeaseReply, Logical};
use strongroom_types::{BoxFuture, Refusal, Stream, StreamSource};

use super::*;

/// A stream that has nothing to say.
struct Silence;

impl StreamSource for Silence {
    fn part(&mut self) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
}

fn lines(
    config: impl FnOnce(&mut SinkConfig),
    event: &Event<'_>,
    response: &ResponseEvent<'_>,
) -> [Value; 2] {
    let sink = sink();
    let mut wanted = SinkConfig::new("a", sink.clone());
    config(&mut wanted);
    let broker = Broker::new(vec![(wanted, salt(1))], clock(), 1);
    let audited = broker.before(event).unwrap();
    broker.after(&audited, event, response).unwrap();
    let lines = sink.lines();
    assert_eq!(lines.len(), 2);
    [parsed(&lines[0]), parsed(&lines[1])]
}

fn hash(text: &str) -> Value {
    salt(1).hash(text.as_bytes()).into()
}

fn answered(data: Value) -> Reply {
    Reply::data(data)
}

/// Both lines, byte by byte: what reads the log depends on them.
#[test]
fn lines_stay_as_they_are() {
    let sink = sink();
    let broker = broker(&[&sink]);
    let asked =
        Asked::new(1, json!({"data": {"password": "s3cret", "port": 5432, "on": true, "none": null}}));
    let reply = answered(json!({"version": 1, "created_time": "2023-11-14T22:13:20Z"}));
    both(&broker, &asked.event(), &reply);
    let golden = include_str!("../../tests/golden/lines.jsonl");
    assert_eq!(sink.lines().join("\n"), golden.trim_end());
}

#[test]
fn the_hash_is_hmac_sha256() {
    // RFC 4231, test cases 2 and 3.
    for (key, text, tag) in [
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    ] {
        assert_eq!(Salt::new(&Secret::from(key)).hash(&text), format!("hmac-sha256:{tag}"));
    }
}

#[test]
fn values_are_hashed_wherever_they_are_and_nothing_else_is() {
    let data =
        json!({"a": "x", "b": ["x", {"c": "x", "": ""}], "n": 12.50, "t": true, "z": null, "e": {}, "l": []});
    let asked = Asked::new(1, data.clone());
    let reply = answered(data);
    let response = ResponseEvent { answer: Ok(&reply), clear: Clear::NOTHING };
    let lines = lines(|_| {}, &asked.event(), &response);
    let expected = json!({
        "a": hash("x"), "b": [hash("x"), {"c": hash("x"), "": hash("")}], "n": 12.50, "t": true, "z": null, "e": {}, "l": [],
    });
    assert_eq!(lines[0]["request"]["data"], expected);
    assert_eq!(lines[1]["request"]["data"], expected);
    assert_eq!(lines[1]["response"]["data"], expected);
}

#[test]
fn declared_fields_are_clear_with_all_below_but_only_outermost() {
    let asked = Asked::new(
        1,
        json!({"meta": {"a": ["x"], "b": {"c": "x"}}, "data": {"meta": "x", "sub": {"meta": ["x"]}}}),
    );
    let event = Event { clear: Clear { field: &|name| name == "meta", keys: &[] }, ..asked.event() };
    let reply = Reply::Empty;
    let lines = lines(|_| {}, &event, &ResponseEvent { answer: Ok(&reply), clear: Clear::NOTHING });
    let expected = json!({"meta": {"a": ["x"], "b": {"c": "x"}}, "data": {"meta": hash("x"), "sub": {"meta": [hash("x")]}}});
    assert_eq!(lines[0]["request"]["data"], expected);
}

#[test]
fn keys_of_the_mount_are_clear_at_any_depth_but_not_what_is_named_below() {
    let data = json!({"user": "x", "data": {"user": ["x", ["x"]], "other": "x"}, "deep": [{"user": "x"}]});
    let asked = Asked::new(1, data);
    let keys = ["user".to_owned()];
    let event = Event { clear: Clear { field: &|_| false, keys: &keys }, ..asked.event() };
    let reply = answered(json!({"user": {"password": "x", "user": "x"}}));
    let response = ResponseEvent { answer: Ok(&reply), clear: Clear { field: &|_| false, keys: &keys } };
    let lines = lines(|_| {}, &event, &response);
    let expected =
        json!({"user": "x", "data": {"user": ["x", ["x"]], "other": hash("x")}, "deep": [{"user": "x"}]});
    assert_eq!(lines[0]["request"]["data"], expected);
    assert_eq!(lines[1]["response"]["data"], json!({"user": {"password": hash("x"), "user": "x"}}));
}

#[test]
fn options_of_a_sink() {
    let asked = Asked::new(1, json!({"a": "x"}));
    let event = Event { operation: Operation::List, ..asked.event() };
    let reply = answered(json!({"keys": ["one", "two"], "key_info": {"one": {"x": "y"}}, "more": ["z"]}));
    let response = ResponseEvent { answer: Ok(&reply), clear: Clear::NOTHING };

    let [_, plain] = lines(|_| {}, &event, &response);
    assert_eq!(plain["response"]["data"]["keys"], json!([hash("one"), hash("two")]));
    assert_eq!(plain["auth"]["accessor"], hash(ACCESSOR));

    let [_, elided] = lines(|config| config.elide_list_responses = true, &event, &response);
    assert_eq!(elided["response"]["data"], json!({"keys": 2, "key_info": 1, "more": [hash("z")]}));
    let read = Event { operation: Operation::Read, ..asked.event() };
    let [_, not_a_list] = lines(|config| config.elide_list_responses = true, &read, &response);
    assert_eq!(not_a_list["response"]["data"]["keys"], json!([hash("one"), hash("two")]));

    let [request, _] = lines(|config| config.hmac_accessor = false, &event, &response);
    assert_eq!(request["auth"]["accessor"], ACCESSOR);
    assert_eq!(request["request"]["client_token_accessor"], ACCESSOR);
    assert_eq!(request["auth"]["client_token"], hash(TOKEN));

    let [request, response] = lines(|config| config.log_raw = true, &event, &response);
    assert_eq!(request["request"]["client_token"], TOKEN);
    assert_eq!(request["request"]["data"], json!({"a": "x"}));
    assert_eq!(response["response"]["data"]["keys"], json!(["one", "two"]));
}

#[test]
fn what_is_answered_is_in_the_second_line() {
    let asked = Asked::new(1, json!({}));
    let event = asked.event();
    let answer = |answer: Result<&Reply, &Refusal>| {
        lines(|_| {}, &event, &ResponseEvent { answer, clear: Clear::NOTHING })
    };

    let auth = AuthReply {
        client_token: Secret::copy_of(b"hvs.new"),
        accessor: "new accessor".into(),
        policies: vec!["p".into()],
        token_policies: vec!["p".into()],
        identity_policies: vec![],
        metadata: None,
        lease_duration: 60,
        renewable: true,
        entity_id: String::new(),
        token_type: "service",
        orphan: false,
        num_uses: 3,
    };
    let lease = LeaseReply { id: "database/creds/a/1".into(), duration: 60, renewable: true };
    let warnings = vec!["careful".into()];
    let logical = Logical { auth: Some(auth), lease: Some(lease), warnings, ..Logical::default() };
    let [_, line] = answer(Ok(&Reply::Logical(Box::new(logical))));
    let response = &line["response"];
    assert_eq!(response["auth"]["client_token"], hash("hvs.new"));
    assert_eq!(response["auth"]["accessor"], hash("new accessor"));
    assert_eq!((&response["auth"]["num_uses"], &response["auth"]["token_ttl"]), (&json!(3), &json!(60)));
    assert_eq!(response["secret"]["lease_id"], "database/creds/a/1");
    assert_eq!(response["warnings"], json!(["careful"]));
    assert_eq!(response["mount_point"], "secret/");
    assert!(response.get("data").is_none() && line.get("error").is_none());

    let [_, line] = answer(Ok(&Reply::Json { status: 200, body: json!({"k": "v"}) }));
    assert_eq!(line["response"]["data"], json!({"k": hash("v")}));
    let [_, line] = answer(Ok(&Reply::Json { status: 200, body: json!(["v"]) }));
    assert_eq!(line["response"]["data"], json!([hash("v")]));
    let [_, line] =
        answer(Ok(&Reply::Raw { status: 200, content_type: "text/plain", body: b"\xffsecret".to_vec() }));
    let raw = salt(1).hash(b"\xffsecret");
    let expected =
        json!({"http_content_type": hash("text/plain"), "http_raw_body": raw, "http_status_code": 200});
    assert_eq!(line["response"]["data"], expected);
    let stream = Reply::Stream(Stream::new("text/plain", Silence));
    let [_, line] = answer(Ok(&stream.with_headers(vec![("a", "b".into())])));
    assert_eq!(
        line["response"]["data"],
        json!({"http_content_type": hash("text/plain"), "http_stream": true})
    );

    let refusal = Refusal::denied().with_data(json!({"k": "v"}).as_object().unwrap().clone());
    let [_, line] = answer(Err(&refusal));
    assert_eq!(line["error"], "permission denied");
    assert_eq!(line["response"]["data"], json!({"k": hash("v")}));
}

#[test]
fn a_refused_request_nobody_and_headers() {
    let event = Event {
        namespace: Namespace { id: "x7Yz1", path: "team/" },
        remote: Some((std::net::Ipv6Addr::LOCALHOST.into(), 1)),
        wrap_ttl: Some(60),
        headers: &[
            Header { name: "x-clear", value: "seen", hashed: false },
            Header { name: "x-hashed", value: "unseen", hashed: true },
        ],
        error: Some("1 error occurred:\n\t* permission denied\n\n"),
        ..Event::new(RequestId([1; 16]), Operation::Read, "nowhere/\"at\"\\all")
    };
    let refusal = Refusal::denied();
    let [request, response] =
        lines(|_| {}, &event, &ResponseEvent { answer: Err(&refusal), clear: Clear::NOTHING });
    assert_eq!(request["error"], "1 error occurred:\n\t* permission denied\n\n");
    assert!(request.get("auth").is_none());
    let expected = json!({
        "id": RequestId([1; 16]).to_string(), "operation": "read", "namespace": {"id": "x7Yz1", "path": "team/"},
        "path": "nowhere/\"at\"\\all", "remote_address": "::1", "remote_port": 1, "wrap_ttl": 60,
        "headers": {"x-clear": ["seen"], "x-hashed": [hash("unseen")]},
    });
    assert_eq!(request["request"], expected);
    assert_eq!(response["request"], expected);
    assert_eq!(response["error"], "permission denied");

    let event = Event { error: Some("not found"), ..event };
    let [_, response] =
        lines(|_| {}, &event, &ResponseEvent { answer: Err(&Refusal::not_found()), clear: Clear::NOTHING });
    assert_eq!(response["error"], "not found");
}

#[test]
fn numbers_stay_as_they_were_written() {
    let sink = sink();
    let broker = broker(&[&sink]);
    let data: Value =
        serde_json::from_str(r#"{"big":123456789012345678901234567890,"one":1.0,"e":1e400}"#).unwrap();
    broker.before(&Asked::new(1, data).event()).unwrap();
    assert!(
        sink.lines()[0].contains(r#""data":{"big":123456789012345678901234567890,"e":1e+400,"one":1.0}"#)
    );
}
