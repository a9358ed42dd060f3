use http_body_util::BodyExt;
use serde_json::json;
use strongroom_types::{Secret, Timestamp};

use super::*;

fn asked(method: Method) -> Asked {
    Asked { id: RequestId([0x11; 16]), method, namespace: None, secure: true }
}

const ID: &str = "11111111-1111-1111-1111-111111111111";

fn answer_to(asked: Asked, answer: Result<Reply, Refusal>) -> (u16, HeaderMap, String) {
    let response = render(asked, answer);
    let (parts, body) = response.into_parts();
    let Either::Left(body) = body else { panic!("a stream") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = runtime.block_on(body.collect()).unwrap().to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

fn answer(answer: Result<Reply, Refusal>) -> (u16, String) {
    let (status, _, body) = answer_to(asked(Method::GET), answer);
    (status, body)
}

#[test]
fn the_envelope_has_all_keys_in_order() {
    let reply = Reply::data(json!({ "x": "1" })).with_warning("careful");
    let expected = format!(
        "{{\"request_id\":\"{ID}\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\
         \"data\":{{\"x\":\"1\"}},\"wrap_info\":null,\"warnings\":[\"careful\"],\"auth\":null}}\n"
    );
    assert_eq!(answer(Ok(reply)), (200, expected));
}

#[test]
fn no_data_is_null_and_a_lease_shows() {
    let lease = LeaseReply { id: "l/1".into(), duration: 2_764_800, renewable: true };
    let reply =
        Reply::Logical(Box::new(Logical { lease: Some(lease), status: Some(202), ..Logical::default() }));
    let (status, body) = answer(Ok(reply));
    assert_eq!(status, 202);
    assert!(
        body.contains("\"lease_id\":\"l/1\",\"renewable\":true,\"lease_duration\":2764800,\"data\":null,")
    );
}

#[test]
fn an_auth_block_omits_empty_policies_only() {
    let auth = AuthReply {
        client_token: Secret::copy_of(b"hvs.\"x"),
        accessor: "acc".into(),
        policies: vec!["default".into()],
        token_policies: vec!["default".into()],
        identity_policies: vec![],
        metadata: None,
        lease_duration: 3600,
        renewable: true,
        entity_id: String::new(),
        token_type: "service",
        orphan: true,
        num_uses: 0,
    };
    let reply = Reply::Logical(Box::new(Logical { auth: Some(auth), ..Logical::default() }));
    let (_, body) = answer(Ok(reply));
    let expected = "\"auth\":{\"client_token\":\"hvs.\\\"x\",\"accessor\":\"acc\",\"policies\":[\"default\"],\
                    \"token_policies\":[\"default\"],\"metadata\":null,\"lease_duration\":3600,\"renewable\":true,\
                    \"entity_id\":\"\",\"token_type\":\"service\",\"orphan\":true,\"mfa_requirement\":null,\"num_uses\":0}}";
    assert!(body.contains(expected), "{body}");
    serde_json::from_str::<Value>(&body).unwrap();
}

#[test]
fn a_wrapped_answer_says_where_it_is_and_nothing_else() {
    let wrap = WrapReply {
        token: Secret::copy_of(b"hvs.x"),
        accessor: "acc".into(),
        ttl: 100,
        created: Timestamp::from_secs(1_700_000_000),
        path: "a/b".into(),
        wrapped_accessor: None,
    };
    let (_, body) = answer(Ok(Reply::Logical(Box::new(Logical { wrap: Some(wrap), ..Logical::default() }))));
    assert_eq!(
        body,
        "{\"request_id\":\"\",\"lease_id\":\"\",\"renewable\":false,\"lease_duration\":0,\"data\":null,\
         \"wrap_info\":{\"token\":\"hvs.x\",\"accessor\":\"acc\",\"ttl\":100,\
         \"creation_time\":\"2023-11-14T22:13:20Z\",\"creation_path\":\"a/b\"},\"warnings\":null,\"auth\":null}\n"
    );
    // Unwrapped, it has the id of the request that it first was the answer to.
    let first_id = Some(RequestId([9; 16]));
    let (_, body) = answer(Ok(Reply::Logical(Box::new(Logical { first_id, ..Logical::default() }))));
    assert!(body.starts_with("{\"request_id\":\"09090909-0909-0909-0909-090909090909\""), "{body}");
}

#[test]
fn data_is_copied_to_the_top_but_never_over_the_envelope() {
    let (_, body) = answer(Ok(Reply::data_at_top(json!({ "keys": ["a"], "data": 1, "auth": 2 }))));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["keys"], json!(["a"]));
    assert_eq!(body["data"]["keys"], json!(["a"]));
    assert_eq!(body["data"]["data"], json!(1));
    assert_eq!(body["auth"], Value::Null);
}

#[test]
fn big_integers_and_odd_numbers_leave_as_they_came() {
    let data: Value = serde_json::from_str("{\"f\":1.0,\"n\":9007199254740993}").unwrap();
    let (_, body) = answer(Ok(Reply::data(data)));
    assert!(body.contains("\"data\":{\"f\":1.0,\"n\":9007199254740993}"), "{body}");
}

#[test]
fn each_kind_has_its_status() {
    for (kind, status) in [
        (Kind::BadRequest, 400),
        (Kind::Denied, 403),
        (Kind::NotFound, 404),
        (Kind::Unsupported, 405),
        (Kind::Precondition, 412),
        (Kind::TooLarge, 413),
        (Kind::MediaType, 415),
        (Kind::TooMany, 429),
        (Kind::HeaderTooLarge, 431),
        (Kind::Internal, 500),
        (Kind::Uninitialised, 501),
        (Kind::Sealed, 503),
        (Kind::Unavailable, 503),
        (Kind::NoSpace, 507),
    ] {
        assert_eq!(answer(Err(Refusal::new(kind, "why"))), (status, "{\"errors\":[\"why\"]}\n".into()));
    }
    assert_eq!(answer(Err(Refusal::not_found())), (404, "{\"errors\":[]}\n".into()));
}

#[test]
fn a_refusal_with_data_keeps_both() {
    let data = || json!({ "version": 2 }).as_object().cloned().unwrap();
    let (status, body) = answer(Err(Refusal::bad_request("partly").with_data(data())));
    assert_eq!((status, body.as_str()), (400, "{\"errors\":[\"partly\"],\"data\":{\"version\":2}}\n"));
    let (status, body) = answer(Err(Refusal::not_found().with_data(data())));
    assert_eq!(status, 404);
    assert!(body.starts_with(&format!("{{\"request_id\":\"{ID}\",")), "{body}");
    assert!(body.contains("\"data\":{\"version\":2},") && !body.contains("errors"));
}

#[test]
fn the_headers_of_every_answer() {
    let (status, headers, body) = answer_to(asked(Method::POST), Ok(Reply::Empty));
    assert_eq!((status, body.as_str()), (204, ""));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["strict-transport-security"], "max-age=31536000; includeSubDomains");
    assert!(!headers.contains_key("content-length") && !headers.contains_key("x-vault-namespace"));
    let namespace = Some(HeaderValue::from_static("root"));
    let asked = Asked { namespace, secure: false, ..asked(Method::GET) };
    let (_, headers, _) = answer_to(asked, Err(Refusal::new(Kind::TooMany, "later")));
    assert_eq!(headers["x-vault-namespace"], "root");
    assert_eq!(headers["retry-after"], "1");
    assert!(!headers.contains_key("strict-transport-security"), "plain HTTP promises nothing");
}

