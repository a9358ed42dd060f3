//! Init, unseal, seal, restart.

use std::time::Duration;

use serde_json::json;
use strongroom_barrier::plain;
use strongroom_device_api::DeviceErrorKind;
use strongroom_device_api::mock::Fault;
use strongroom_seal::GroupPlan;
use strongroom_store::{Batch, Expect, MemoryStore, Space};
use strongroom_types::Operation;
use strongroom_types::error::Kind;
use tokio::sync::watch;

use crate::lifecycle::State;
use crate::testing::{Rig, Wish, ask, hsm, request, tpm};

#[tokio::test(flavor = "multi_thread")]
async fn uninitialised_sealed_unsealed() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::People);
    assert_eq!(rig.get("sys/init", "").await.unwrap(), json!({"initialized": false}));
    let status = rig.get("sys/seal-status", "").await.unwrap();
    assert_eq!(
        (&status["type"], &status["sealed"], &status["t"]),
        (&json!("shamir"), &json!(true), &json!(0))
    );
    assert_eq!(rig.get("sys/health", "").await.unwrap()["status"], 501);
    assert_eq!(rig.get("sys/mounts", "x").await, Err((Kind::Sealed, "Vault is sealed".into())));
    assert_eq!(
        rig.put("sys/unseal", "", json!({"key": "AAAA"})).await.unwrap_err().1,
        "Vault is not initialized"
    );

    let made = rig.init(json!({"secret_shares": 3, "secret_threshold": 2})).await.unwrap();
    assert_eq!(
        (made["keys"].as_array().unwrap().len(), made["keys_base64"].as_array().unwrap().len()),
        (3, 3)
    );
    assert!(made["recovery_keys"].is_null());
    assert_eq!(rig.put("sys/init", "", json!({})).await.unwrap_err().1, "Vault is already initialized");
    let status = rig.get("sys/seal-status", "").await.unwrap();
    assert_eq!((&status["t"], &status["n"], &status["initialized"]), (&json!(2), &json!(3), &json!(true)));
    assert!(status["cluster_id"].is_null());
    assert_eq!(rig.get("sys/health", "").await.unwrap()["status"], 503);
    assert_eq!(rig.get("sys/mounts", &rig.root).await.unwrap_err().0, Kind::Sealed);

    let first = rig.put("sys/unseal", "", json!({"Key": rig.keys[0].to_uppercase()})).await.unwrap();
    assert_eq!((&first["progress"], &first["sealed"]), (&json!(1), &json!(true)));
    assert!(!first["nonce"].as_str().unwrap().is_empty());
    // The same share does not count twice, in whatever form.
    let again = rig.put("sys/unseal", "", json!({"key": made["keys_base64"][0]})).await.unwrap();
    assert_eq!(again["progress"], 1);
    assert_eq!(rig.put("sys/unseal", "", json!({"reset": true})).await.unwrap()["progress"], 0);
    rig.put("sys/unseal", "", json!({"key": rig.keys[2]})).await.unwrap();
    let last = rig.put("sys/unseal", "", json!({"key": rig.keys[1]})).await.unwrap();
    assert_eq!((&last["sealed"], &last["progress"]), (&json!(false), &json!(0)));
    assert!(last["cluster_id"].is_string());
    assert_eq!(rig.put("sys/unseal", "", json!({"key": rig.keys[1]})).await.unwrap()["sealed"], false);
    assert_eq!(rig.put("sys/unseal", "", json!({"reset": true})).await.unwrap_err().1, "vault is unsealed");
    assert!(rig.get("sys/health", "").await.unwrap()["status"].is_null());
    assert_eq!(rig.get("sys/health?activecode=299", "").await.unwrap()["status"], 299);
    for bad in ["activecode=x", "sealedcode=99", "uninitcode=700"] {
        assert_eq!(rig.get(&format!("sys/health?{bad}"), "").await.unwrap_err().0, Kind::BadRequest);
    }
    let root = rig.get("auth/token/lookup-self", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(
        (&root["path"], &root["ttl"], &root["expire_time"]),
        (&json!("auth/token/root"), &json!(0), &json!(null))
    );
    assert_eq!(rig.delete("sys/health", "").await.unwrap_err().0, Kind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_refuses_what_makes_no_sense() {
    let rig = Rig::bare(MemoryStore::new(), Wish::People);
    for (body, text) in [
        (
            json!({"secret_shares": 2, "secret_threshold": 3}),
            "invalid seal configuration: threshold cannot be larger than shares",
        ),
        (
            json!({"secret_shares": 3, "secret_threshold": 1}),
            "invalid seal configuration: threshold must be greater than one for multiple shares",
        ),
        (
            json!({"secret_shares": 0, "secret_threshold": 0}),
            "invalid seal configuration: shares must be at least one",
        ),
        (json!({"secret_shares": 5}), "invalid seal configuration: threshold must be at least one"),
        (
            json!({"secret_shares": 256, "secret_threshold": 2}),
            "invalid seal configuration: shares must be less than 256",
        ),
        (
            json!({"secret_shares": -1, "secret_threshold": 2}),
            "invalid seal configuration: shares must be at least one",
        ),
        (
            json!({"recovery_shares": 5, "recovery_threshold": 3}),
            "parameters recovery_shares,recovery_threshold not applicable to seal type shamir",
        ),
    ] {
        assert_eq!(
            rig.put("sys/init", "", body.clone()).await,
            Err((Kind::BadRequest, text.into())),
            "{body}"
        );
    }
    assert_eq!(rig.put("sys/init", "", json!({"pgp_keys": ["x"]})).await.unwrap_err().0, Kind::BadRequest);
    assert!(!rig.core.is_initialised());
    assert_eq!(rig.put("sys/init", "", json!({})).await.unwrap()["keys"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_inits_one_wins() {
    let rig = Rig::bare(MemoryStore::new(), Wish::People);
    let all: Vec<_> = (0..8)
        .map(|_| {
            let core = rig.core.clone();
            tokio::spawn(async move {
                ask(&core, request(Operation::Update, "sys/init", "", Some(json!({})))).await
            })
        })
        .collect();
    let mut made = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => made += 1,
            Err(refused) => assert_eq!(refused, (Kind::BadRequest, "Vault is already initialized".into())),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c25_a_wrong_share_is_refused_at_once_and_named() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::People);
    rig.init(json!({"secret_shares": 3, "secret_threshold": 2})).await.unwrap();
    let mut bytes = data_encoding::HEXLOWER.decode(rig.keys[1].as_bytes()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let wrong = data_encoding::HEXLOWER.encode(&bytes);
    let (kind, text) = rig.put("sys/unseal", "", json!({ "key": wrong })).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("key 2 is wrong"), "{text}");
    // However often: the log has one line of it a second.
    let spared = || match &*rig.core.state() {
        State::Sealed(sealed) => sealed.refused.spared(),
        _ => panic!("not sealed"),
    };
    for spares in 1..=3 {
        rig.put("sys/unseal", "", json!({ "key": wrong })).await.unwrap_err();
        assert_eq!(spared(), spares);
    }
    rig.clock.advance(1);
    rig.put("sys/unseal", "", json!({ "key": wrong })).await.unwrap_err();
    assert_eq!(spared(), 0, "a line, which says how many there were");
    let mut other = Rig::bare(MemoryStore::new(), Wish::People);
    other.init(json!({"secret_shares": 3, "secret_threshold": 2})).await.unwrap();
    let (kind, text) = rig.put("sys/unseal", "", json!({ "key": other.keys[0] })).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("another cluster"), "{text}");
    assert_eq!(
        rig.put("sys/unseal", "", json!({"key": "***"})).await.unwrap_err().1,
        "'key' must be a valid hex or base64 string"
    );
    assert_eq!(rig.put("sys/unseal", "", json!({"key": "AAAA"})).await.unwrap_err().0, Kind::BadRequest);
    assert_eq!(
        rig.put("sys/unseal", "", json!({})).await.unwrap_err().1,
        "'key' must be specified in request body as JSON, or 'reset' set to true"
    );
    assert_eq!(rig.get("sys/seal-status", "").await.unwrap()["progress"], 0);
    rig.unseal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c31_a_keyslot_table_with_any_flipped_bit_keeps_it_sealed() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::People);
    rig.init(json!({"secret_shares": 3, "secret_threshold": 2})).await.unwrap();
    let table = rig.store.snapshot().unwrap().get(Space::Cluster, plain::SLOT_TABLE).unwrap().unwrap().value;
    // A sample over all of it; the parser's own tests flip each bit.
    for at in (0..table.len()).step_by(97).chain([table.len() - 1]) {
        let mut flipped = table.clone();
        flipped[at] ^= 1 << (at % 8);
        put_clear(&rig, plain::SLOT_TABLE, Some(flipped)).await;
        rig.restart();
        for key in &rig.keys {
            let _ = rig.put("sys/unseal", "", json!({ "key": key })).await;
        }
        assert!(rig.core.is_sealed() && rig.core.is_initialised(), "byte {at}");
    }
    put_clear(&rig, plain::SLOT_TABLE, Some(table)).await;
    rig.restart();
    rig.unseal().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c31_a_store_without_one_of_its_clear_records_is_damaged_not_new() {
    for key in [plain::SLOT_TABLE, plain::KEYRING, plain::CLUSTER] {
        let mut rig = Rig::bare(MemoryStore::new(), Wish::People);
        rig.init(json!({"secret_shares": 3, "secret_threshold": 2})).await.unwrap();
        put_clear(&rig, key, None).await;
        rig.restart();
        assert_eq!(rig.put("sys/init", "", json!({})).await.unwrap_err().1, "Vault is already initialized");
        for share in &rig.keys {
            let _ = rig.put("sys/unseal", "", json!({ "key": share })).await;
        }
        assert!(rig.core.is_sealed());
        let status = rig.get("sys/seal-status", "").await.unwrap();
        assert!(!status["warnings"][0].as_str().unwrap().is_empty(), "{status}");
    }
}

async fn put_clear(rig: &Rig, key: &[u8], value: Option<Vec<u8>>) {
    let mut batch = Batch::default();
    match value {
        Some(value) => batch.put(Space::Cluster, key.to_vec(), value, Expect::Any),
        None => batch.delete(Space::Cluster, key.to_vec(), Expect::Any),
    }
    rig.store.commit(batch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_outlives_a_restart() {
    let mut rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let token = rig.allowed(r#"path "toy/*" { capabilities = ["read"] }"#).await;
    rig.restart();
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::Sealed);
    rig.unseal().await;
    assert_eq!(rig.get("toy/a", &token).await.unwrap()["data"]["x"], 1);
    // A new term reads what an old one wrote.
    rig.put("sys/rotate", &rig.root, json!({})).await.unwrap();
    assert_eq!(rig.get("sys/key-status", &rig.root).await.unwrap()["data"]["term"], 2);
    rig.put("toy/b", &rig.root, json!({"x": 2})).await.unwrap();
    rig.restart();
    rig.unseal().await;
    assert_eq!(rig.get("sys/key-status", &rig.root).await.unwrap()["data"]["term"], 2);
    for (path, x) in [("toy/a", 1), ("toy/b", 2)] {
        assert_eq!(rig.get(path, &token).await.unwrap()["data"]["x"], x);
    }
    assert_eq!(rig.put("sys/rotate", &token, json!({})).await.unwrap_err().0, Kind::Denied);
    // Again and again adds nothing, and does not use up what another root key needs.
    for _ in 0..4_000 {
        rig.put("sys/rotate", &rig.root, json!({})).await.unwrap();
    }
    assert_eq!(rig.get("sys/key-status", &rig.root).await.unwrap()["data"]["term"], 3);
    rig.put("sys/rotate/root", &rig.root, json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c28_sealing_under_load_fails_cleanly() {
    let rig = Rig::new().await;
    rig.mount().await;
    let load: Vec<_> = (0..16)
        .map(|number| {
            let (core, root) = (rig.core.clone(), rig.root.clone());
            tokio::spawn(async move {
                let mut written = 0;
                loop {
                    let body = Some(json!({ "x": written }));
                    match ask(&core, request(Operation::Update, &format!("toy/{number}"), &root, body)).await
                    {
                        // A store in memory never makes a task wait.
                        Ok(_) => {
                            written += 1;
                            tokio::task::yield_now().await;
                        }
                        Err((kind, text)) => {
                            assert_eq!(kind, Kind::Sealed, "{text}");
                            return written;
                        }
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    rig.put("sys/seal", &rig.root, json!({})).await.unwrap();
    assert!(rig.core.is_sealed());
    assert_eq!(rig.get("toy/0", &rig.root).await.unwrap_err().0, Kind::Sealed);
    let mut written = Vec::new();
    for task in load {
        written.push(task.await.unwrap());
    }
    rig.unseal().await;
    for (number, written) in written.into_iter().enumerate().filter(|(_, written)| *written > 0) {
        // One more may have been committed without being acknowledged.
        let kept = rig.get(&format!("toy/{number}"), &rig.root).await.unwrap()["data"]["x"].as_i64().unwrap();
        assert!(kept == written - 1 || kept == written, "{kept} of {written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_needs_sudo() {
    let rig = Rig::new().await;
    let token = rig.allowed(r#"path "sys/seal" { capabilities = ["update"] }"#).await;
    assert_eq!(rig.put("sys/seal", &token, json!({})).await.unwrap_err().0, Kind::Denied);
    assert_eq!(rig.put("sys/seal", "", json!({})).await.unwrap_err().0, Kind::Denied);
    assert!(!rig.core.is_sealed());
}

// === devices ===

/// Initialised by devices.
async fn by_devices(groups: Vec<GroupPlan>, body: serde_json::Value) -> Rig {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(groups));
    rig.init(body).await.unwrap();
    rig
}

/// Runs the background work until `done`.
async fn running(rig: &Rig, done: impl Fn() -> bool) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(rig.core.clone().run(stopped));
    for _ in 0..2000 {
        if done() {
            return stop;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come to that");
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_unseal_at_init_and_at_every_start() {
    let mut rig =
        by_devices(vec![hsm(), tpm()], json!({"recovery_shares": 3, "recovery_threshold": 2})).await;
    assert!(!rig.core.is_sealed());
    assert_eq!((rig.keys.len(), rig.recovery.len()), (0, 3));
    let status = rig.get("sys/seal-status", "").await.unwrap();
    assert_eq!((&status["type"], &status["recovery_seal"]), (&json!("pkcs11+tpm"), &json!(true)));
    rig.restart();
    assert!(rig.core.is_sealed());
    let core = rig.core.clone();
    let stop = running(&rig, || !core.is_sealed()).await;
    rig.get("sys/mounts", &rig.root).await.unwrap();
    // Who seals by hand does not want devices to undo it.
    rig.put("sys/seal", &rig.root, json!({})).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(rig.core.is_sealed());
    stop.send(true).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c29_a_missing_device_is_named_and_people_open_without_it() {
    let mut rig =
        by_devices(vec![hsm(), tpm()], json!({"recovery_shares": 3, "recovery_threshold": 2})).await;
    rig.restart();
    rig.devices.0["tpm"].set_fault(Fault::Fails(DeviceErrorKind::Gone));
    assert!(!rig.core.unseal_by_devices().await);
    let warnings = rig.get("sys/seal-status", "").await.unwrap()["warnings"].clone();
    let warning = warnings[0].as_str().unwrap();
    assert!(warning.contains("\"tpm\" is missing") && warning.contains("Put it back"), "{warning}");
    // It is asked again by itself, and found when it is back.
    let core = rig.core.clone();
    let device = rig.devices.0["tpm"].clone();
    let calls = device.calls();
    let stop = running(&rig, || device.calls() > calls).await;
    device.set_fault(Fault::None);
    let stop_again = running(&rig, || !core.is_sealed()).await;
    let _ = (stop.send(true), stop_again.send(true));

    rig.devices.0["hsm"].lose_keys();
    rig.restart();
    assert!(!rig.core.unseal_by_devices().await);
    for key in &rig.recovery[..2] {
        rig.put("sys/unseal", "", json!({ "key": key })).await.unwrap();
    }
    rig.get("sys/mounts", &rig.root).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hsm_and_two_people() {
    let groups = vec![hsm(), GroupPlan::custodians(2, 5)];
    let mut rig = by_devices(groups, json!({"recovery_shares": 0, "accept_total_loss": true})).await;
    assert_eq!((rig.keys.len(), rig.recovery.len()), (5, 0));
    rig.restart();
    assert!(!rig.core.unseal_by_devices().await);
    rig.put("sys/unseal", "", json!({"key": rig.keys[4]})).await.unwrap();
    assert!(rig.core.is_sealed());
    rig.put("sys/unseal", "", json!({"key": rig.keys[0]})).await.unwrap();
    assert!(!rig.core.is_sealed());
    // Sealed by hand: the people's shares bring the HSM along.
    rig.put("sys/seal", &rig.root, json!({})).await.unwrap();
    for key in &rig.keys[1..3] {
        rig.put("sys/unseal", "", json!({ "key": key })).await.unwrap();
    }
    assert!(!rig.core.is_sealed());
}

#[tokio::test(flavor = "multi_thread")]
async fn total_loss_has_to_be_accepted() {
    let rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    assert_eq!(rig.get("sys/seal-status", "").await.unwrap()["recovery_seal"], true);
    let (kind, text) = rig.put("sys/init", "", json!({"recovery_shares": 0})).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("accept_total_loss=true"));
    let (kind, text) =
        rig.put("sys/init", "", json!({"secret_shares": 5, "secret_threshold": 3})).await.unwrap_err();
    assert_eq!(
        (kind, text.as_str()),
        (Kind::BadRequest, "parameters secret_shares,secret_threshold not applicable to seal type pkcs11")
    );
    rig.devices.0["hsm"].set_fault(Fault::Fails(DeviceErrorKind::Gone));
    let (kind, text) = rig.put("sys/init", "", json!({})).await.unwrap_err();
    assert!(kind == Kind::Unavailable && text.contains("\"hsm\" is missing"), "{text}");
    assert!(!rig.core.is_initialised());
    rig.devices.0["hsm"].set_fault(Fault::None);
    assert_eq!(
        rig.put("sys/init", "", json!({})).await.unwrap()["recovery_keys"].as_array().unwrap().len(),
        5
    );
}
