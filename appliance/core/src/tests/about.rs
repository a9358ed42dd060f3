//! What the server tells of itself: metrics, requests under way, kinds, the machine.

use serde_json::{Value, json};
use strongroom_audit::testing::Mood;
use strongroom_types::error::Kind;
use strongroom_types::{Operation, Reply};

use crate::testing::{Rig, request};

/// The metrics as Prometheus gets them.
async fn text(rig: &Rig) -> String {
    let asked = request(Operation::Read, "sys/metrics?format=prometheus", &rig.root, None);
    match rig.core.handle(asked).await {
        Ok(Reply::Raw { body, content_type, .. }) => {
            assert!(content_type.starts_with("text/plain"));
            String::from_utf8(body).unwrap()
        }
        _ => panic!("no text"),
    }
}

fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.split_once(' ').is_some_and(|(found, _)| found == name));
    line.unwrap_or_else(|| panic!("no {name}:\n{text}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_under_the_names_that_dashboards_know() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/me", &rig.root, json!({"token_policies": "default"})).await.unwrap();
    let before = text(&rig).await;
    for _ in 0..10 {
        rig.get("toy/a", &rig.root).await.unwrap_err();
    }
    rig.put("toy/a", &rig.root, json!({"b": 1})).await.unwrap();
    for word in ["open", "wrong"] {
        let _ = rig.put("auth/door/login/me", "", json!({ "word": word })).await;
    }
    rig.put("sys/quotas/rate-limit/q", &rig.root, json!({"path": "toy", "rate": 1, "interval": 60}))
        .await
        .unwrap();
    for _ in 0..3 {
        let _ = rig.get("toy/a", &rig.root).await;
    }
    let after = text(&rig).await;
    let grown = |name: &str| value(&after, name) - value(&before, name);
    // The metrics themselves, ten, the write, the quota, three.
    assert!((grown("vault_core_handle_request_count") - 16.0).abs() < 0.1, "{after}");
    assert!((grown("vault_core_handle_login_request_count") - 2.0).abs() < 0.1);
    assert!((grown("vault_quota_rate_limit_violation") - 2.0).abs() < 0.1);
    assert!((grown("vault_audit_log_request_count") - 18.0).abs() < 0.1);
    assert!((grown("vault_audit_log_response_count") - 18.0).abs() < 0.1);
    assert!((value(&after, "vault_core_in_flight_requests") - 1.0).abs() < 0.1, "this one");
    let cluster = rig.get("sys/health", "").await.unwrap()["cluster_name"].as_str().unwrap().to_owned();
    let of = |name: &str, more: &str| value(&after, &format!("{name}{{cluster=\"{cluster}\"{more}}}"));
    assert!((of("vault_core_unsealed", "") - 1.0).abs() < 0.1);
    assert!((of("vault_core_mount_table_num_entries", ",type=\"auth\",local=\"false\"") - 1.0).abs() < 0.1);
    assert!(value(&after, "process_resident_memory_bytes") > 1e6);
    // As JSON, the same.
    let all = rig.get("sys/metrics", &rig.root).await.unwrap();
    let named = |list: &str, name: &str| -> Value {
        all[list].as_array().unwrap().iter().find(|one| one["Name"] == name).cloned().unwrap()
    };
    assert_eq!(named("Gauges", "vault.core.unsealed")["Value"], json!(1.0));
    assert_eq!(named("Counters", "vault.quota.rate_limit.violation")["Count"], 2);
    assert_eq!(named("Samples", "vault.core.handle_login_request")["Count"], 2);
}

#[tokio::test]
async fn a_line_that_no_sink_takes_is_counted() {
    let rig = Rig::new().await;
    rig.sink.set(Mood::Refusing);
    rig.get("sys/mounts", &rig.root).await.unwrap_err();
    rig.sink.set(Mood::Well);
    let text = text(&rig).await;
    assert!((value(&text, "vault_audit_log_request_failure") - 1.0).abs() < 0.1);
    assert!(value(&text, "vault_audit_log_response_failure").abs() < 0.1);
}

#[tokio::test]
async fn c20_no_path_no_name_and_no_token_is_in_the_metrics() {
    let rig = Rig::new().await;
    const CANARY: &str = "canary-of-the-metrics";
    rig.put(&format!("sys/mounts/{CANARY}"), &rig.root, json!({"type": "toy"})).await.unwrap();
    rig.put(&format!("{CANARY}/{CANARY}"), &rig.root, json!({ CANARY: CANARY })).await.unwrap();
    rig.put(
        &format!("sys/policies/acl/{CANARY}"),
        &rig.root,
        json!({"policy": format!("path \"{CANARY}\" {{ capabilities = [\"read\"] }}")}),
    )
    .await
    .unwrap();
    rig.put(&format!("sys/quotas/rate-limit/{CANARY}"), &rig.root, json!({"path": CANARY, "rate": 1}))
        .await
        .unwrap();
    for _ in 0..3 {
        let _ = rig.get(&format!("{CANARY}/{CANARY}"), &rig.root).await;
    }
    let shown = format!("{}{}", text(&rig).await, rig.get("sys/metrics", &rig.root).await.unwrap());
    assert!(!shown.contains(CANARY) && !shown.contains(&rig.root), "{shown}");
}

