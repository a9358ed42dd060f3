//! New shares for custodians: in force, kept, read back, and after a crash at any point.

use serde_json::{Value, json};
use strongroom_device_api::DeviceErrorKind;
use strongroom_device_api::mock::Fault;
use strongroom_seal::GroupPlan;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_store::{MemoryStore, Store};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::testing::{Answer, Rig, Wish, ask, hsm, request};

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Begins at `base`, and gives the first two of `keys`.
async fn rekeyed(rig: &Rig, base: &str, wish: Value, keys: &[String]) -> Answer {
    let begun = rig.put(&format!("{base}/init"), &rig.root, wish).await?;
    let nonce = begun["nonce"].as_str().or(begun["data"]["nonce"].as_str()).unwrap().to_owned();
    let mut last = begun;
    for key in keys {
        let share = json!({ "key": key, "nonce": nonce });
        last = rig.put(&format!("{base}/update"), &rig.root, share).await?;
    }
    Ok(last)
}

/// Whether `keys` open it after a restart. It stays as it was left.
async fn opens(rig: &mut Rig, keys: &[String]) -> bool {
    rig.restart();
    for key in keys {
        let _ = rig.put("sys/unseal", "", json!({ "key": key })).await;
    }
    !rig.core.is_sealed()
}

async fn verified(rig: &Rig, base: &str, made: &Value, keys: &[String]) -> Answer {
    let mut last = Ok(Value::Null);
    for key in keys {
        let share = json!({ "key": key, "nonce": made["verification_nonce"] });
        last = rig.put(&format!("{base}/verify"), &rig.root, share).await;
    }
    last
}

const THREE_OF_FIVE: fn(bool) -> Value =
    |verify| json!({"secret_shares": 5, "secret_threshold": 3, "require_verification": verify});

