//! A root token by a threshold of custodians.

use data_encoding::BASE64_NOPAD;
use serde_json::{Value, json};
use strongroom_store::MemoryStore;
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::testing::{Rig, Wish, ask, hsm, request};

const OLDER: &str = "sys/generate-root";

/// As a custodian who has no token.
async fn give(rig: &Rig, key: &str, nonce: &Value) -> crate::testing::Answer {
    rig.put("sys/generate-root/attempt", "", json!({"key": key, "nonce": nonce})).await
}

fn decoded(encoded: &Value, otp: &str) -> String {
    let bytes = BASE64_NOPAD.decode(encoded.as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(bytes.len(), otp.len());
    String::from_utf8(bytes.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_threshold_of_custodians_gets_a_root_token_when_nobody_has_one() {
    let rig = Rig::new().await;
    rig.put("auth/token/revoke-self", &rig.root, json!({})).await.unwrap();
    assert!(rig.get("sys/mounts", &rig.root).await.is_err());
    // One share begins, and is the first of them.
    let begun = rig.put("sys/generate-root/attempt", "", json!({"key": rig.keys[2]})).await.unwrap();
    assert_eq!((&begun["progress"], &begun["required"]), (&json!(1), &json!(2)));
    let otp = begun["otp"].as_str().unwrap().to_owned();
    assert_eq!(begun["otp_length"].as_u64().unwrap() as usize, otp.len());
    // The pad comes once.
    let status = rig.get("sys/generate-root/attempt", "").await.unwrap();
    assert_eq!((&status["otp"], &status["nonce"]), (&json!(""), &begun["nonce"]));
    let done = give(&rig, &rig.keys[0], &begun["nonce"]).await.unwrap();
    assert_eq!((&done["complete"], &done["progress"]), (&json!(true), &json!(2)));
    assert_eq!(done["encoded_root_token"], done["encoded_token"]);
    let token = decoded(&done["encoded_token"], &otp);
    assert!(token.starts_with("hvs."));
    let own = rig.get("auth/token/lookup-self", &token).await.unwrap()["data"].clone();
    assert_eq!((&own["policies"], &own["ttl"], &own["orphan"]), (&json!(["root"]), &json!(0), &json!(true)));
    let opened =
        rig.put("sys/decode-token", &token, json!({"encoded_token": done["encoded_token"], "otp": otp}));
    assert_eq!(opened.await.unwrap()["data"]["token"], token);
    assert_eq!(rig.get("sys/generate-root/attempt", "").await.unwrap()["started"], false);
    assert!(give(&rig, &rig.keys[1], &begun["nonce"]).await.unwrap_err().1.contains("no root generation"));
}

#[tokio::test(flavor = "multi_thread")]
async fn by_its_newer_name_it_needs_sudo() {
    let rig = Rig::new().await;
    let at = "sys/generate-root-token/attempt";
    let weak = rig.allowed(r#"path "sys/*" { capabilities = ["create", "read", "update", "delete"] }"#).await;
    for token in ["", &weak] {
        assert_eq!(rig.get(at, token).await.unwrap_err().0, Kind::Denied);
        assert_eq!(rig.put(at, token, json!({"key": rig.keys[0]})).await.unwrap_err().0, Kind::Denied);
        assert_eq!(rig.delete(at, token).await.unwrap_err().0, Kind::Denied);
    }
    let otp = "0123456789abcdefghijABCDEFGHIJ0123456789wxyz";
    let begun = rig.put(at, &rig.root, json!({ "otp": otp })).await.unwrap()["data"].clone();
    assert_eq!((&begun["otp"], &begun["started"]), (&json!(""), &json!(true)));
    let again = rig.put(at, &rig.root, json!({})).await.unwrap_err();
    assert!(again.1.contains("already in progress"));
    let mut last = Value::Null;
    for key in &rig.keys[..2] {
        let body = json!({"key": key, "nonce": begun["nonce"]});
        last = rig.put("sys/generate-root-token/update", &rig.root, body).await.unwrap();
    }
    let token = decoded(&last["data"]["encoded_token"], otp);
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap()["data"]["policies"], json!(["root"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_52894_a_stranger_neither_begins_nor_cancels_nor_spoils() {
    let rig = Rig::new().await;
    let (at, update) = (format!("{OLDER}/attempt"), format!("{OLDER}/update"));
    let other = Rig::new().await;
    let mut wrong = rig.keys[0].clone();
    wrong.replace_range(wrong.len() - 2.., if wrong.ends_with("00") { "01" } else { "00" });
    let weak = rig.allowed(r#"path "sys/*" { capabilities = ["create", "read", "update", "delete"] }"#).await;
    let foreign = [&other.keys[0], &wrong, "AAAA", "", "***"];
    for token in ["", &weak] {
        for key in foreign {
            let (kind, _) = rig.put(&at, token, json!({ "key": key })).await.unwrap_err();
            assert_eq!(kind, Kind::Denied, "{key}");
        }
    }
    assert_eq!(rig.get(&at, "").await.unwrap()["started"], false);

    let begun = rig.put(&at, &rig.root, json!({})).await.unwrap();
    give(&rig, &rig.keys[0], &begun["nonce"]).await.unwrap();
    // A flood of cancels and of what is no share changes nothing.
    for round in 0..20 {
        let key = foreign[round % foreign.len()];
        let cancel = request(Operation::Delete, &at, "", Some(json!({"key": key, "nonce": begun["nonce"]})));
        assert_eq!(ask(&rig.core, cancel).await.unwrap_err().0, Kind::Denied);
        assert_eq!(rig.delete(&at, &weak).await.unwrap_err().0, Kind::Denied);
        assert!(give(&rig, key, &begun["nonce"]).await.is_err());
        for token in ["", &weak] {
            let share = json!({"key": rig.keys[2], "nonce": begun["nonce"]});
            assert_eq!(rig.put(&update, token, share).await.unwrap_err().0, Kind::Denied);
        }
    }
    let twice = give(&rig, &rig.keys[0], &begun["nonce"]).await.unwrap_err();
    assert!(twice.1.contains("already been provided"), "{twice:?}");
    let nonce = give(&rig, &rig.keys[1], &json!("another")).await.unwrap_err();
    assert!(nonce.1.starts_with("incorrect nonce supplied"), "{nonce:?}");
    assert_eq!(rig.get(&at, "").await.unwrap()["progress"], 1);

    // A custodian gives up with a share, though not another attempt than the one that is meant.
    let mistaken = json!({"key": rig.keys[2], "nonce": "another"});
    assert!(ask(&rig.core, request(Operation::Delete, &at, "", Some(mistaken))).await.is_err());
    assert_eq!(rig.get(&at, "").await.unwrap()["started"], true);
    ask(&rig.core, request(Operation::Delete, &at, "", Some(json!({"key": rig.keys[2]})))).await.unwrap();
    assert_eq!(rig.get(&at, "").await.unwrap()["started"], false);
    // Begun anew, the share of before has to be given again.
    let begun = rig.put(&at, &rig.root, json!({})).await.unwrap();
    assert_eq!(give(&rig, &rig.keys[1], &begun["nonce"]).await.unwrap()["progress"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_replaced_meanwhile_make_no_token() {
    let rig = Rig::new().await;
    let begun = rig.put("sys/generate-root/attempt", &rig.root, json!({})).await.unwrap();
    give(&rig, &rig.keys[0], &begun["nonce"]).await.unwrap();
    let wish = json!({"secret_shares": 1, "secret_threshold": 1, "require_verification": true});
    let nonce = rig.put("sys/rekey/init", &rig.root, wish).await.unwrap()["nonce"].clone();
    let mut made = Value::Null;
    for key in &rig.keys[..2] {
        made = rig.put("sys/rekey/update", &rig.root, json!({"key": key, "nonce": nonce})).await.unwrap();
    }
    let read_back = json!({"key": made["keys"][0], "nonce": made["verification_nonce"]});
    rig.put("sys/rekey/verify", &rig.root, read_back).await.unwrap();
    let (kind, text) = give(&rig, &rig.keys[1], &begun["nonce"]).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("replaced meanwhile"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let rig = Rig::new().await;
    let at = "sys/generate-root/attempt";
    for (body, text) in [
        (json!({"otp": "short"}), "OTP string is wrong length"),
        (json!({"pgp_key": "x"}), "pgp_key: this is no OpenPGP key"),
    ] {
        let (kind, said) = rig.put(at, &rig.root, body).await.unwrap_err();
        assert!(kind == Kind::BadRequest && said.contains(text), "{said}");
    }
    assert_eq!(rig.get(at, "").await.unwrap()["started"], false);
    for body in [
        json!({"encoded_token": "", "otp": "x"}),
        json!({"otp": "x"}),
        json!({"encoded_token": "***", "otp": "x"}),
        json!({"encoded_token": "AAAA", "otp": "x"}),
    ] {
        assert_eq!(rig.put("sys/decode-token", &rig.root, body).await.unwrap_err().0, Kind::BadRequest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_devices_open_nobody_can_agree_and_it_says_what_to_do() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    rig.init(json!({"recovery_shares": 0, "accept_total_loss": true})).await.unwrap();
    let (kind, text) = rig.put("sys/generate-root/attempt", &rig.root, json!({})).await.unwrap_err();
    assert!(kind == Kind::BadRequest && text.contains("-target=recovery"), "{text}");
    assert_eq!(rig.get("sys/generate-root/attempt", "").await.unwrap()["required"], 0);
    // With people of last resort they decide.
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    rig.init(json!({"recovery_shares": 3, "recovery_threshold": 2})).await.unwrap();
    let begun = rig.put("sys/generate-root/attempt", "", json!({"key": rig.recovery[0]})).await.unwrap();
    let done = give(&rig, &rig.recovery[1], &begun["nonce"]).await.unwrap();
    let token = decoded(&done["encoded_token"], begun["otp"].as_str().unwrap());
    rig.get("sys/mounts", &token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_neither_shares_nor_pads_nor_tokens() {
    let rig = Rig::new().await;
    let begun = rig.put("sys/generate-root/attempt", "", json!({"key": rig.keys[0]})).await.unwrap();
    let done = give(&rig, &rig.keys[1], &begun["nonce"]).await.unwrap();
    let token = decoded(&done["encoded_token"], begun["otp"].as_str().unwrap());
    let log = rig.sink.lines().join("\n");
    assert!(log.contains("sys/generate-root/attempt"));
    for secret in [
        &rig.keys[0],
        &rig.keys[1],
        &token,
        begun["otp"].as_str().unwrap(),
        done["encoded_token"].as_str().unwrap(),
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_share_waits_for_no_turn_and_holds_up_nobody() {
    let rig = Rig::new().await;
    let at = "sys/generate-root/attempt";
    let other = Rig::new().await;
    let begun = rig.put(at, &rig.root, json!({})).await.unwrap();
    let mut wrong = rig.keys[0].clone();
    wrong.replace_range(wrong.len() - 2.., if wrong.ends_with("00") { "01" } else { "00" });
    let active = super::sweep::active(&rig);
    // Somebody changes the system's tables, and takes long.
    let turn = active.changes.lock().await;
    for key in [&wrong, &other.keys[0], "", "***"] {
        for (operation, body, blame) in [
            (Operation::Delete, json!({"key": key}), Kind::Denied),
            (Operation::Update, json!({"key": key}), Kind::Denied),
            (Operation::Update, json!({"key": key, "nonce": begun["nonce"]}), Kind::BadRequest),
            (Operation::Update, json!({"key": key, "nonce": "another"}), Kind::BadRequest),
        ] {
            let (core, asked) = (rig.core.clone(), request(operation, at, "", Some(body)));
            let answer = tokio::spawn(async move { ask(&core, asked).await });
            for _ in 0..10_000 {
                if answer.is_finished() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            assert!(answer.is_finished(), "{operation:?} with {key} waits");
            assert_eq!(answer.await.unwrap().unwrap_err().0, blame, "{operation:?} with {key}");
        }
    }
    drop(turn);
    // Three of them had a share of these people, but a wrong one: one line of the log, and two that were spared.
    assert_eq!(active.ceremonies.refused.spared(), 2);
    let status = rig.get(at, "").await.unwrap();
    assert_eq!((&status["nonce"], &status["progress"]), (&begun["nonce"], &json!(0)));
    assert_eq!(give(&rig, &rig.keys[0], &begun["nonce"]).await.unwrap()["progress"], 1);
}
