//! What has ended is removed.

use std::sync::Arc;

use serde_json::json;
use strongroom_barrier::Name;
use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::id::NamespaceId;

use crate::active::Active;
use crate::leases;
use crate::lifecycle::State;
use crate::sweep::{Swept, sweep};
use crate::testing::Rig;

pub fn active(rig: &Rig) -> Arc<Active> {
    match &*rig.core.state() {
        State::Active(active) => active.clone(),
        _ => panic!("sealed"),
    }
}

pub async fn sweep_all(active: &Arc<Active>) -> usize {
    let mut slices = 1;
    let slice = async || {
        let leases = leases::work::look(active).await.unwrap();
        let others = sweep(active).await.unwrap();
        leases == Swept::Some || others == Swept::Some
    };
    while slice().await {
        slices += 1;
        assert!(slices < 1000);
    }
    slices
}

/// How many records there are in a view.
pub fn records(active: &Active, view: &strongroom_barrier::View) -> usize {
    let mut count = 0;
    let root = Name::new(Vec::<String>::new()).unwrap();
    let reader = view.at(active.snapshot().unwrap());
    reader
        .walk(&root, &mut |_| {
            count += 1;
            true
        })
        .unwrap();
    count
        + reader
            .due(
                strongroom_barrier::Minute::of(strongroom_types::Timestamp::from_nanos(i64::MAX)),
                None,
                100_000,
            )
            .unwrap()
            .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_tokens_go_with_their_trees() {
    let rig = Rig::new().await;
    let active = active(&rig);
    rig.put(
        "sys/policies/acl/maker",
        &rig.root,
        json!({"policy": r#"path "auth/token/create" { capabilities = ["update"] }"#}),
    )
    .await
    .unwrap();
    let before = records(&active, &active.tokens.view);
    for _ in 0..3 {
        let parent = rig.token(json!({"policies": ["maker"], "ttl": "10m"})).await;
        rig.put("cubbyhole/a", &parent, json!({"x": 1})).await.unwrap();
        rig.put("auth/token/create", &parent, json!({"ttl": "10h"})).await.unwrap();
    }
    let renewed = rig.token(json!({"policies": ["default"], "ttl": "10m"})).await;
    rig.put("auth/token/renew-self", &renewed, json!({"increment": "2h"})).await.unwrap();
    sweep_all(&active).await;
    rig.clock.advance(700);
    sweep_all(&active).await;
    rig.get("auth/token/lookup-self", &renewed).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": renewed })).await.unwrap();
    assert_eq!(records(&active, &active.tokens.view), before);
    assert_eq!(records(&active, &active.cubbyholes), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_family_ends_at_once_and_is_removed_in_slices() {
    let rig = Rig::new().await;
    let active = active(&rig);
    let parent = rig.allowed(r#"path "auth/token/create" { capabilities = ["update"] }"#).await;
    let before = records(&active, &active.tokens.view);
    let mut last = parent.clone();
    for number in 0..1100 {
        // A long chain first, then many children of the last one.
        let made = rig.put("auth/token/create", &last, json!({"ttl": "1h"})).await.unwrap();
        if number < 60 {
            last = made["auth"]["client_token"].as_str().unwrap().to_owned();
        }
    }
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    assert!(rig.get("auth/token/lookup-self", &parent).await.is_err());
    assert!(sweep_all(&active).await > 2);
    assert!(rig.get("auth/token/lookup-self", &last).await.is_err());
    // The parent was among those before.
    assert!(records(&active, &active.tokens.view) < before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slice_of_a_family_costs_the_same_however_large_the_family_is() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    let active = active(&rig);
    let mut costs = Vec::new();
    for children in [600, 2400] {
        let parent = rig.token(json!({"policies": ["root"], "ttl": "1h"})).await;
        for _ in 0..children {
            rig.put("auth/token/create", &parent, json!({"ttl": "1h"})).await.unwrap();
        }
        let key = active.tokens.key(&strongroom_types::Secret::copy_of(parent.as_bytes()));
        let snapshot = active.snapshot().unwrap();
        let mut left = 0;
        store.plan(|plan| plan.fail_after = Some(1_000_000));
        let slice = active.end_slice(&snapshot, &key, false).unwrap();
        store.plan(|plan| left = plan.fail_after.take().unwrap());
        assert!(!slice.whole);
        assert_eq!(slice.tokens.len(), 500);
        costs.push(1_000_000 - left);
    }
    assert!(costs[1] <= costs[0] + 10, "reads of the store: {costs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_children_outlive_a_parent_that_ends_alone_whenever_the_process_dies() {
    let mut rig = Rig::new().await;
    let before = records(&active(&rig), &active(&rig).tokens.view);
    let elder = rig.token(json!({"policies": ["root"], "ttl": "1h"})).await;
    let child_of = async |rig: &Rig, parent: &str| {
        let made = rig.put("auth/token/create", parent, json!({"ttl": "1h"})).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let parent = child_of(&rig, &elder).await;
    rig.put("cubbyhole/a", &parent, json!({"x": 1})).await.unwrap();
    let mut children = Vec::new();
    for _ in 0..1100 {
        children.push(child_of(&rig, &parent).await);
    }
    let batch = rig.put(
        "auth/token/create",
        &children[0],
        json!({"ttl": "1h", "type": "batch", "policies": ["default"]}),
    );
    let batch = batch.await.unwrap()["auth"]["client_token"].as_str().unwrap().to_owned();
    rig.put("auth/token/revoke-orphan", &rig.root, json!({ "token": parent })).await.unwrap();
    // Before the sweep, between its slices, after it, and after a restart at each of these; also when meanwhile the whole
    // family above is revoked.
    for round in 0..5 {
        assert!(rig.get("auth/token/lookup-self", &parent).await.is_err(), "{round}");
        for child in children.iter().step_by(100).chain([&batch]) {
            rig.get("auth/token/lookup-self", child).await.unwrap();
        }
        assert!(rig.put("auth/token/create", &parent, json!({"ttl": "1h"})).await.is_err(), "{round}");
        rig.restart();
        rig.unseal().await;
        if round == 1 {
            rig.put("auth/token/revoke", &rig.root, json!({ "token": elder })).await.unwrap();
        }
        if round > 0 {
            sweep(&active(&rig)).await.unwrap();
        }
    }
    sweep_all(&active(&rig)).await;
    for child in &children {
        let own = rig.get("auth/token/lookup-self", child).await.unwrap();
        assert_eq!(own["data"]["orphan"], true);
    }
    assert_eq!(records(&active(&rig), &active(&rig).cubbyholes), 0);
    // Of each child there are its record, the path that made it and when it ends.
    assert_eq!(records(&active(&rig), &active(&rig).tokens.view), before + 3 * children.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_42186_2020_7220_and_2019_18616_a_mount_that_is_gone_is_emptied() {
    let rig = Rig::new().await;
    let active = active(&rig);
    rig.mount().await;
    for number in 0..1200 {
        rig.put(&format!("toy/a/{number}"), &rig.root, json!({"x": 1})).await.unwrap();
    }
    let view = active.mounts.load().at("toy/").unwrap().view.clone();
    rig.delete("sys/mounts/toy", &rig.root).await.unwrap();
    assert_eq!(records(&active, &view), 1200);
    sweep_all(&active).await;
    assert_eq!(records(&active, &view), 0);
    // Its mark lingers for what was on its way to it, and then goes.
    let marks = || {
        active
            .system
            .at(active.snapshot().unwrap())
            .list(&Name::new(["doomed"]).unwrap(), None, None)
            .unwrap()
            .len()
    };
    assert_eq!(marks(), 1);
    rig.clock.advance(601);
    sweep_all(&active).await;
    assert_eq!(marks(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mount_that_cannot_be_swept_keeps_no_other_from_being_and_a_wrong_clock_keeps_all() {
    let rig = Rig::new().await;
    let active = active(&rig);
    for mount in ["a", "b"] {
        rig.put(&format!("sys/mounts/{mount}"), &rig.root, json!({"type": "toy"})).await.unwrap();
        rig.put(&format!("{mount}/old"), &rig.root, json!({"x": 1})).await.unwrap();
    }
    rig.put("a/broken", &rig.root, json!({"x": 1})).await.unwrap();
    let is_there = async |path: &str| rig.get(path, &rig.root).await.is_ok();
    rig.clock.advance(-3600);
    sweep_all(&active).await;
    assert!(is_there("a/old").await && is_there("b/old").await);
    rig.clock.advance(3600);
    sweep_all(&active).await;
    assert!(is_there("a/old").await && !is_there("b/old").await);
    rig.delete("a/broken", &rig.root).await.unwrap();
    sweep_all(&active).await;
    assert!(!is_there("a/old").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_cubbyhole_goes_in_slices_and_its_token_at_once() {
    let rig = Rig::new().await;
    let active = active(&rig);
    let token = rig.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    let before = records(&active, &active.tokens.view);
    for number in 0..5100 {
        rig.put(&format!("cubbyhole/{number}"), &token, json!({"x": 1})).await.unwrap();
    }
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    assert!(rig.get("auth/token/lookup-self", &token).await.is_err());
    assert!(sweep_all(&active).await > 1);
    assert_eq!(records(&active, &active.cubbyholes), 0);
    assert!(records(&active, &active.tokens.view) < before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_has_synced_is_no_longer_kept() {
    let rig = Rig::new().await;
    let active = active(&rig);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(rig.core.clone().run(stopped));
    rig.mount().await;
    for number in 0..50 {
        rig.put(&format!("toy/{number}"), &rig.root, json!({"x": 1})).await.unwrap();
    }
    let view = strongroom_barrier::View::new(&active.barrier, NamespaceId::ROOT, crate::active::OUTBOX);
    for _ in 0..1000 {
        if records(&active, &view) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(records(&active, &view), 0);
    stop.send(true).unwrap();
    running.await.unwrap();
    assert!(rig.core.is_sealed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_term_is_followed_by_a_new_one() {
    let rig = Rig::new().await;
    let active = active(&rig);
    let term = || active.barrier.key_status().term;
    let set = |body: serde_json::Value| rig.put("sys/rotate/config", &rig.root, body);
    for refused in [json!({"max_operations": 10}), json!({"interval": "1h"})] {
        assert!(set(refused).await.is_err());
    }
    set(json!({"interval": "48h"})).await.unwrap();
    assert_eq!(rig.get("sys/rotate/config", &rig.root).await.unwrap()["data"]["interval"], "48h0m0s");
    rig.clock.advance(47 * 3600);
    sweep_all(&active).await;
    assert_eq!(term(), 1);
    rig.clock.advance(3600);
    sweep_all(&active).await;
    sweep_all(&active).await;
    assert_eq!(term(), 2);
    set(json!({"enabled": false})).await.unwrap();
    rig.clock.advance(48 * 3600);
    sweep_all(&active).await;
    assert_eq!(term(), 2);
}
