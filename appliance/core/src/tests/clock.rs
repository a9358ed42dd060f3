//! A clock that goes back, or was once far ahead: nothing lives for ever, nothing comes back by itself, and an operator
//! has a way on.

use serde_json::json;
use strongroom_types::Clock;
use strongroom_types::error::Kind;

use super::sweep::active;
use crate::testing::{Answer, Rig};

const YEAR: i64 = 365 * 24 * 3600;

async fn lookup(rig: &Rig, token: &str) -> Answer {
    rig.get("auth/token/lookup-self", token).await
}

async fn kind(rig: &Rig, token: &str) -> Kind {
    lookup(rig, token).await.unwrap_err().0
}

/// A token with a day to live, and then a clock that has been a century ahead for a moment.
async fn after_a_jump() -> (Rig, String) {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "ttl": "24h"})).await;
    rig.clock.advance(100 * YEAR);
    rig.put("cubbyhole/a", &rig.root, json!({"x": 1})).await.unwrap();
    rig.clock.advance(-100 * YEAR);
    (rig, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_while_the_clock_is_behind_nothing_that_ends_is_accepted_or_made() {
    let (mut rig, token) = after_a_jump().await;
    for restarts in 0..2 {
        let (status, text) = lookup(&rig, &token).await.unwrap_err();
        assert!(status == Kind::Unavailable && text.contains("sys/clock"), "{restarts}: {text}");
        for (path, body) in [
            ("auth/token/create", json!({"ttl": "1h"})),
            ("auth/token/create", json!({"policies": ["default"], "ttl": "1h", "type": "batch"})),
            ("auth/token/renew", json!({ "token": token })),
        ] {
            let refused = rig.put(path, &rig.root, body).await.unwrap_err();
            assert_eq!(refused.0, Kind::Unavailable, "{path}: {}", refused.1);
        }
        // What never ends goes on.
        rig.put("cubbyhole/a", &rig.root, json!({"x": 2})).await.unwrap();
        for path in ["sys/health", "sys/seal-status"] {
            let answer = rig.get(path, "").await.unwrap();
            assert!(
                answer["warnings"][0].as_str().unwrap().contains("is 3153600000 seconds behind"),
                "{answer}"
            );
        }
        rig.restart();
        rig.unseal().await;
    }
    // The sweep removes nothing because of a time that may never have been.
    let active = active(&rig);
    crate::sweep::sweep(&active).await.unwrap();
    rig.clock.advance(100 * YEAR);
    assert_eq!(kind(&rig, &token).await, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_step_back_is_no_reason_to_refuse_anybody() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    rig.clock.advance(-60);
    lookup(&rig, &token).await.unwrap();
    rig.clock.advance(-1);
    assert_eq!(kind(&rig, &token).await, Kind::Unavailable);
    rig.clock.advance(1);
    lookup(&rig, &token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_an_operator_accepts_the_clock_and_only_then() {
    let (mut rig, token) = after_a_jump().await;
    rig.put(
        "sys/policies/acl/test",
        &rig.root,
        json!({"policy": "path \"sys/clock\" { capabilities = [\"update\"] }"}),
    )
    .await
    .unwrap();
    assert_eq!(rig.get("sys/clock", &rig.root).await.unwrap()["data"]["seconds_behind"], 100 * YEAR);
    assert_eq!(rig.put("sys/clock", &rig.root, json!({})).await.unwrap_err().0, Kind::BadRequest);
    rig.put("sys/clock", &rig.root, json!({"accept": true})).await.unwrap();
    assert!(
        rig.lines().iter().any(|line| line["request"]["path"] == "sys/clock" && line["type"] == "request")
    );
    for _ in 0..2 {
        assert!(rig.get("sys/health", "").await.unwrap()["warnings"].is_null());
        lookup(&rig, &token).await.unwrap();
        rig.restart();
        rig.unseal().await;
    }
    // Not without sudo, and not twice.
    let other = rig.token(json!({"policies": ["test"], "ttl": "1h"})).await;
    assert_eq!(rig.put("sys/clock", &other, json!({"accept": true})).await.unwrap_err().0, Kind::Denied);
    let (status, text) = rig.put("sys/clock", &rig.root, json!({"accept": true})).await.unwrap_err();
    assert!(status == Kind::BadRequest && text.contains("not behind"), "{text}");
    rig.clock.advance(24 * 3600);
    assert_eq!(kind(&rig, &token).await, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_what_a_wrong_clock_has_made_is_void_in_every_time_to_come() {
    let mut rig = Rig::new().await;
    let renewed = rig.token(json!({"policies": ["default"], "ttl": "48h"})).await;
    let good = rig.token(json!({"policies": ["default"], "ttl": "48h"})).await;
    rig.clock.advance(24 * 3600);
    let made = rig.token(json!({"policies": ["default"], "ttl": "48h"})).await;
    let batch = rig.token(json!({"policies": ["default"], "ttl": "48h", "type": "batch"})).await;
    let root = rig.token(json!({"policies": ["root"]})).await;
    rig.put("auth/token/renew-self", &renewed, json!({})).await.unwrap();
    rig.clock.advance(-24 * 3600);
    rig.put("sys/clock", &root, json!({"accept": true})).await.unwrap();
    for _ in 0..2 {
        for token in [&made, &batch, &renewed] {
            assert_eq!(kind(&rig, token).await, Kind::Denied);
        }
        lookup(&rig, &good).await.unwrap();
        lookup(&rig, &root).await.unwrap();
        // Engines are told as well: what they have given a time to live is void likewise.
        let active = active(&rig);
        let mounts = active.mounts.load();
        let mount = mounts.at("cubbyhole/").unwrap();
        let cx = crate::perform::cx(&active, mount, None, rig.store.snapshot().unwrap());
        assert!(cx.eras.number() == 1 && cx.eras.is_void(cx.eras.began().unwrap().plus_secs(1), 0));
        // As soon as their time has come, and after a restart.
        rig.clock.advance(24 * 3600);
        rig.restart();
        rig.unseal().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_can_be_revoked_while_the_clock_is_behind_and_stays_so() {
    let (rig, token) = after_a_jump().await;
    let accessor = |answer: &serde_json::Value| answer["data"]["keys"].as_array().unwrap().len();
    let before = accessor(&rig.list("auth/token/accessors", &rig.root).await.unwrap());
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    assert_eq!(accessor(&rig.list("auth/token/accessors", &rig.root).await.unwrap()), before - 1);
    rig.put("sys/clock", &rig.root, json!({"accept": true})).await.unwrap();
    assert_eq!(kind(&rig, &token).await, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_under_way_does_not_bring_the_old_floor_back() {
    let mut rig = Rig::new().await;
    let active = active(&rig);
    rig.clock.advance(100 * YEAR);
    let late = active.clock.due().unwrap().unwrap();
    rig.clock.advance(-100 * YEAR);
    rig.put("sys/clock", &rig.root, json!({"accept": true})).await.unwrap();
    let mut batch = strongroom_store::Batch::default();
    active.system.seal(&late.write, &mut batch).unwrap();
    rig.store.commit(batch).await.unwrap();
    late.stored();
    // Nor does a token that was to be made just then live a century.
    let now = rig.clock.now().plus_secs(100 * YEAR);
    assert_eq!(active.clock.check(now).unwrap_err().kind, Kind::Unavailable);
    // The new era's own floor goes on being kept.
    rig.clock.advance(3600);
    rig.put("cubbyhole/a", &rig.root, json!({"x": 1})).await.unwrap();
    rig.restart();
    rig.unseal().await;
    assert!(rig.get("sys/health", "").await.unwrap()["warnings"].is_null());
    rig.clock.advance(-1800);
    assert!(
        rig.get("sys/health", "").await.unwrap()["warnings"][0].as_str().unwrap().contains("1800 seconds")
    );
}
