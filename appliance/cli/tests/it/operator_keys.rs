//! New keys and new root tokens, by custodians: what is sent, what is shown, and that no key goes astray.

use serde_json::json;

use crate::support::{Caller, Script, Server};

const STARTED: &str = r#"{"request_id":"","data":{"nonce":"n1","started":true,"t":2,"n":3,"progress":1,"required":2,
    "pgp_fingerprints":null,"backup":false,"verification_required":false}}"#;

const REKEY: Script = &[
    ("GET /v1/sys/rekey/init", 200, STARTED),
    ("PUT /v1/sys/rekey/init", 200, STARTED),
    ("DELETE /v1/sys/rekey/init", 204, ""),
    (
        "PUT /v1/sys/rekey/update",
        200,
        r#"{"request_id":"","data":{"nonce":"n1","complete":true,"keys":["6161"],"keys_base64":["YWE="],
            "verification_required":true,"verification_nonce":"v1"}}"#,
    ),
    (
        "GET /v1/sys/rotate/recovery/init",
        200,
        r#"{"request_id":"","data":{"nonce":"","started":false,"t":0,"n":0}}"#,
    ),
    (
        "GET /v1/sys/rekey/verify",
        200,
        r#"{"request_id":"","data":{"nonce":"v1","started":true,"t":2,"n":3,"progress":1}}"#,
    ),
    ("PUT /v1/sys/rekey/verify", 200, r#"{"request_id":"","data":{"nonce":"v1","complete":true}}"#),
];

#[test]
fn a_rekey_from_its_beginning_to_its_proof() {
    let server = Server::new(REKEY);
    let caller = Caller::of(&server);
    let begun = caller.run("operator rekey -init -n 3 -t 2 -verify");
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    assert!(
        begun.stderr.starts_with("WARNING!") && begun.stdout.contains("Progress                 1/2"),
        "{}",
        begun.stdout
    );
    let wish =
        json!({ "secret_shares": 3, "secret_threshold": 2, "backup": false, "require_verification": true });
    assert_eq!(server.last().body, wish);
    let done = caller.run("operator rekey -nonce=n1 a2V5");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(server.last().body, json!({ "key": "a2V5", "nonce": "n1" }));
    assert!(
        done.stdout.contains("Key 1: YWE=") && done.stdout.contains("-verify -nonce=v1"),
        "{}",
        done.stdout
    );
    let proved = caller.run("operator rekey -verify -nonce=v1 a2V5");
    assert!(proved.code == 0 && proved.stdout.contains("in force"), "{}", proved.stdout);
    assert_eq!(
        caller.run("operator rekey -cancel").stdout,
        "Success! Canceled rekeying (if it was started)\n"
    );
}

#[test]
fn a_key_goes_only_where_its_custodian_says() {
    let server = Server::new(REKEY);
    let caller = Caller::of(&server);
    for (line, hint) in [
        ("operator rekey a2V5", "a nonce is needed"),
        ("operator rotate-keys -target=recovery -nonce=n1 a2V5", "No rekey is in progress"),
        ("operator rekey -target=nosuch -status", "barrier or recovery"),
        ("operator rekey -non-interactive", "forbids to ask"),
        ("operator rekey", "cannot be asked for"),
    ] {
        let outcome = caller.run(line);
        assert_eq!(outcome.code, 1, "{line}");
        assert!(outcome.stderr.contains(hint), "{line}: {}", outcome.stderr);
    }
    assert!(server.asked().iter().all(|asked| asked.line.starts_with("GET ")), "no key was sent");
    // Who types the key sees what it is for; through stdin the nonce has to be named.
    let mut typed = Caller::of(&server);
    typed.typed = Some("a2V5");
    let outcome = typed.run("operator rekey -format=json");
    assert!(outcome.stdout.starts_with("Rekey operation nonce: n1\n"), "{}", outcome.stdout);
    assert_eq!(server.last().body, json!({ "key": "a2V5", "nonce": "n1" }));
    let outcome = Caller::of(&server).stdin("a2V6\n").run("operator rekey -nonce=n2 -");
    assert_eq!((outcome.code, server.last().body), (0, json!({ "key": "a2V6", "nonce": "n2" })));
}

