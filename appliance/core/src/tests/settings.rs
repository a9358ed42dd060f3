//! `sys/config/` and `sys/loggers`: settings that are stored, refused where they could do harm, and followed at once.

use serde_json::{Value, json};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::testing::{Rig, ask, request};

const CORS: &str = "sys/config/cors";
const UI: &str = "sys/config/ui/headers";
const AUDITED: &str = "sys/config/auditing/request-headers";

#[tokio::test]
async fn rules_count_from_the_commit_and_again_after_a_restart() {
    let mut rig = Rig::new().await;
    assert!(rig.core.response_rules().cors.is_none());
    let wish = json!({"allowed_origins": "https://a.example", "allowed_headers": ["X-Own", "x-vault-token"]});
    rig.put(CORS, &rig.root, wish).await.unwrap();
    rig.put(&format!("{UI}/x-frame-options"), &rig.root, json!({"values": ["DENY"]})).await.unwrap();
    rig.put(&format!("{AUDITED}/X-Request-Id"), &rig.root, json!({"hmac": "true"})).await.unwrap();
    for _ in 0..2 {
        let rules = rig.core.response_rules();
        let cors = rules.cors.clone().unwrap();
        assert_eq!(cors.origins, ["https://a.example"]);
        assert!(
            cors.headers.contains(&"X-Own".to_owned()) && cors.headers.contains(&"X-Vault-Token".to_owned())
        );
        let tokens = cors.headers.iter().filter(|name| name.eq_ignore_ascii_case("x-vault-token")).count();
        assert_eq!(tokens, 1, "{:?}", cors.headers);
        assert_eq!(rules.ui_headers, [("X-Frame-Options".to_owned(), vec!["DENY".to_owned()])]);
        assert_eq!(rules.audit_headers, [("x-request-id".to_owned(), true)]);
        rig.restart();
        assert!(rig.core.response_rules().cors.is_none(), "a sealed server has no rules");
        rig.unseal().await;
    }
    rig.delete(CORS, &rig.root).await.unwrap();
    rig.delete(&format!("{UI}/X-Frame-Options"), &rig.root).await.unwrap();
    rig.delete(&format!("{AUDITED}/x-request-id"), &rig.root).await.unwrap();
    let rules = rig.core.response_rules();
    assert!(rules.cors.is_none() && rules.ui_headers.is_empty() && rules.audit_headers.is_empty());
}

#[tokio::test]
async fn c3_no_origin_that_anybody_can_send_and_no_credentials_for_everybody() {
    let rig = Rig::new().await;
    for wish in [
        json!({}),
        json!({"allowed_origins": ["null"]}),
        json!({"allowed_origins": ["https://a.example/", "https://b.example"]}),
        json!({"allowed_origins": ["*", "https://b.example"]}),
        json!({"allowed_origins": "*", "allow_credentials": true}),
        json!({"allowed_origins": "https://a.example\r\nX: y"}),
        json!({"allowed_origins": "*", "allowed_headers": ["a b"]}),
        json!({"allowed_origins": "*", "allowed_headers": ["a\r\nSet-Cookie: b"]}),
    ] {
        let (kind, text) = rig.put(CORS, &rig.root, wish.clone()).await.unwrap_err();
        assert_eq!(kind, Kind::BadRequest, "{wish}: {text}");
    }
    assert!(rig.core.response_rules().cors.is_none());
    rig.put(CORS, &rig.root, json!({"allowed_origins": "*"})).await.unwrap();
    rig.put(CORS, &rig.root, json!({"allowed_origins": "*", "enable": false})).await.unwrap();
    assert!(rig.core.response_rules().cors.is_none());
}

