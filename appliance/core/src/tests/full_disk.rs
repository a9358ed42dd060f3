//! A full disk keeps nobody from taking something away.

use serde_json::json;
use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::error::Kind;

use super::sweep::{active, records, sweep_all};
use crate::testing::Rig;

async fn rig() -> (Rig, std::sync::Arc<FaultyStore>) {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    (Rig::over(store.clone()).await, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_family_ends_on_a_full_disk() {
    let (rig, store) = rig().await;
    let active = active(&rig);
    let before = records(&active, &active.tokens.view);
    let parent = rig.token(json!({"policies": ["root"], "ttl": "1h"})).await;
    let mut child = String::new();
    for _ in 0..520 {
        let made = rig.put("auth/token/create", &parent, json!({"ttl": "1h"})).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().clone_into(&mut child);
    }
    store.plan(|plan| plan.full = true);
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    for token in [&parent, &child] {
        assert_eq!(rig.get("auth/token/lookup-self", token).await.unwrap_err().0, Kind::Denied);
    }
    sweep_all(&active).await;
    // What is left is the audit log's: no task of this test says that it is synced.
    assert_eq!(records(&active, &active.tokens.view), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_orphans_its_children_ends_on_a_full_disk() {
    let (rig, store) = rig().await;
    let parent = rig.token(json!({"policies": ["root"], "ttl": "1h"})).await;
    let mut child = String::new();
    for _ in 0..520 {
        let made = rig.put("auth/token/create", &parent, json!({"ttl": "1h"})).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().clone_into(&mut child);
    }
    store.plan(|plan| plan.full = true);
    rig.put("auth/token/revoke-orphan", &rig.root, json!({ "token": parent })).await.unwrap();
    for _ in 0..2 {
        assert!(rig.get("auth/token/lookup-self", &parent).await.is_err());
        rig.get("auth/token/lookup-self", &child).await.unwrap();
        sweep_all(&active(&rig)).await;
    }
    assert_eq!(rig.get("auth/token/lookup-self", &child).await.unwrap()["data"]["orphan"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_is_removed_on_a_full_disk_and_none_is_made() {
    let (rig, store) = rig().await;
    let active = active(&rig);
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let view = active.mounts.load().at("toy/").unwrap().view.clone();
    store.plan(|plan| plan.full = true);
    rig.delete("sys/mounts/toy", &rig.root).await.unwrap();
    sweep_all(&active).await;
    assert_eq!(records(&active, &view), 0);
    let again = rig.put("sys/mounts/toy", &rig.root, json!({"type": "toy"})).await;
    assert_eq!(again.unwrap_err().0, Kind::NoSpace);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_token_reads_and_deletes_on_a_full_disk_and_pays_for_it() {
    let (rig, store) = rig().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let token = rig.token(json!({"policies": ["root"], "num_uses": 4, "ttl": "1h"})).await;
    store.plan(|plan| plan.full = true);
    // What is not done is not paid for.
    for _ in 0..5 {
        let written = rig.put("toy/b", &token, json!({"x": 1})).await;
        assert_eq!(written.unwrap_err().0, Kind::NoSpace);
    }
    for _ in 0..2 {
        assert_eq!(rig.get("toy/a", &token).await.unwrap()["data"]["x"], 1);
    }
    rig.delete("toy/a", &token).await.unwrap();
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::NotFound);
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_reserve_is_used_up_deletes_go_on() {
    let (rig, store) = rig().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let token = rig.token(json!({"policies": ["root"], "num_uses": 2, "ttl": "1h"})).await;
    store.plan(|plan| plan.brimful = true);
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::NoSpace);
    assert_eq!(rig.delete("sys/mounts/toy", &rig.root).await.unwrap_err().0, Kind::NoSpace);
    rig.delete("toy/a", &rig.root).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Denied);
}