const MADE: Script = &[
    ("GET /v1/sys/seal-status", 200, r#"{"recovery_seal":false}"#),
    ("PUT /v1/sys/init", 200, r#"{"keys":["c1"],"keys_base64":["wQ=="],"root_token":"wQ=="}"#),
    (
        "PUT /v1/sys/rekey/init",
        200,
        r#"{"request_id":"","data":{"nonce":"n1","started":true,"t":1,"n":1,"progress":0,"required":1,
            "pgp_fingerprints":["0a0b"],"backup":true,"verification_required":false}}"#,
    ),
];

#[test]
fn keys_of_people_are_sent_as_base64_of_their_files() {
    let server = Server::new(MADE);
    let caller = Caller::of(&server);
    let path = |name: &str, bytes: &[u8]| {
        let path = caller.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let (binary, encoded) = (path("binary", b"\x99key"), path("encoded", b"mWtleQ==\n"));
    let line = format!("operator init -n 2 -t 2 -pgp-keys={binary},@{encoded} -root-token-pgp-key={binary}");
    let made = caller.run(&line);
    assert!(made.code == 0 && made.stdout.contains("base64 -d | gpg -d"), "{}{}", made.stdout, made.stderr);
    let sent = server.last().body;
    assert_eq!(sent["pgp_keys"], json!(["mWtleQ==", "mWtleQ=="]));
    assert_eq!(sent["root_token_pgp_key"], "mWtleQ==");
    let begun = caller.run(&format!("operator rekey -init -n 1 -t 1 -backup -pgp-keys={binary}"));
    assert!(begun.code == 0 && begun.stderr.is_empty() && begun.stdout.contains("0a0b"), "{}", begun.stdout);
    assert_eq!(
        (&server.last().body["backup"], &server.last().body["pgp_keys"]),
        (&json!(true), &json!(["mWtleQ=="]))
    );
    for (line, text) in [
        ("operator init -pgp-keys=keybase:somebody".to_owned(), "no key is fetched from anywhere"),
        (format!("operator init -root-token-pgp-key={binary},{encoded}"), "one key for it"),
        ("operator init -pgp-keys=/no/such/file".to_owned(), "cannot read the PGP key"),
    ] {
        let said = caller.run(&line);
        assert!(said.code == 1 && said.stderr.contains(text), "{}", said.stderr);
    }
}

const CUSTODIANS: Script = &[
    ("GET /v1/sys/generate-root-token/attempt", 403, r#"{"errors":["permission denied"]}"#),
    ("GET /v1/sys/generate-root/attempt", 200, r#"{"nonce":"","started":false,"required":2,"otp_length":4}"#),
    (
        "PUT /v1/sys/generate-root/attempt",
        200,
        r#"{"nonce":"g1","started":true,"progress":1,"required":2,"otp":"WXYZ"}"#,
    ),
];

const UNDER_WAY: Script = &[
    ("GET /v1/sys/generate-root-token/attempt", 403, r#"{"errors":["permission denied"]}"#),
    (
        "GET /v1/sys/generate-root/attempt",
        200,
        r#"{"nonce":"g1","started":true,"required":2,"otp_length":4}"#,
    ),
    ("PUT /v1/sys/generate-root/update", 403, r#"{"errors":["permission denied"]}"#),
    (
        "PUT /v1/sys/generate-root/attempt",
        200,
        r#"{"nonce":"g1","started":true,"progress":1,"required":2,"complete":false}"#,
    ),
    ("DELETE /v1/sys/generate-root/attempt", 204, ""),
];

#[test]
fn a_custodian_without_a_token_begins_and_gives_up_with_a_key() {
    let server = Server::new(CUSTODIANS);
    let begun = Caller::of(&server).run("operator generate-root -init a2V5");
    assert!(begun.code == 0 && begun.stdout.contains("WXYZ"), "{}{}", begun.stdout, begun.stderr);
    assert_eq!(server.last().body, json!({ "key": "a2V5" }));
    let server = Server::new(UNDER_WAY);
    let given = Caller::of(&server).run("operator generate-root -nonce=g1 a2V7");
    assert!(given.code == 0 && given.stdout.contains("Progress    1/2"), "{}{}", given.stdout, given.stderr);
    assert_eq!(server.last().line, "PUT /v1/sys/generate-root/attempt");
    assert_eq!(server.last().body, json!({ "key": "a2V7", "nonce": "g1" }));
    let given_up = Caller::of(&server).stdin("a2V6\n").run("operator generate-root -cancel -nonce=g1 -");
    assert_eq!(given_up.code, 0, "{}", given_up.stderr);
    assert_eq!(server.last().body, json!({ "key": "a2V6", "nonce": "g1" }));
}

const FIRST: Script = &[(
    "PUT /v1/sys/rotate/recovery/init",
    200,
    r#"{"request_id":"","data":{"nonce":"n1","complete":true,"keys":["6161"],"keys_base64":["YWE="],
        "verification_required":true,"verification_nonce":"v1"}}"#,
)];

#[test]
fn the_first_recovery_keys_are_shown_at_once() {
    let server = Server::new(FIRST);
    let made = Caller::of(&server).run("operator rotate-keys -target=recovery -init -n 1 -t 1");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.starts_with("Key 1: YWE="), "{}", made.stdout);
    assert!(
        made.stdout.contains("operator rotate-keys -target=recovery -verify -nonce=v1"),
        "{}",
        made.stdout
    );
}

const ALONE: Script = &[(
    "PUT /v1/sys/step-down",
    200,
    r#"{"request_id":"","data":null,"warnings":["there is no other node"]}"#,
)];

#[test]
fn who_steps_down_from_nothing_is_told() {
    let server = Server::new(ALONE);
    let said = Caller::of(&server).run("operator step-down");
    assert_eq!((said.code, said.stdout.as_str()), (0, "there is no other node\n"));
}

const ROOT: Script = &[
    ("GET /v1/sys/generate-root-token/attempt", 404, r#"{"errors":["unsupported path"]}"#),
    (
        "GET /v1/sys/generate-root/attempt",
        200,
        r#"{"nonce":"g1","started":true,"progress":0,"required":2,"complete":false,"otp_length":28}"#,
    ),
    (
        "PUT /v1/sys/generate-root/update",
        200,
        r#"{"nonce":"g1","started":true,"progress":2,"required":2,"complete":true,"encoded_token":"Ly0oLg"}"#,
    ),
    ("DELETE /v1/sys/generate-root/attempt", 204, ""),
];

#[test]
fn a_root_token_comes_out_of_a_one_time_pad() {
    let server = Server::new(ROOT);
    let caller = Caller::of(&server);
    let otp = caller.run("operator generate-root -generate-otp");
    assert_eq!((otp.code, otp.stdout.len()), (0, 28), "{}", otp.stderr);
    let status = caller.run("operator generate-root -status").stdout;
    assert_eq!(status, "Nonce       g1\nStarted     true\nProgress    0/2\nComplete    false\n");
    let done = caller.run("operator generate-root -nonce=g1 a2V5");
    assert!(done.code == 0 && done.stdout.contains("Encoded Token    Ly0oLg"), "{}", done.stdout);
    assert_eq!(caller.run("operator generate-root -decode=Ly0oLg -otp=XYZA").stdout, "wtro");
    assert_eq!(caller.run("operator generate-root -decode=Ly0oLg").code, 1);
    assert_eq!(caller.run("operator generate-root -cancel").code, 0);
    assert_eq!(caller.run("operator generate-root a2V5").code, 1);
}