#[tokio::test]
async fn c22_no_header_of_an_answer_frames_it_or_splits_it() {
    let rig = Rig::new().await;
    for (name, values) in [
        ("Transfer-Encoding", json!(["chunked"])),
        ("content-length", json!(["1"])),
        ("Set-Cookie", json!(["a=b"])),
        ("X-Vault-Token", json!(["x"])),
        ("a b", json!(["x"])),
        ("X-Ok", json!(["a\r\nSet-Cookie: b"])),
        ("X-Ok", json!(["\u{e9}"])),
        ("X-Ok", json!([])),
    ] {
        let path = format!("{UI}/{name}").replace(' ', "%20");
        let refused = rig.put(&path, &rig.root, json!({ "values": values })).await.unwrap_err();
        assert_eq!(refused.0, Kind::BadRequest, "{name}: {refused:?}");
    }
    assert!(rig.core.response_rules().ui_headers.is_empty());
}

#[tokio::test]
async fn c20_a_header_that_holds_a_secret_is_never_put_into_the_log() {
    let rig = Rig::new().await;
    for name in ["X-Vault-Token", "authorization", "Cookie", "Proxy-Authorization"] {
        for hmac in [true, false] {
            let wish = json!({ "hmac": hmac });
            let refused = rig.put(&format!("{AUDITED}/{name}"), &rig.root, wish).await.unwrap_err();
            assert_eq!(refused.0, Kind::BadRequest, "{name}");
        }
    }
    assert!(rig.core.response_rules().audit_headers.is_empty());
}

#[tokio::test]
async fn a_header_that_was_asked_for_is_in_the_log_in_clear_or_hashed_and_no_other_is() {
    let rig = Rig::new().await;
    rig.put(&format!("{AUDITED}/x-clear"), &rig.root, json!({"hmac": false})).await.unwrap();
    rig.put(&format!("{AUDITED}/x-hashed"), &rig.root, json!({"hmac": true})).await.unwrap();
    assert!(rig.core.audited_headers().is_some());
    let mut asked = request(Operation::Read, "sys/mounts", &rig.root, None);
    for name in ["x-clear", "x-hashed", "x-other"] {
        asked.head.headers.push((name.to_owned(), "canary-value".to_owned()));
    }
    ask(&rig.core, asked).await.unwrap();
    let lines = rig.lines();
    let headers = &lines.iter().rev().find(|line| line["type"] == "request").unwrap()["request"]["headers"];
    assert_eq!(headers["x-clear"], json!(["canary-value"]));
    assert!(headers["x-hashed"].to_string().contains("hmac-sha256:"), "{headers}");
    assert!(headers["x-other"].is_null() && headers.to_string().matches("canary-value").count() == 1);
}

#[tokio::test]
async fn levels_are_set_and_go_back_to_that_of_the_configuration() {
    let rig = Rig::new().await;
    let levels = async || rig.get("sys/loggers", &rig.root).await.unwrap()["data"].clone();
    let before = levels().await;
    let all = |level: &str| -> Value {
        before.as_object().unwrap().keys().map(|name| (name.clone(), Value::from(level))).collect()
    };
    rig.put("sys/loggers", &rig.root, json!({"level": "warning"})).await.unwrap();
    assert_eq!(levels().await, all("warn"));
    rig.put("sys/loggers/audit", &rig.root, json!({"level": "trace"})).await.unwrap();
    let one = rig.get("sys/loggers/audit", &rig.root).await.unwrap();
    assert_eq!(one["data"], json!({"audit": "trace"}));
    rig.delete("sys/loggers/audit", &rig.root).await.unwrap();
    assert_eq!(levels().await["audit"], "info");
    for (path, body) in [("sys/loggers/none", "info"), ("sys/loggers/core", "loud"), ("sys/loggers", "")] {
        let refused = rig.put(path, &rig.root, json!({ "level": body })).await.unwrap_err();
        assert_eq!(refused.0, Kind::BadRequest, "{path} {body}");
    }
    rig.delete("sys/loggers", &rig.root).await.unwrap();
    assert_eq!(levels().await, all("info"));
    crate::log::set_level(crate::log::Level::Error);
    assert_eq!(levels().await, all("error"));
    crate::log::set_level(crate::log::Level::Info);
}