#[tokio::test(flavor = "multi_thread")]
async fn without_verification_the_old_keys_open_until_the_new_ones_have() {
    let mut rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let old = rig.keys.clone();
    let done = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &old[1..]).await.unwrap();
    assert_eq!((&done["complete"], &done["verification_required"]), (&json!(true), &json!(false)));
    assert!(done["verification_nonce"].is_null() && done["pgp_fingerprints"].is_null());
    let new = texts(&done["keys"]);
    assert_eq!((new.len(), texts(&done["keys_base64"]).len()), (5, 5));
    let status = rig.get("sys/seal-status", "").await.unwrap();
    assert_eq!((&status["t"], &status["n"]), (&json!(3), &json!(5)));
    assert!(status["warnings"][0].as_str().unwrap().contains("still open it"), "{status}");
    rig.put("toy/b", &rig.root, json!({"x": 2})).await.unwrap();

    assert!(opens(&mut rig, &old[..2]).await, "the new ones have never been there");
    assert!(!opens(&mut rig, &new[..2]).await, "two of three are not enough");
    assert!(opens(&mut rig, &new[2..]).await);
    let status = rig.get("sys/seal-status", "").await.unwrap();
    assert!(status["warnings"].is_null(), "{status}");
    // From here on the old ones are nobody's.
    rig.restart();
    for key in &old {
        let (kind, text) = rig.put("sys/unseal", "", json!({ "key": key })).await.unwrap_err();
        assert!(kind == Kind::BadRequest && text.contains("another keyslot"), "{text}");
    }
    assert!(opens(&mut rig, &new[..3]).await);
    for (path, x) in [("toy/a", 1), ("toy/b", 2)] {
        assert_eq!(rig.get(path, &rig.root).await.unwrap()["data"]["x"], x);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_verification_the_new_keys_count_when_they_were_read_back() {
    let mut rig = Rig::new().await;
    let old = rig.keys.clone();
    let done = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(true), &old[..2]).await.unwrap();
    let new = texts(&done["keys"]);
    assert_eq!(
        (&done["verification_required"], done["verification_nonce"].is_string()),
        (&json!(true), true)
    );
    assert_ne!(done["verification_nonce"], done["nonce"]);
    let status = rig.get("sys/rekey/init", &rig.root).await.unwrap();
    assert_eq!(status["verification_nonce"], done["verification_nonce"]);
    // Another share of the old ones makes no second set.
    let more = json!({"key": old[2], "nonce": done["nonce"]});
    assert!(rig.put("sys/rekey/update", &rig.root, more).await.unwrap_err().1.contains("verify them"));
    // The nonce of the one is not that of the other; an old share is none of the new ones; none counts twice.
    let wrong = json!({"key": new[0], "nonce": done["nonce"]});
    assert!(
        rig.put("sys/rekey/verify", &rig.root, wrong).await.unwrap_err().1.starts_with("incorrect nonce")
    );
    let foreign = json!({"key": old[0], "nonce": done["verification_nonce"]});
    assert!(rig.put("sys/rekey/verify", &rig.root, foreign).await.is_err());
    assert_eq!(verified(&rig, "sys/rekey", &done, &new[..1]).await.unwrap()["progress"], 1);
    let twice = verified(&rig, "sys/rekey", &done, &new[..1]).await.unwrap_err();
    assert!(twice.1.contains("already been provided"), "{twice:?}");
    // Begun anew it wants all of them again, by another nonce.
    let anew = rig.delete("sys/rekey/verify", &rig.root).await.unwrap();
    assert_eq!((&anew["progress"], &anew["t"], &anew["n"]), (&json!(0), &json!(3), &json!(5)));
    assert!(verified(&rig, "sys/rekey", &done, &new[..1]).await.is_err());
    let anew = json!({"verification_nonce": anew["nonce"]});
    let last = verified(&rig, "sys/rekey", &anew, &new[1..4]).await.unwrap();
    assert_eq!(last, json!({"nonce": anew["verification_nonce"], "complete": true}));
    assert!(rig.get("sys/seal-status", "").await.unwrap()["warnings"].is_null());
    assert_eq!(rig.get("sys/rekey/init", &rig.root).await.unwrap()["started"], false);
    assert!(!opens(&mut rig, &old).await);
    assert!(opens(&mut rig, &new[1..4]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_last_one_is_read_back_the_old_keys_are_in_force() {
    let mut rig = Rig::new().await;
    let old = rig.keys.clone();
    let done = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(true), &old[..2]).await.unwrap();
    let new = texts(&done["keys"]);
    verified(&rig, "sys/rekey", &done, &new[..2]).await.unwrap();
    assert!(!opens(&mut rig, &new).await);
    assert!(opens(&mut rig, &old[..2]).await);
    // The attempt has died with the keys in memory.
    assert_eq!(rig.get("sys/rekey/init", &rig.root).await.unwrap()["started"], false);
    assert!(
        verified(&rig, "sys/rekey", &done, &new[2..3]).await.unwrap_err().1.contains("no rekey in progress")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_ends_with_sealing_with_a_cancel_and_after_a_day() {
    let rig = Rig::new().await;
    let started = async || rig.get("sys/rekey/init", &rig.root).await.unwrap()["started"].clone();
    rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &rig.keys[..1]).await.unwrap();
    rig.core.seal();
    rig.unseal().await;
    assert_eq!(started().await, false);

    let begun = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &rig.keys[..1]).await.unwrap();
    assert!(
        rig.put("sys/rekey/init", &rig.root, THREE_OF_FIVE(false)).await.unwrap_err().1.contains("already")
    );
    let other = request(Operation::Delete, "sys/rekey/init", &rig.root, Some(json!({"nonce": "another"})));
    assert!(ask(&rig.core, other).await.unwrap_err().1.starts_with("incorrect nonce"));
    assert_eq!(started().await, true);
    let own = json!({"nonce": begun["nonce"]});
    ask(&rig.core, request(Operation::Delete, "sys/rekey/init", &rig.root, Some(own))).await.unwrap();
    assert_eq!(started().await, false);
    // One that is cancelled takes no share any more, and the next one does not know those it had.
    let late = json!({"key": rig.keys[1], "nonce": begun["nonce"]});
    assert!(
        rig.put("sys/rekey/update", &rig.root, late).await.unwrap_err().1.contains("no rekey in progress")
    );
    let next = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &rig.keys[1..2]).await.unwrap();
    assert_eq!((&next["progress"], &next["required"]), (&json!(1), &json!(2)));
    rig.clock.advance(24 * 3600 - 1);
    assert_eq!(started().await, true);
    rig.clock.advance(1);
    assert_eq!(started().await, false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_shares_at_once_one_is_the_last() {
    let rig = Rig::new().await;
    let begun = rig.put("sys/rekey/init", &rig.root, THREE_OF_FIVE(false)).await.unwrap();
    let all: Vec<_> = (0..12)
        .map(|number| {
            let (core, root) = (rig.core.clone(), rig.root.clone());
            let body = json!({"key": rig.keys[number % 3], "nonce": begun["nonce"]});
            tokio::spawn(async move {
                ask(&core, request(Operation::Update, "sys/rekey/update", &root, Some(body))).await
            })
        })
        .collect();
    let mut made = 0;
    for one in all {
        made += usize::from(one.await.unwrap().is_ok_and(|answer| answer["complete"] == true));
    }
    assert_eq!(made, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let rig = Rig::new().await;
    for (body, text) in [
        (
            json!({"secret_shares": 2, "secret_threshold": 1}),
            "threshold must be greater than one for multiple",
        ),
        (json!({"secret_shares": 3, "secret_threshold": 5}), "threshold cannot be larger than shares"),
        (
            json!({"secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["x"]}),
            "pgp_keys, key 1: this is no OpenPGP key",
        ),
        (
            json!({"secret_shares": 1, "secret_threshold": 1, "backup": true}),
            "backup of the new keys without providing PGP keys",
        ),
    ] {
        for base in ["sys/rekey/init", "sys/rotate/root/init"] {
            let (kind, said) = rig.put(base, &rig.root, body.clone()).await.unwrap_err();
            assert!(kind == Kind::BadRequest && said.contains(text), "{base} {said}");
        }
    }
    let (kind, text) = rig.put("sys/rekey-recovery-key/init", &rig.root, json!({})).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("there are no recovery keys"), "{text}");
    assert_eq!(rig.get("sys/rekey/init", &rig.root).await.unwrap()["started"], false);
    for path in
        ["sys/rekey/backup", "sys/rekey/verify", "sys/rotate/root/verify", "sys/rekey/recovery-key-backup"]
    {
        assert_eq!(rig.get(path, &rig.root).await.unwrap_err().0, Kind::BadRequest, "{path}");
    }
    rig.delete("sys/rekey/backup", &rig.root).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_4656_and_2026_5807_rekeying_needs_sudo() {
    let rig = Rig::new().await;
    let every = r#"path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }"#;
    let weak = rig.allowed(every).await;
    rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &rig.keys[..1]).await.unwrap();
    for base in ["sys/rekey", "sys/rekey-recovery-key", "sys/rotate/root", "sys/rotate/recovery"] {
        for token in ["", &weak] {
            for (operation, path, body) in [
                (Operation::Read, "init", json!({})),
                (Operation::Update, "init", THREE_OF_FIVE(false)),
                (Operation::Delete, "init", json!({})),
                (Operation::Update, "update", json!({"key": rig.keys[1], "nonce": "x"})),
                (Operation::Read, "verify", json!({})),
                (Operation::Delete, "verify", json!({})),
            ] {
                let asked = request(operation, &format!("{base}/{path}"), token, Some(body));
                assert_eq!(ask(&rig.core, asked).await.unwrap_err().0, Kind::Denied, "{base}/{path}");
            }
        }
    }
    assert_eq!(rig.put("sys/rotate/root", &weak, json!({})).await.unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("sys/rekey/init", &rig.root).await.unwrap()["progress"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_key_leaves_the_shares_alone() {
    let mut rig = Rig::new().await;
    let before = rig.store.snapshot().unwrap();
    rig.put("sys/rotate/root", &rig.root, json!({})).await.unwrap();
    assert_eq!(rig.get("sys/key-status", &rig.root).await.unwrap()["data"]["term"], 2);
    let keys = rig.keys.clone();
    assert!(opens(&mut rig, &keys[1..]).await, "the shares were lost with the root key");
    // Both records have changed, together.
    let now = rig.store.snapshot().unwrap();
    for key in [strongroom_barrier::plain::SLOT_TABLE, strongroom_barrier::plain::KEYRING] {
        let of = |snapshot: &dyn strongroom_store::Snapshot| {
            snapshot.get(strongroom_store::Space::Cluster, key).unwrap().unwrap()
        };
        assert!(of(&*before).value != of(&*now).value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_were_lost_with_their_answer_are_replaced_by_those_who_decided() {
    let mut rig = Rig::new().await;
    let old = rig.keys.clone();
    let lost = texts(&rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &old[..2]).await.unwrap()["keys"]);
    assert!(opens(&mut rig, &old[..2]).await);
    let done = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &old[1..]).await.unwrap();
    let new = texts(&done["keys"]);
    assert!(!opens(&mut rig, &lost).await, "nobody has them, and nobody vouches for them");
    assert!(opens(&mut rig, &new[..3]).await);
    assert!(!opens(&mut rig, &old).await);
}

// === a crash ===

/// A crash while the batch of the last request is on its way: whatever reached the disk, somebody's shares open it.
#[tokio::test(flavor = "multi_thread")]
async fn c25_after_a_crash_at_any_point_old_or_new_keys_open() {
    for verify in [false, true] {
        for kept in [0, 1] {
            let store = FaultyStore::new(MemoryStore::new(), Plan::default());
            let mut rig = Rig::over(store.clone()).await;
            let old = rig.keys.clone();
            let mut new = Vec::new();
            let mut last = json!({});
            let mut path = "sys/rekey/update";
            if verify {
                let made = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(true), &old[..2]).await.unwrap();
                new = texts(&made["keys"]);
                verified(&rig, "sys/rekey", &made, &new[..2]).await.unwrap();
                (path, last) =
                    ("sys/rekey/verify", json!({"key": new[2], "nonce": made["verification_nonce"]}));
            } else {
                let begun = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &old[..1]).await.unwrap();
                last = json!({"key": old[1], "nonce": begun["nonce"], "was": last});
            }
            store.plan(|plan| plan.hold = true);
            let (core, root) = (rig.core.clone(), rig.root.clone());
            let answer =
                tokio::spawn(
                    async move { ask(&core, request(Operation::Update, path, &root, Some(last))).await },
                );
            while store.held() == 0 {
                tokio::task::yield_now().await;
            }
            let reopened = store.crash(kept).await;
            assert!(answer.await.unwrap().is_err(), "no new share was handed out");
            rig.restart_on(reopened);
            let with_old = opens(&mut rig, &old[..2]).await;
            let with_new = opens(&mut rig, &new).await;
            assert_eq!((with_old, with_new), (!verify || kept == 0, verify && kept == 1), "{verify} {kept}");
        }
    }
}

/// The same for every single call to the store, from the last share to the end of the unseal that drops the old slot.
#[tokio::test(flavor = "multi_thread")]
async fn c25_whatever_call_fails_old_or_new_keys_open() {
    for verify in [false, true] {
        let mut calls = 0;
        let mut was_whole = false;
        while !was_whole {
            assert!(calls < 400, "it never ends");
            let disk = MemoryStore::new();
            let store = FaultyStore::new(disk.clone(), Plan::default());
            let mut rig = Rig::over(store.clone()).await;
            let old = rig.keys.clone();
            let begun = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(verify), &old[..1]).await.unwrap();
            store.plan(|plan| plan.fail_after = Some(calls));
            let share = json!({"key": old[1], "nonce": begun["nonce"]});
            let made = rig.put("sys/rekey/update", &rig.root, share).await;
            let mut new = made.as_ref().map_or(Vec::new(), |made| texts(&made["keys"]));
            if let (true, Ok(made)) = (verify, &made) {
                was_whole = verified(&rig, "sys/rekey", made, &new[..3]).await.is_ok();
            }
            if let (false, Ok(_)) = (verify, &made) {
                rig.core.seal();
                for key in &new[..3] {
                    let _ = rig.put("sys/unseal", "", json!({ "key": key })).await;
                }
                was_whole = !rig.core.is_sealed() && store.snapshot().is_ok();
            }
            rig.restart_on(disk);
            new.truncate(3);
            let works = opens(&mut rig, &old[..2]).await || opens(&mut rig, &new).await;
            assert!(works, "verification {verify}: neither opens after call {calls}");
            calls += 1;
        }
        assert!(calls > 3, "nothing failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_nothing_changes_and_the_attempt_goes_on_later() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let mut rig = Rig::over(store.clone()).await;
    let old = rig.keys.clone();
    let begun = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &old[..1]).await.unwrap();
    store.plan(|plan| plan.full = true);
    let last = json!({"key": old[1], "nonce": begun["nonce"]});
    assert_eq!(rig.put("sys/rekey/update", &rig.root, last.clone()).await.unwrap_err().0, Kind::NoSpace);
    store.plan(|plan| plan.full = false);
    let done = rig.put("sys/rekey/update", &rig.root, last).await.unwrap();
    assert_eq!(done["complete"], true);
    let new = texts(&done["keys"]);
    assert!(opens(&mut rig, &new[..3]).await && !opens(&mut rig, &old).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_slot_that_cannot_be_dropped_now_is_dropped_the_next_time() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let mut rig = Rig::over(store.clone()).await;
    let old = rig.keys.clone();
    let new = texts(&rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(false), &old[..2]).await.unwrap()["keys"]);
    store.plan(|plan| plan.full = true);
    assert!(opens(&mut rig, &new[..3]).await, "a full disk keeps nobody out");
    assert!(rig.get("sys/seal-status", "").await.unwrap()["warnings"].is_array());
    store.plan(|plan| plan.full = false);
    assert!(opens(&mut rig, &new[..3]).await && !opens(&mut rig, &old).await);
}

// === beside devices ===

#[tokio::test(flavor = "multi_thread")]
async fn people_beside_an_hsm_get_new_shares_and_the_hsm_its_own() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm(), GroupPlan::custodians(2, 3)]));
    rig.init(json!({"recovery_shares": 0, "accept_total_loss": true})).await.unwrap();
    let old = rig.keys.clone();
    rig.devices.0["hsm"].set_fault(Fault::Fails(DeviceErrorKind::Gone));
    let missing = rekeyed(&rig, "sys/rekey", THREE_OF_FIVE(true), &old[..2]).await.unwrap_err();
    assert!(missing.0 == Kind::Unavailable && missing.1.contains("\"hsm\" is missing"), "{missing:?}");
    rig.devices.0["hsm"].set_fault(Fault::None);
    // What was given counts still.
    let status = rig.get("sys/rekey/init", &rig.root).await.unwrap();
    let again = json!({"key": old[0], "nonce": status["nonce"]});
    let made = rig.put("sys/rekey/update", &rig.root, again).await.unwrap();
    let new = texts(&made["keys"]);
    assert_eq!(verified(&rig, "sys/rekey", &made, &new[..3]).await.unwrap()["complete"], true);
    assert!(!opens(&mut rig, &old).await);
    assert!(opens(&mut rig, &new[..3]).await);
    rig.restart();
    rig.devices.0["hsm"].lose_keys();
    assert!(!opens(&mut rig, &new).await, "the people alone open it");
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_keys_are_replaced_by_those_who_hold_them() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    rig.init(json!({"recovery_shares": 3, "recovery_threshold": 2})).await.unwrap();
    let old = rig.recovery.clone();
    let unseal = rig.put("sys/rekey/init", &rig.root, THREE_OF_FIVE(true)).await.unwrap_err();
    assert!(unseal.0 == Kind::BadRequest && unseal.1.contains("-target=recovery"), "{unseal:?}");
    let done = rekeyed(&rig, "sys/rekey-recovery-key", THREE_OF_FIVE(true), &old[..2]).await.unwrap();
    let new = texts(&done["keys"]);
    verified(&rig, "sys/rekey-recovery-key", &done, &new[..3]).await.unwrap();
    rig.devices.0["hsm"].lose_keys();
    assert!(!opens(&mut rig, &old).await);
    assert!(opens(&mut rig, &new[..3]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_recovery_keys_are_made_by_root_and_read_back() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    rig.init(json!({"recovery_shares": 0, "accept_total_loss": true})).await.unwrap();
    let sudo = r#"path "sys/*" { capabilities = ["create", "read", "update", "delete", "sudo"] }"#;
    let sudo = rig.allowed(sudo).await;
    let init = "sys/rotate/recovery/init";
    let (kind, text) = rig.put(init, &sudo, THREE_OF_FIVE(false)).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("With a root token"), "{text}");
    let made = rig.put(init, &rig.root, THREE_OF_FIVE(false)).await.unwrap()["data"].clone();
    let keys = texts(&made["keys"]);
    assert_eq!((&made["complete"], &made["verification_required"]), (&json!(true), &json!(true)));
    assert_eq!(rig.get("sys/seal-status", "").await.unwrap()["n"], 0, "nobody has read them back");
    let last = verified(&rig, "sys/rotate/recovery", &made, &keys[1..4]).await.unwrap();
    assert_eq!(last["data"]["complete"], true);
    assert_eq!(rig.get("sys/seal-status", "").await.unwrap()["n"], 5);
    rig.devices.0["hsm"].lose_keys();
    assert!(opens(&mut rig, &keys[2..]).await);
    // From now on the people are asked, not root.
    let begun = rig.put(init, &rig.root, THREE_OF_FIVE(false)).await.unwrap();
    assert_eq!((&begun["data"]["progress"], &begun["data"]["required"]), (&json!(0), &json!(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_fails_while_the_first_recovery_keys_are_made_leaves_no_attempt_behind() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    rig.init(json!({"recovery_shares": 0, "accept_total_loss": true})).await.unwrap();
    let init = "sys/rotate/recovery/init";
    let mut draws = 0;
    loop {
        rig.entropy.fail_after(Some(draws));
        let begun = rig.put(init, &rig.root, THREE_OF_FIVE(true)).await;
        rig.entropy.fail_after(None);
        let status = rig.get(init, &rig.root).await.unwrap()["data"].clone();
        assert_eq!(status["started"], begun.is_ok(), "after {draws} draws: {begun:?}");
        if begun.is_ok() {
            break;
        }
        draws += 1;
        assert!(draws < 200, "it never ends");
    }
    assert!(draws > 3, "nothing failed");
}
