//! Two requests that change the same thing: what the second one may is asked again, and it pays all the same.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::Operation;
use strongroom_types::error::Kind;
use tokio::task::JoinHandle;

use crate::testing::{Answer, Rig, ask, request};

/// A write that goes on beside the test.
fn write(rig: &Rig, path: &'static str, token: &str, body: Value) -> JoinHandle<Answer> {
    let (core, token) = (rig.core.clone(), token.to_owned());
    tokio::spawn(async move { ask(&core, request(Operation::Update, path, &token, Some(body))).await })
}

async fn held(store: &Arc<FaultyStore>, count: usize) {
    for _ in 0..10_000 {
        if store.held() == count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("{count} commits do not come");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_only_create_replaces_nothing_that_came_meanwhile() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    rig.mount().await;
    let creator = rig.allowed(r#"path "toy/*" { capabilities = ["create"] }"#).await;
    store.plan(|plan| plan.hold = true);
    let first = write(&rig, "toy/a", &creator, json!({"x": 1}));
    held(&store, 1).await;
    let second = write(&rig, "toy/a", &creator, json!({"x": 2}));
    held(&store, 2).await;
    store.plan(|plan| plan.hold = false);
    store.sync().await;
    first.await.unwrap().unwrap();
    assert_eq!(second.await.unwrap().unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap()["data"]["x"], 1);

    // Who may update as well simply comes second.
    store.plan(|plan| plan.hold = true);
    let first = write(&rig, "toy/b", &rig.root, json!({"x": 1}));
    held(&store, 1).await;
    let second = write(&rig, "toy/b", &rig.root, json!({"x": 2}));
    held(&store, 2).await;
    store.plan(|plan| plan.hold = false);
    store.sync().await;
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(rig.get("toy/b", &rig.root).await.unwrap()["data"]["x"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_whoever_is_refused_by_a_race_pays_a_use() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    rig.mount().await;
    rig.allowed(r#"path "toy/*" { capabilities = ["create", "update"] }"#).await;
    let limited = rig.token(json!({"policies": ["test"], "num_uses": 5, "ttl": "1h"})).await;
    let left = async || {
        let seen = rig.put("auth/token/lookup", &rig.root, json!({ "token": limited })).await.unwrap();
        seen["data"]["num_uses"].as_i64().unwrap()
    };
    // Refused when it is asked again.
    rig.allowed(r#"path "toy/*" { capabilities = ["create"] }"#).await;
    store.plan(|plan| plan.hold = true);
    let first = write(&rig, "toy/a", &rig.root, json!({"x": 1}));
    held(&store, 1).await;
    let second = write(&rig, "toy/a", &limited, json!({"x": 2}));
    held(&store, 2).await;
    store.plan(|plan| plan.hold = false);
    store.sync().await;
    first.await.unwrap().unwrap();
    assert_eq!(second.await.unwrap().unwrap_err().0, Kind::Denied);
    assert_eq!(left().await, 4);
    // Given up, because too many change the same.
    store.plan(|plan| plan.conflicts = 64);
    assert_eq!(rig.put("toy/new", &limited, json!({"x": 1})).await.unwrap_err().0, Kind::Unavailable);
    assert_eq!(left().await, 3);
}

/// Until the audit log has a request for `path`: from there on it waits for nothing but its turn.
async fn asked(rig: &Rig, path: &str) {
    for _ in 0..10_000 {
        if rig.lines().iter().any(|line| line["request"]["path"] == path) {
            return tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("{path} is not asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_whoever_waits_for_a_turn_is_asked_again_when_it_comes() {
    let rig = Rig::new().await;
    let rule = r#"path "sys/policies/acl/*" { capabilities = ["create", "update"] }"#;
    let policy = || json!({"policy": rule});

    // Revoked while it waits.
    let revoked = rig.allowed(rule).await;
    let active = super::sweep::active(&rig);
    let turn = active.changes.lock().await;
    let waiting = write(&rig, "sys/policies/acl/left-behind", &revoked, policy());
    asked(&rig, "sys/policies/acl/left-behind").await;
    rig.put("auth/token/revoke", &rig.root, json!({ "token": revoked })).await.unwrap();
    drop(turn);
    assert_eq!(waiting.await.unwrap().unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("sys/policies/acl/left-behind", &rig.root).await.unwrap_err().0, Kind::NotFound);

    // Its policy is taken away while it waits.
    let weakened = rig.allowed(rule).await;
    let turn = active.changes.lock().await;
    let less = json!({"policy": r#"path "toy/*" { capabilities = ["read"] }"#});
    // The older path of the same policy: `allowed` has asked for the newer one.
    let weakens = write(&rig, "sys/policy/test", &rig.root, less);
    asked(&rig, "sys/policy/test").await;
    let waiting = write(&rig, "sys/policies/acl/too-late", &weakened, policy());
    asked(&rig, "sys/policies/acl/too-late").await;
    drop(turn);
    weakens.await.unwrap().unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("sys/policies/acl/too-late", &rig.root).await.unwrap_err().0, Kind::NotFound);
}

/// Lets what is held come after what happens in `meanwhile`, as it may within one commit of the store.
async fn overtaken(
    store: &Arc<FaultyStore>,
    rig: &Rig,
    token: &str,
    meanwhile: impl AsyncFnOnce(&Rig),
) -> Answer {
    store.plan(|plan| plan.hold = true);
    let late = write(rig, "toy/late", token, json!({"x": 1}));
    held(store, 1).await;
    store.plan(|plan| plan.hold = false);
    meanwhile(rig).await;
    assert_eq!(store.sync().await, 1);
    late.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_token_revoked_between_its_check_and_its_commit_has_no_effect() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    rig.mount().await;
    let rule = r#"path "toy/*" { capabilities = ["create", "update"] }
                  path "auth/token/create" { capabilities = ["update"] }"#;
    let revoke = async |rig: &Rig, token: &str| {
        rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    };
    let child = async |of: &str| -> String {
        let made = rig.put("auth/token/create", of, json!({})).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };

    // Itself, one with counted uses, and one whose parent's parent is revoked.
    let token = rig.allowed(rule).await;
    let counted = rig.token(json!({"policies": ["test"], "ttl": "1h", "num_uses": 9})).await;
    let eldest = rig.token(json!({"policies": ["test"], "ttl": "1h"})).await;
    let grandchild = child(&child(&eldest).await).await;
    for (asks, ends) in [(&token, &token), (&counted, &counted), (&grandchild, &eldest)] {
        let late = overtaken(&store, &rig, asks, async |rig| revoke(rig, ends).await).await;
        assert_eq!(late.unwrap_err().0, Kind::Denied);
        assert_eq!(rig.get("toy/late", &rig.root).await.unwrap_err().0, Kind::NotFound);
    }

    // Of a large family only the eldest has ended at first: a batch token, too, has no effect from then on.
    for wish in [json!({}), json!({"type": "batch"})] {
        let eldest = rig.token(json!({"policies": ["test"], "ttl": "1h"})).await;
        let made = rig.put("auth/token/create", &eldest, wish).await.unwrap();
        let asks = made["auth"]["client_token"].as_str().unwrap();
        let late = overtaken(&store, &rig, asks, async |rig| {
            let active = super::sweep::active(rig);
            let reader = active.tokens.view.at(active.snapshot().unwrap());
            let eldest = active.tokens.find(&reader, &eldest.into(), active.now()).unwrap().unwrap();
            let ended = active.tokens.mark_ended(&eldest, false).unwrap();
            let ended = ended.iter().map(|write| (&active.tokens.view, write));
            assert!(crate::commit::beside(&active, ended).await.unwrap().is_done().unwrap());
        });
        assert_eq!(late.await.unwrap_err().0, Kind::Denied);
        assert_eq!(rig.get("toy/late", &rig.root).await.unwrap_err().0, Kind::NotFound);
    }

    // What has only changed is looked at again, and does what it was to do.
    let token = rig.token(json!({"policies": ["test"], "ttl": "1h"})).await;
    let late = overtaken(&store, &rig, &token, async |rig| {
        rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    });
    late.await.unwrap();
    assert_eq!(rig.get("toy/late", &rig.root).await.unwrap()["data"]["x"], 1);
}
