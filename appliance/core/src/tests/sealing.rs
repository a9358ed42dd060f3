//! Seal and unseal, while something else is on its way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom_device_api::mock::Fault;
use strongroom_seal::GroupPlan;
use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::lifecycle::State;
use crate::testing::{Answer, Rig, Wish, ask, hsm, request};

/// Long enough for whatever does not hang.
const HANGS: Duration = Duration::from_secs(20);

/// Waits until `done`.
async fn until(done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come to that");
}

fn spawn(rig: &Rig, path: &'static str, body: serde_json::Value) -> tokio::task::JoinHandle<Answer> {
    let (core, root) = (rig.core.clone(), rig.root.clone());
    tokio::spawn(async move { ask(&core, request(Operation::Update, path, &root, Some(body))).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_device_does_not_hold_up_a_share() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm(), GroupPlan::custodians(2, 5)]));
    rig.init(json!({"recovery_shares": 3, "recovery_threshold": 2})).await.unwrap();
    rig.restart();
    let device = rig.devices.0["hsm"].clone();
    device.set_fault(Fault::Silent);
    let calls = device.calls();
    let core = rig.core.clone();
    let round = tokio::spawn(async move { core.unseal_by_devices().await });
    until(|| device.calls() > calls).await;
    // The device is being asked and says nothing: people are heard, counted, and open without it.
    let give = async |key: &String| {
        let given = tokio::time::timeout(HANGS, rig.put("sys/unseal", "", json!({ "key": key })));
        given.await.expect("a share waits for the device")
    };
    assert_eq!(give(&rig.keys[0]).await.unwrap()["progress"], 1);
    let reset = tokio::time::timeout(HANGS, rig.put("sys/unseal", "", json!({"reset": true})));
    assert_eq!(reset.await.expect("a reset waits for the device").unwrap()["progress"], 0);
    assert_eq!(give(&rig.recovery[2]).await.unwrap()["progress"], 1);
    assert_eq!(give(&rig.recovery[0]).await.unwrap()["sealed"], false);
    round.abort();
    rig.get("sys/mounts", &rig.root).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_answers_counts_with_what_people_gave_meanwhile() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm(), GroupPlan::custodians(2, 5)]));
    rig.init(json!({"recovery_shares": 0, "accept_total_loss": true})).await.unwrap();
    rig.restart();
    let device = rig.devices.0["hsm"].clone();
    device.set_fault(Fault::Slow(Duration::from_millis(300)));
    let calls = device.calls();
    let core = rig.core.clone();
    let round = tokio::spawn(async move { core.unseal_by_devices().await });
    until(|| device.calls() > calls).await;
    rig.put("sys/unseal", "", json!({ "key": rig.keys[3] })).await.unwrap();
    let last = rig.put("sys/unseal", "", json!({ "key": rig.keys[1] })).await.unwrap();
    assert_eq!(last["sealed"], false);
    assert!(round.await.unwrap(), "whoever asked the device finds it unsealed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_under_way_over_seal_and_unseal_is_not_missed() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    store.plan(|plan| plan.hold = true);
    let mounting = spawn(&rig, "sys/mounts/toy", json!({"type": "toy"}));
    until(|| store.held() == 1).await;
    rig.core.seal();
    store.plan(|plan| plan.hold = false);
    let (core, keys) = (rig.core.clone(), rig.keys.clone());
    let unsealing = tokio::spawn(async move {
        for key in &keys[..2] {
            ask(&core, request(Operation::Update, "sys/unseal", "", Some(json!({ "key": key }))))
                .await
                .unwrap();
        }
    });
    // Time enough for an unseal that does not wait: it would never see the mount.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(rig.core.is_sealed(), "it was unsealed over a commit that is under way");
    assert_eq!(store.sync().await, 1);
    unsealing.await.unwrap();
    let _ = mounting.await.unwrap();
    assert!(!rig.core.is_sealed());
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    // Nothing is left that counts.
    rig.core.seal();
    rig.unseal().await;
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap()["data"]["x"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_with_wiped_keys() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    let before = rig.core.state();
    let State::Active(old) = &*before else { panic!("sealed") };
    rig.core.seal();
    let Err(refusal) = old.effects.enter(&old.barrier) else { panic!("counted in") };
    assert_eq!(refusal.kind, Kind::Sealed);
    // Whoever was refused is not waited for.
    rig.unseal().await;
}

#[tokio::test(start_paused = true)]
async fn an_unseal_does_not_wait_for_ever_for_a_storage_that_hangs() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    store.plan(|plan| plan.hold = true);
    let mounting = spawn(&rig, "sys/mounts/toy", json!({"type": "toy"}));
    while store.held() == 0 {
        tokio::task::yield_now().await;
    }
    rig.core.seal();
    rig.put("sys/unseal", "", json!({ "key": rig.keys[0] })).await.unwrap();
    let (kind, text) = rig.put("sys/unseal", "", json!({ "key": rig.keys[1] })).await.unwrap_err();
    assert!(kind == Kind::Internal && text.contains("the storage hangs"), "{text}");
    assert!(rig.core.is_sealed());
    store.plan(|plan| plan.hold = false);
    store.sync().await;
    let _ = mounting.await.unwrap();
    rig.unseal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_with_a_seal_leaves_newer_keys_alone() {
    let rig = Rig::new().await;
    let before = rig.core.state();
    rig.core.seal();
    rig.unseal().await;
    // As a second request to seal would that had looked at the state before the first one.
    let State::Active(old) = &*before else { panic!("sealed") };
    assert!(!rig.core.become_from(&before, State::Active(old.clone())));
    let now = rig.core.state();
    let State::Active(new) = &*now else { panic!("sealed") };
    assert!(!Arc::ptr_eq(old, new) && old.barrier.is_sealed() && !new.barrier.is_sealed());
    rig.get("sys/mounts", &rig.root).await.unwrap();
}
