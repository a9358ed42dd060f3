//! How long tokens live: no longer than any limit, any ancestor, or the time itself says.

use serde_json::{Value, json};
use strongroom_types::Clock;
use strongroom_types::error::Kind;

use crate::testing::{Rig, START};

async fn token_of(rig: &Rig, maker: &str, wish: Value) -> String {
    let made = rig.put("auth/token/create", maker, wish).await.unwrap();
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn part_of_a_second_is_no_unlimited_life() {
    let rig = Rig::new().await;
    let token = token_of(&rig, &rig.root, json!({"policies": ["default"], "ttl": "500ms"})).await;
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap()["data"]["creation_ttl"], 1);
    let wish = json!({"policies": ["default"], "ttl": "1h", "explicit_max_ttl": "500ms"});
    let token = token_of(&rig, &rig.root, wish).await;
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap()["data"]["explicit_max_ttl"], 1);
    rig.clock.advance(2);
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Denied);
    for refused in [json!({"ttl": "-500ms"}), json!({"explicit_max_ttl": "-1ms"})] {
        let made = rig.put("auth/token/create", &rig.root, refused.clone()).await;
        assert_eq!(made.unwrap_err().0, Kind::BadRequest, "{refused}");
    }
    rig.mount().await;
    rig.put("sys/mounts/toy/tune", &rig.root, json!({"max_lease_ttl": "500ms", "default_lease_ttl": "1ms"}))
        .await
        .unwrap();
    let tuned = rig.get("sys/mounts/toy/tune", &rig.root).await.unwrap();
    assert_eq!(
        (&tuned["data"]["max_lease_ttl"], &tuned["data"]["default_lease_ttl"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_with_a_maximum_of_its_own_stays_below_the_systems() {
    let rig = Rig::new().await;
    let most = crate::Settings::default().max_lease_ttl;
    let wish = json!({"policies": ["default"], "period": 4 * most, "explicit_max_ttl": 3 * most});
    let token = token_of(&rig, &rig.root, wish).await;
    let renewed = rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], most);
    // Once its own maximum is nearer than that, it counts.
    for lived in [most - 1, most - 1, most / 2] {
        rig.clock.advance(lived);
        rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    }
    let left = START.secs() + 3 * most - rig.clock.now().secs();
    let renewed = rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], left);
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_descendant_ends_in_the_moment_in_which_an_ancestor_does() {
    let rig = Rig::new().await;
    let parent = rig.allowed(r#"path "auth/token/create" { capabilities = ["update"] }"#).await;
    let child = token_of(&rig, &parent, json!({"ttl": "5h"})).await;
    let grandchild = token_of(&rig, &child, json!({"ttl": "5h"})).await;
    let batch = token_of(&rig, &child, json!({"ttl": "5h", "type": "batch"})).await;
    rig.clock.advance(3599);
    for token in [&child, &grandchild, &batch] {
        rig.get("auth/token/lookup-self", token).await.unwrap();
    }
    // No sweep runs here.
    rig.clock.advance(1);
    for token in [&parent, &child, &grandchild, &batch] {
        assert_eq!(rig.get("auth/token/lookup-self", token).await.unwrap_err().0, Kind::Denied);
    }
    assert_eq!(
        rig.put("auth/token/renew", &rig.root, json!({ "token": grandchild })).await.unwrap_err().0,
        Kind::BadRequest
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_late_descendant_of_a_large_family_ends_with_it() {
    let rig = Rig::new().await;
    let parent = rig.allowed(r#"path "auth/token/create" { capabilities = ["update"] }"#).await;
    let mut children = Vec::new();
    for _ in 0..503 {
        children.push(token_of(&rig, &parent, json!({"ttl": "1h"})).await);
    }
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    for child in &children {
        assert_eq!(rig.get("auth/token/lookup-self", child).await.unwrap_err().0, Kind::Denied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_only_so_deep() {
    let rig = Rig::new().await;
    rig.allowed(r#"path "auth/token/*" { capabilities = ["update", "sudo"] }"#).await;
    let mut token = rig.token(json!({"policies": ["test"], "ttl": "1h"})).await;
    for _ in 0..63 {
        token = token_of(&rig, &token, json!({"ttl": "1h"})).await;
    }
    rig.get("auth/token/lookup-self", &token).await.unwrap();
    for wish in [json!({"ttl": "1h"}), json!({"ttl": "1h", "type": "batch"})] {
        let (kind, text) = rig.put("auth/token/create", &token, wish).await.unwrap_err();
        assert!(kind == Kind::BadRequest && text.contains("ancestors"), "{text}");
    }
    rig.put("auth/token/create-orphan", &token, json!({"ttl": "1h"})).await.unwrap();
}
