//! What the server tells of itself: requests under way, kinds, the machine.

use serde_json::{Value, json};
use strongroom_types::error::Kind;

use super::sweep::active;
use crate::census;
use crate::testing::Rig;

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
    // Once they have been counted, nobody looks at all of them.
    census::count(&active(&rig)).unwrap();
    rig.token(json!({"ttl": "1h"})).await;
    assert_eq!(tokens().await, before + 4);
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
