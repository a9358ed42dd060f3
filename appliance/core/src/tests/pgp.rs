//! Shares and tokens for people's OpenPGP keys. That their owners can read them is shown by `tests/it/custodians_with_keys.rs` of
//! the workspace; here is what happens to keys, attempts and what is kept.

use data_encoding::BASE64;
use serde_json::{Value, json};
use strongroom_seal::{GroupPlan, share};
use strongroom_store::MemoryStore;
use strongroom_types::error::Kind;

use crate::testing::{Rig, Wish, hsm};

const CURVE: &[u8] = include_bytes!("../../../openpgp/src/tests/keys/curve.asc");
const CURVE_PRINT: &str = "7b3e2cd3a786b5a65b94d12962cd1d275d885379";
const P256: &[u8] = include_bytes!("../../../openpgp/src/tests/keys/nistp256.asc");
const P256_PRINT: &str = "18e3f1b2588761c757928df728ac3f484cb51a0e";
const EXPIRED: &[u8] = include_bytes!("../../../openpgp/src/tests/keys/expired.asc");
const REVOKED: &[u8] = include_bytes!("../../../openpgp/src/tests/keys/revoked.asc");

fn key(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

fn two_of_three() -> Value {
    json!({"secret_shares": 3, "secret_threshold": 2, "pgp_keys": [key(CURVE), key(P256), key(CURVE)]})
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Whether these are messages, in both encodings, and none is a share.
fn are_messages(answer: &Value, hex: &str, base64: &str) {
    let (keys, encoded) = (texts(&answer[hex]), texts(&answer[base64]));
    assert!(!keys.is_empty() && keys.len() == encoded.len());
    for (key, encoded) in keys.iter().zip(&encoded) {
        let bytes = BASE64.decode(encoded.as_bytes()).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(&bytes), *key);
        // A packet with a session key, and nobody's share.
        assert!(bytes[0] == 0xc1 && share::from_text(key).is_err(), "{key}");
    }
}

/// What no ceremony takes, and what it says.
fn refused() -> Vec<(Value, &'static str)> {
    let with_key = |last: &str| with(two_of_three(), "pgp_keys", json!([key(CURVE), key(P256), last]));
    vec![
        (
            with(two_of_three(), "pgp_keys", json!([key(CURVE)])),
            "seal configuration: count mismatch between number of provided PGP keys and number of shares",
        ),
        (with_key("keybase:somebody"), "pgp_keys, key 3: this is no OpenPGP key"),
        (with_key(&key(EXPIRED)), "pgp_keys, key 3: this key has expired"),
        (with_key(&key(REVOKED)), "pgp_keys, key 3: this key has been revoked"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn init_encrypts_for_each_custodian_or_does_nothing() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::People);
    let mut cases = refused();
    cases.push((
        with(two_of_three(), "root_token_pgp_key", json!("AAAA")),
        "root_token_pgp_key: this is no OpenPGP",
    ));
    cases.push((
        json!({"recovery_pgp_keys": [key(CURVE)]}),
        "recovery_pgp_keys not applicable to seal type shamir",
    ));
    for (body, text) in cases {
        let (kind, said) = rig.put("sys/init", "", body).await.unwrap_err();
        assert!(kind == Kind::BadRequest && said.contains(text), "{said}");
        assert!(!rig.core.is_initialised(), "{text}");
    }
    let body = with(two_of_three(), "root_token_pgp_key", json!(key(P256)));
    let made = rig.init(body).await.unwrap();
    are_messages(&made, "keys", "keys_base64");
    let token = BASE64.decode(made["root_token"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(token[0], 0xc1);
    // What is handed out opens nothing as it is.
    for key in texts(&made["keys_base64"]) {
        assert!(rig.put("sys/unseal", "", json!({ "key": key })).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_of_strangers_is_as_large_as_it_must_be() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::People);
    // 255 keys of the largest usual kind are below it.
    let wish =
        |bytes: usize| json!({"secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["A".repeat(bytes)]});
    for (bytes, kind) in [(255 * 8000, Kind::BadRequest), (2 * 1024 * 1024, Kind::TooLarge)] {
        assert_eq!(rig.put("sys/init", "", wish(bytes)).await.unwrap_err().0, kind, "{bytes}");
    }
    rig.init(json!({"secret_shares": 1, "secret_threshold": 1})).await.unwrap();
    // Once it can have no effect it is as small as elsewhere.
    assert_eq!(rig.put("sys/init", "", wish(64 * 1024)).await.unwrap_err().0, Kind::TooLarge);
    assert_eq!(rig.put("sys/init", "", wish(60 * 1024)).await.unwrap_err().0, Kind::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_devices_the_recovery_keys_are_encrypted() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    let (kind, said) = rig.put("sys/init", "", json!({"pgp_keys": [key(CURVE)]})).await.unwrap_err();
    assert!(
        kind == Kind::BadRequest && said.contains("pgp_keys not applicable to seal type pkcs11"),
        "{said}"
    );
    let wish =
        json!({"recovery_shares": 2, "recovery_threshold": 2, "recovery_pgp_keys": [key(CURVE), key(P256)]});
    let few = with(wish.clone(), "recovery_shares", json!(3));
    let (_, said) = rig.put("sys/init", "", few).await.unwrap_err();
    assert!(said.contains("recovery configuration: count mismatch"), "{said}");
    let made = rig.init(wish).await.unwrap();
    are_messages(&made, "recovery_keys", "recovery_keys_base64");
    assert_eq!(texts(&made["keys"]).len(), 0);
    // Where people are needed beside them, theirs are.
    let both = vec![hsm(), GroupPlan::custodians(2, 3)];
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(both));
    let wish = json!({"recovery_shares": 1, "recovery_threshold": 1, "pgp_keys": two_of_three()["pgp_keys"]});
    let made = rig.init(wish).await.unwrap();
    are_messages(&made, "keys", "keys_base64");
    assert!(share::from_text(&texts(&made["recovery_keys"])[0]).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_recovery_keys_are_encrypted_too() {
    let mut rig = Rig::bare(MemoryStore::new(), Wish::Devices(vec![hsm()]));
    rig.init(json!({"recovery_shares": 0, "accept_total_loss": true})).await.unwrap();
    let wish = with(two_of_three(), "backup", json!(true));
    let made = rig.put("sys/rotate/recovery/init", &rig.root, wish).await.unwrap()["data"].clone();
    are_messages(&made, "keys", "keys_base64");
    assert_eq!(made["pgp_fingerprints"], json!([CURVE_PRINT, P256_PRINT, CURVE_PRINT]));
    assert!(rig.get("sys/rotate/recovery/backup", &rig.root).await.is_err(), "they are not in force yet");
}

/// Begins with `wish`, and gives two shares.
async fn rekeyed(rig: &Rig, base: &str, wish: Value) -> Value {
    let begun = rig.put(&format!("{base}/init"), &rig.root, wish).await.unwrap();
    let nonce = begun["nonce"].as_str().or(begun["data"]["nonce"].as_str()).unwrap().to_owned();
    let mut last = Value::Null;
    for key in &rig.keys[..2] {
        let share = json!({"key": key, "nonce": nonce});
        last = rig.put(&format!("{base}/update"), &rig.root, share).await.unwrap();
    }
    if last["data"].is_object() { last["data"].clone() } else { last }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rekey_shows_whom_its_shares_are_for() {
    let rig = Rig::new().await;
    for base in ["sys/rekey", "sys/rotate/root"] {
        for (body, text) in refused() {
            let (kind, said) = rig.put(&format!("{base}/init"), &rig.root, body).await.unwrap_err();
            assert!(kind == Kind::BadRequest && said.contains(text), "{said}");
        }
        let without = json!({"secret_shares": 1, "secret_threshold": 1, "backup": true});
        let (kind, said) = rig.put(&format!("{base}/init"), &rig.root, without).await.unwrap_err();
        assert!(kind == Kind::BadRequest && said.contains("without providing PGP keys"), "{said}");
        let status = rig.get("sys/rekey/init", &rig.root).await.unwrap();
        assert_eq!(status["started"], false, "{base}");
    }
    let begun = rig.put("sys/rekey/init", &rig.root, two_of_three()).await.unwrap();
    let prints = json!([CURVE_PRINT, P256_PRINT, CURVE_PRINT]);
    assert_eq!((&begun["pgp_fingerprints"], &begun["backup"]), (&prints, &json!(false)));
    rig.delete("sys/rekey/init", &rig.root).await.unwrap();
    let done = rekeyed(&rig, "sys/rekey", two_of_three()).await;
    assert_eq!((&done["pgp_fingerprints"], &done["backup"]), (&prints, &json!(false)));
    are_messages(&done, "keys", "keys_base64");
    assert!(rig.get("sys/rekey/backup", &rig.root).await.is_err(), "nobody asked for it to be kept");
    assert!(rig.get("sys/rekey/init", &rig.root).await.unwrap()["pgp_fingerprints"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_there_until_it_is_deleted_or_replaced() {
    let mut rig = Rig::new().await;
    let wish = with(two_of_three(), "backup", json!(true));
    let done = rekeyed(&rig, "sys/rekey", wish.clone()).await;
    assert_eq!(done["backup"], true);
    let older = rig.get("sys/rekey/backup", &rig.root).await.unwrap();
    let newer = rig.get("sys/rotate/root/backup", &rig.root).await.unwrap();
    assert_eq!(older["data"], newer["data"]);
    let (keys, base64) = (texts(&done["keys"]), texts(&done["keys_base64"]));
    // By key; whoever has two shares has both in one list.
    let expected = json!({CURVE_PRINT: [keys[0], keys[2]], P256_PRINT: [keys[1]]});
    assert_eq!(newer["data"]["keys"], expected);
    assert_eq!(
        newer["data"]["keys_base64"],
        json!({CURVE_PRINT: [base64[0], base64[2]], P256_PRINT: [base64[1]]})
    );
    assert_eq!(newer["data"]["nonce"], done["nonce"]);
    // It is not that of the recovery keys, and it outlives the process.
    for path in ["sys/rekey/recovery-key-backup", "sys/rotate/recovery/backup"] {
        assert_eq!(rig.get(path, &rig.root).await.unwrap_err().0, Kind::BadRequest);
    }
    rig.restart();
    rig.unseal().await;
    assert_eq!(rig.get("sys/rekey/backup", &rig.root).await.unwrap()["data"], newer["data"]);
    // The old keys were not replaced yet, for the new ones were never there: they decide again.
    let again = rekeyed(&rig, "sys/rotate/root", wish).await;
    let kept = rig.get("sys/rekey/backup", &rig.root).await.unwrap();
    assert_eq!(kept["data"]["nonce"], again["nonce"]);
    assert_ne!(kept["data"]["keys"], newer["data"]["keys"]);
    rig.delete("sys/rotate/root/backup", &rig.root).await.unwrap();
    let (kind, said) = rig.get("sys/rekey/backup", &rig.root).await.unwrap_err();
    assert_eq!((kind, said.as_str()), (Kind::BadRequest, "no backed-up keys found"));
    rig.delete("sys/rekey/backup", &rig.root).await.unwrap();
    // With a policy that allows all but sudo nobody reads it.
    let weak = rig.allowed(r#"path "sys/*" { capabilities = ["read", "delete"] }"#).await;
    assert_eq!(rig.get("sys/rekey/backup", &weak).await.unwrap_err().0, Kind::Denied);
    assert_eq!(rig.delete("sys/rotate/recovery/backup", &weak).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_stays_while_new_shares_are_read_back() {
    let rig = Rig::new().await;
    let wish = with(two_of_three(), "backup", json!(true));
    let first = rekeyed(&rig, "sys/rekey", wish.clone()).await;
    // Handed out, and never read back.
    let second = rekeyed(&rig, "sys/rekey", with(wish, "require_verification", json!(true))).await;
    assert!(second["verification_nonce"].is_string());
    are_messages(&second, "keys", "keys_base64");
    rig.delete("sys/rekey/init", &rig.root).await.unwrap();
    let kept = rig.get("sys/rekey/backup", &rig.root).await.unwrap();
    assert_eq!(kept["data"]["nonce"], first["nonce"], "the shares that are in force would be lost");
}

/// Without randomness nothing is encrypted, and then nothing is handed out or changed either.
#[tokio::test(flavor = "multi_thread")]
async fn a_generator_that_fails_hands_out_nothing_in_clear() {
    let rig = Rig::new().await;
    let wish = with(two_of_three(), "backup", json!(true));
    let nonce = rig.put("sys/rekey/init", &rig.root, wish).await.unwrap()["nonce"].clone();
    let share = |at: usize| json!({"key": rig.keys[at], "nonce": nonce});
    rig.put("sys/rekey/update", &rig.root, share(0)).await.unwrap();
    for draws in 0..400 {
        rig.entropy.fail_after(Some(draws));
        let done = rig.put("sys/rekey/update", &rig.root, share(1)).await;
        rig.entropy.fail_after(None);
        if let Ok(done) = done {
            are_messages(&done, "keys", "keys_base64");
            assert!(draws > 10, "nothing failed");
            return;
        }
        assert!(rig.get("sys/rekey/backup", &rig.root).await.is_err(), "kept after {draws} draws");
        let status = rig.get("sys/seal-status", "").await.unwrap();
        assert!(status["warnings"].is_null() && status["n"] == 3, "{status}");
    }
    panic!("it never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_token_comes_out_for_a_key() {
    let rig = Rig::new().await;
    let at = "sys/generate-root/attempt";
    for (body, text) in [
        (json!({"pgp_key": key(EXPIRED)}), "pgp_key: this key has expired"),
        (json!({"pgp_key": key(CURVE), "otp": "0123456789012345678901234567"}), "not both"),
    ] {
        let (kind, said) = rig.put(at, &rig.root, body).await.unwrap_err();
        assert!(kind == Kind::BadRequest && said.contains(text), "{said}");
        assert_eq!(rig.get(at, "").await.unwrap()["started"], false);
    }
    let begun = rig.put(at, &rig.root, json!({"pgp_key": key(CURVE)})).await.unwrap();
    assert_eq!((&begun["pgp_fingerprint"], &begun["otp"]), (&json!(CURVE_PRINT), &json!("")));
    assert_eq!(rig.get(at, "").await.unwrap()["pgp_fingerprint"], CURVE_PRINT);
    let mut last = Value::Null;
    for key in &rig.keys[..2] {
        last = rig.put(at, "", json!({"key": key, "nonce": begun["nonce"]})).await.unwrap();
    }
    assert_eq!((&last["complete"], &last["pgp_fingerprint"]), (&json!(true), &json!(CURVE_PRINT)));
    assert_eq!(last["encoded_token"], last["encoded_root_token"]);
    let message = BASE64.decode(last["encoded_token"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(message[0], 0xc1);
}