#[test]
fn a_head_has_a_length_and_no_body_and_a_patch_of_nothing_is_empty() {
    let (status, headers, body) =
        answer_to(asked(Method::HEAD), Ok(Reply::Json { status: 503, body: json!({}) }));
    assert_eq!(
        (status, body.as_str(), &headers["content-length"]),
        (503, "", &HeaderValue::from_static("3"))
    );
    let (status, _, body) = answer_to(asked(Method::PATCH), Err(Refusal::not_found()));
    assert_eq!((status, body.as_str()), (404, ""));
}

#[test]
fn what_may_have_no_content_has_none() {
    for status in [204, 205, 304] {
        for method in [Method::GET, Method::HEAD] {
            let reply = Reply::Json { status, body: json!({ "a": 1 }) };
            let (seen, headers, body) = answer_to(asked(method), Ok(reply));
            assert_eq!((seen, body.as_str()), (status, ""));
            assert!(!headers.contains_key("content-length"));
        }
    }
    assert_eq!(answer(Ok(Reply::Json { status: 101, body: json!(1) })).0, 500);
}

#[test]
fn raw_answers_go_out_as_they_are() {
    let reply = Reply::Raw { status: 200, content_type: "text/plain", body: b"abc".to_vec() };
    let (status, headers, body) = answer_to(asked(Method::GET), Ok(reply));
    assert_eq!((status, body.as_str()), (200, "abc"));
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(answer(Ok(Reply::Json { status: 9999, body: json!(1) })).0, 500);
}