#[tokio::test]
async fn requests_under_way_are_shown_and_forgotten() {
    let rig = Rig::new().await;
    for _ in 0..5 {
        rig.get("sys/mounts", &rig.root).await.unwrap();
    }
    let shown = rig.get("sys/in-flight-req", &rig.root).await.unwrap()["data"].clone();
    let all: Vec<&Value> = shown.as_object().unwrap().values().collect();
    assert_eq!(all.len(), 1, "only this one: {shown}");
    assert_eq!(all[0]["request_path"], "/v1/sys/in-flight-req");
    assert_eq!(all[0]["request_method"], "read");
    assert!(!shown.to_string().contains(&rig.root));
    let weak = rig.allowed(r#"path "sys/*" { capabilities = ["read"] }"#).await;
    for path in ["sys/in-flight-req", "sys/host-info"] {
        assert_eq!(rig.get(path, &weak).await.unwrap_err().0, Kind::Denied, "{path} tells of others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_of_what_there_is() {
    let rig = Rig::new().await;
    let tokens = async || {
        let shown = rig.get("sys/internal/counters/tokens", &rig.root).await.unwrap();
        shown["data"]["counters"]["service_tokens"]["total"].as_u64().unwrap()
    };
    let before = tokens().await;
    for _ in 0..3 {
        rig.token(json!({"ttl": "1h"})).await;
    }
    rig.token(json!({"type": "batch", "policies": ["default"], "ttl": "1h"})).await;
    assert_eq!(tokens().await, before + 3);
    let requests = rig.get("sys/internal/counters/requests", &rig.root).await.unwrap();
    assert!(requests["data"]["counters"][0]["total"].as_u64().unwrap() >= 6, "{requests}");
}

#[tokio::test]
async fn cve_2026_105816_the_catalogue_shows_what_is_built_in_and_takes_nothing() {
    let rig = Rig::new().await;
    let all = rig.get("sys/plugins/catalog", &rig.root).await.unwrap();
    assert_eq!(all["data"]["auth"], json!(["door", "token"]));
    assert_eq!(
        rig.list("sys/plugins/catalog/secret", &rig.root).await.unwrap()["data"]["keys"],
        all["data"]["secret"]
    );
    assert_eq!(rig.get("sys/plugins/catalog/secret/toy", &rig.root).await.unwrap()["data"]["builtin"], true);
    assert_eq!(rig.get("sys/plugins/catalog/auth/toy", &rig.root).await.unwrap_err().0, Kind::NotFound);
    for (path, body) in [
        ("sys/plugins/catalog/secret/mine", json!({"command": "/bin/sh", "sha256": "00"})),
        ("sys/plugins/catalog/secret/toy", json!({"command": "/bin/sh", "sha256": "00"})),
        ("sys/plugins/catalog/other/toy", json!({"command": "x"})),
        ("sys/plugins/catalog/secret/mine", json!({})),
        ("sys/plugins/reload/backend", json!({"plugin": "toy"})),
        ("sys/plugins/reload/backend", json!({})),
        ("sys/config/reload/license", json!({})),
    ] {
        assert_eq!(rig.put(path, &rig.root, body).await.unwrap_err().0, Kind::BadRequest, "{path}");
    }
    assert_eq!(rig.get("sys/plugins/catalog", &rig.root).await.unwrap()["data"], all["data"]);
}

#[tokio::test]
async fn the_state_is_told_without_files_and_secrets() {
    let rig = Rig::new().await;
    let shown = rig.get("sys/config/state/sanitized", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(shown["storage"], json!({"type": "inmem"}));
    assert_eq!(shown["seals"][0]["type"], "shamir");
    assert_eq!(shown["log_level"], "info");
    let replication = rig.get("sys/replication/status", &rig.root).await.unwrap();
    assert_eq!(replication["data"]["dr"]["mode"], "disabled");
    let machine = rig.get("sys/host-info", &rig.root).await.unwrap()["data"].clone();
    assert!(machine["memory"]["total"].as_u64().unwrap() > 0);
    assert!(!machine["disk"].as_array().unwrap().is_empty());
}
