//! `status`, `operator init`, `operator unseal`, `operator seal`.

use serde_json::{Value, json};

use crate::support::{Caller, Server, nowhere};

const FRESH: &str = r#"{"type":"shamir","initialized":false,"sealed":true,"t":0,"n":0,"progress":0,"nonce":"","version":"1.20.0","build_date":"","migration":false,"recovery_seal":false,"storage_type":"redb"}"#;
const OPEN: &str = r#"{"type":"shamir","initialized":true,"sealed":false,"t":2,"n":3,"progress":0,"nonce":"","version":"1.20.0","migration":false,"cluster_name":"c","cluster_id":"i","recovery_seal":false,"storage_type":"redb"}"#;
const HALF: &str = r#"{"type":"shamir","initialized":true,"sealed":true,"t":2,"n":3,"progress":1,"nonce":"abc","version":"1.20.0","migration":false,"recovery_seal":false,"storage_type":"redb"}"#;
const DEVICE: &str = r#"{"type":"pkcs11","initialized":false,"sealed":true,"t":0,"n":0,"progress":0,"nonce":"","version":"1.20.0","recovery_seal":true,"recovery_seal_type":"shamir","storage_type":"redb"}"#;

#[test]
fn status_tells_sealed_from_open_and_from_not_there() {
    let server = Server::new(&[("GET /v1/sys/seal-status", 200, FRESH)]);
    let outcome = Caller::of(&server).run("status");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (
            2,
            "Key                Value\n---                -----\nSeal Type          shamir\nInitialized        false\n\
             Sealed             true\nTotal Shares       0\nThreshold          0\nUnseal Progress    0/0\n\
             Unseal Nonce       n/a\nVersion            1.20.0\nStorage Type       redb\nHA Enabled         false\n"
        )
    );
    let server = Server::new(&[
        ("GET /v1/sys/seal-status", 200, OPEN),
        ("GET /v1/sys/leader", 200, "{\"ha_enabled\":false}"),
    ]);
    let outcome = Caller::of(&server).run("status");
    assert_eq!(outcome.code, 0);
    assert!(
        outcome
            .stdout
            .ends_with("Storage Type    redb\nCluster Name    c\nCluster ID      i\nHA Enabled      false\n")
    );
    let document: Value =
        serde_json::from_str(&Caller::of(&server).run("status -format=json").stdout).unwrap();
    assert_eq!(
        (&document["sealed"], &document["ha_enabled"], &document["n"]),
        (&json!(false), &json!(false), &json!(3))
    );
}

#[test]
fn init_status_tells_not_initialised_from_not_there() {
    let server = Server::new(&[("GET /v1/sys/init", 200, "{\"initialized\":false}")]);
    let outcome = Caller::of(&server).run("operator init -status");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, "Vault is not initialized\n"));
    let outcome = Caller::at(&format!("http://{}", nowhere())).run("operator init -status");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(outcome.stderr.starts_with("Error checking init: "), "{}", outcome.stderr);
}

#[test]
fn init_prints_keys_and_the_root_token() {
    let server = Server::new(&[
        ("GET /v1/sys/seal-status", 200, FRESH),
        (
            "PUT /v1/sys/init",
            200,
            r#"{"keys":["6161","6262","6363"],"keys_base64":["YWE=","YmI=","Y2M="],"root_token":"hvs.r"}"#,
        ),
    ]);
    let caller = Caller::of(&server);
    let outcome = caller.run("operator init -n 3 -t 2");
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with(
        "Unseal Key 1: YWE=\nUnseal Key 2: YmI=\nUnseal Key 3: Y2M=\n\nInitial Root Token: hvs.r\n\n"
    ));
    assert_eq!(server.last().body, json!({ "secret_shares": 3, "secret_threshold": 2 }));
    let outcome = caller.run("operator init -format=json");
    assert_eq!(server.last().body, json!({ "secret_shares": 5, "secret_threshold": 3 }));
    let document: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        document,
        json!({
            "unseal_keys_b64": ["YWE=", "YmI=", "Y2M="], "unseal_keys_hex": ["6161", "6262", "6363"],
            "unseal_shares": 5, "unseal_threshold": 3, "recovery_keys_b64": null, "recovery_keys_hex": null,
            "recovery_keys_shares": 0, "recovery_keys_threshold": 0, "root_token": "hvs.r",
        })
    );
}

