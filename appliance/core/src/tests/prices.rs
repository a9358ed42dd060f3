//! What each request costs a token of limited uses.

use serde_json::{Map, json};
use strongroom_types::error::Kind;
use strongroom_types::{Operation, Received, Request};

use crate::testing::{Rig, ask, request};

async fn left(rig: &Rig, token: &str) -> u64 {
    let seen = rig.put("auth/token/lookup", &rig.root, json!({ "token": token })).await.unwrap();
    seen["data"]["num_uses"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_what_is_refused_for_its_path_or_its_size_costs_a_use_too() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put(
        "sys/policies/acl/all",
        &rig.root,
        json!({"policy": r#"path "toy/*" { capabilities = ["create", "update", "read"] }"#}),
    )
    .await
    .unwrap();
    let token = rig.token(json!({"policies": ["all"], "num_uses": 9, "ttl": "1h"})).await;
    // More texts than one line of the log may have.
    let many: Map<_, _> = (0..3000).map(|n| (format!("k{n}"), json!("v"))).collect();
    let before = rig.lines().len();
    assert_eq!(rig.put("toy/a", &token, many.clone().into()).await.unwrap_err().0, Kind::TooLarge);
    assert_eq!(left(&rig, &token).await, 8);
    let lines = &rig.lines()[before..];
    for (line, kind) in lines.iter().zip(["request", "response"]) {
        assert_eq!(line["type"], kind);
        assert!(line["error"].as_str().unwrap().contains("strings") && line["request"].get("data").is_none());
    }
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap_err().0, Kind::NotFound, "it was not done");
    // The same of a token that pays nothing.
    let before = rig.lines().len();
    assert_eq!(rig.put("toy/a", &rig.root, many.into()).await.unwrap_err().0, Kind::TooLarge);
    assert_eq!(rig.lines().len(), before + 2);
    // Paths that are none.
    for path in ["toy/a/", "toy/a%2fb"] {
        let before = left(&rig, &token).await;
        assert_eq!(rig.put(path, &token, json!({"x": 1})).await.unwrap_err().0, Kind::BadRequest, "{path}");
        assert_eq!(left(&rig, &token).await, before - 1, "{path}");
    }
    assert_eq!(rig.get("toy/a%2fb", &token).await.unwrap_err().0, Kind::BadRequest);
    assert_eq!(left(&rig, &token).await, 5);
    // Whoever asks, and wherever they do, is told the same.
    assert_eq!(rig.put("other/a/", &token, json!({})).await.unwrap_err().0, Kind::BadRequest);
    assert_eq!(rig.put("toy/a/", "", json!({})).await.unwrap_err().0, Kind::BadRequest);
    let Request { mut head, stage } = request(Operation::Read, "toy/a", &token, None);
    head.namespace = "none".into();
    ask(&rig.core, Request { head, stage: Received { body: stage.body } }).await.unwrap_err();
    assert_eq!(left(&rig, &token).await, 3);
}