#[test]
fn init_beside_devices_asks_for_recovery_keys() {
    let server = Server::new(&[
        ("GET /v1/sys/seal-status", 200, DEVICE),
        (
            "PUT /v1/sys/init",
            200,
            r#"{"keys":[],"keys_base64":[],"recovery_keys":["6161"],"recovery_keys_base64":["YWE="],"root_token":"hvs.r"}"#,
        ),
    ]);
    let caller = Caller::of(&server);
    let outcome = caller.run("operator init");
    assert!(
        outcome.stdout.starts_with(
            "Recovery Key 1: YWE=\n\nInitial Root Token: hvs.r\n\nSuccess! Vault is initialized."
        )
    );
    assert_eq!(server.last().body, json!({ "recovery_shares": 5, "recovery_threshold": 3 }));
    caller.run("operator init -recovery-shares=0 -recovery-threshold=0 -accept-total-loss");
    assert_eq!(
        server.last().body,
        json!({ "recovery_shares": 0, "recovery_threshold": 0, "accept_total_loss": true })
    );
}

#[test]
fn init_status() {
    let server = Server::new(&[("GET /v1/sys/init", 200, "{\"initialized\":false}")]);
    let outcome = Caller::of(&server).run("operator init -status");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, "Vault is not initialized\n"));
    let outcome = Caller::of(&server).run("operator init -status -format=json");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, "{\n  \"Initialized\": false\n}\n"));
    let server = Server::new(&[("GET /v1/sys/init", 200, "{\"initialized\":true}")]);
    let outcome = Caller::of(&server).run("operator init -status");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "Vault is initialized\n"));
}

#[test]
fn unseal_with_a_key_typed_or_given() {
    let server = Server::new(&[("PUT /v1/sys/unseal", 200, HALF)]);
    let mut caller = Caller::of(&server);
    let outcome = caller.run("operator unseal YWE=");
    assert_eq!(outcome.code, 0);
    assert!(outcome.stdout.contains("Unseal Progress    1/2\nUnseal Nonce       abc\n"));
    assert_eq!(server.asked()[0].body, json!({ "key": "YWE=" }));
    caller.typed = Some("typed-key");
    let outcome = caller.run("operator unseal -format=json");
    assert!(outcome.stdout.starts_with("Unseal Key (will be hidden): \n{"));
    assert!(!outcome.stdout.contains("typed-key"));
    assert_eq!(server.asked()[2].body, json!({ "key": "typed-key" }));
    caller.run("operator unseal -reset");
    assert_eq!(server.asked()[4].body, json!({ "reset": true }));
    assert_eq!(caller.run("operator unseal -non-interactive").code, 1);
}

#[test]
fn a_wrong_key_is_2() {
    let server = Server::new(&[("PUT /v1/sys/unseal", 400, "{\"errors\":[\"key 2 is wrong\"]}")]);
    let outcome = Caller::of(&server).run("operator unseal AAAA");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.starts_with("Error unsealing: ") && outcome.stderr.contains("* key 2 is wrong"));
    assert!(!outcome.stderr.contains("AAAA"));
}

#[test]
fn seal() {
    let server = Server::new(&[("PUT /v1/sys/seal", 204, "")]);
    let outcome = Caller::of(&server).run("operator seal");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "Success! Vault is sealed.\n"));
    let server = Server::new(&[("PUT /v1/sys/seal", 403, "{\"errors\":[\"permission denied\"]}")]);
    assert_eq!(Caller::of(&server).run("operator seal").code, 2);
    let server = Server::new(&[("PUT /v1/sys/seal", 503, "{\"errors\":[\"Vault is sealed\"]}")]);
    assert_eq!(Caller::of(&server).run("operator seal").code, 0);
}
