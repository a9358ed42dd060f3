//! `kv`, on mounts with and without versions.

use serde_json::{Value, json};

use crate::support::{Caller, Script, Server};

const SCRIPT: Script = &[
    ("GET /v1/sys/internal/ui/mounts/kvc", 200, MOUNT),
    ("GET /v1/sys/internal/ui/mounts/kvc/app/db", 200, MOUNT),
    ("GET /v1/sys/internal/ui/mounts/kvc/app", 200, MOUNT),
    ("GET /v1/sys/internal/ui/mounts/kvc/data/app/db", 200, MOUNT),
    ("GET /v1/sys/internal/ui/mounts/kvo", 200, OLD),
    ("GET /v1/sys/internal/ui/mounts/kvo/a", 200, OLD),
    (
        "GET /v1/sys/internal/ui/mounts/nosuch",
        403,
        r#"{"errors":["preflight capability check returned 403"]}"#,
    ),
    ("GET /v1/kvc/data/app/db", 200, GOT),
    ("GET /v1/kvc/data/app/db?version=2", 200, GOT),
    ("GET /v1/kvc/data/gone", 404, GONE),
    ("PUT /v1/kvc/data/app/db", 200, PUT),
    ("DELETE /v1/kvc/data/app/db", 204, ""),
    ("PUT /v1/kvc/delete/app/db", 204, ""),
    ("PUT /v1/kvc/undelete/app/db", 204, ""),
    ("PUT /v1/kvc/destroy/app/db", 204, ""),
    ("DELETE /v1/kvc/metadata/app/db", 204, ""),
    (
        "GET /v1/kvc/metadata?list=true",
        200,
        r#"{"request_id":"i","data":{"keys":["app/","f"]},"lease_id":""}"#,
    ),
    (
        "GET /v1/kvc/metadata?scan=true",
        200,
        r#"{"request_id":"i","data":{"keys":["app/db","f"]},"lease_id":""}"#,
    ),
    ("GET /v1/kvc/metadata/app?list=true", 200, r#"{"request_id":"i","data":{"keys":["db"]},"lease_id":""}"#),
    ("GET /v1/kvc/metadata/app/db", 200, METADATA),
    (
        "GET /v1/kvo/a",
        200,
        r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":2764800,"data":{"x":"1","y":"two"},"warnings":null}"#,
    ),
    ("PUT /v1/kvo/a", 204, ""),
    ("DELETE /v1/kvo/a", 204, ""),
    ("GET /v1/kvo?list=true", 200, r#"{"request_id":"i","data":{"keys":["a","b"]},"lease_id":""}"#),
];

const MOUNT: &str =
    r#"{"request_id":"i","lease_id":"","data":{"path":"kvc/","type":"kv","options":{"version":"2"}}}"#;
const OLD: &str =
    r#"{"request_id":"i","lease_id":"","data":{"path":"kvo/","type":"kv","options":{"version":"1"}}}"#;
const GOT: &str = r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"pass":"s5","user":"ann","o":{"a":[true]}},"metadata":{"created_time":"2026-11-24T14:00:00Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":3}},"warnings":null}"#;
const GONE: &str = r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":null,"metadata":{"created_time":"2026-11-24T14:00:00Z","custom_metadata":null,"deletion_time":"2026-11-24T15:00:00Z","destroyed":false,"version":2}},"warnings":null}"#;
const PUT: &str = r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":0,"data":{"created_time":"2026-11-24T14:00:00Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":1},"warnings":null}"#;
const METADATA: &str = r#"{"request_id":"i","lease_id":"","data":{"cas_required":false,"current_metadata_version":1,"current_version":10,"custom_metadata":{"team":"blue"},"versions":{"10":{"created_time":"t10","deletion_time":"","destroyed":false},"9":{"created_time":"t9","deletion_time":"","destroyed":true}}}}"#;

#[test]
fn get_with_versions() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    let expected = "= Secret Path =\nkvc/data/app/db\n\n======= Metadata =======\nKey                Value\n\
                    ---                -----\ncreated_time       2026-11-24T14:00:00Z\ncustom_metadata    <nil>\n\
                    deletion_time      n/a\ndestroyed          false\nversion            3\n\n==== Data ====\n\
                    Key     Value\n---     -----\no       map[a:[true]]\npass    s5\nuser    ann\n";
    for line in [
        "kv get -mount=kvc app/db",
        "kv get kvc/app/db",
        "kv get -mount kvc/ /app/db",
        "kv get --version 2 kvc/app/db",
    ] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, expected), "{line}: {}", outcome.stderr);
    }
    assert_eq!(caller.run("kv get -field=pass kvc/app/db").stdout, "s5");
    assert_eq!(caller.run("kv get -field=o kvc/app/db").stdout, "map[a:[true]]");
    let outcome = caller.run("kv get -field=none kvc/app/db");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, "Field \"none\" not present in map\n"));
    let document: Value = serde_json::from_str(&caller.run("kv get -format=json kvc/app/db").stdout).unwrap();
    assert_eq!(document["data"]["metadata"]["version"], json!(3));
}

#[test]
fn what_is_gone_shows_its_metadata_and_what_never_was_is_2() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    let outcome = caller.run("kv get -mount=kvc gone");
    assert_eq!(outcome.code, 0);
    assert!(
        outcome.stdout.contains("== Metadata ==") && !outcome.stdout.contains("== Data =="),
        "{}",
        outcome.stdout
    );
    assert_eq!(caller.run("kv get -field=x -mount=kvc gone").code, 2);
    for line in ["kv get -mount=kvc none", "kv get -format=json -mount=kvc none"] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
        assert_eq!(outcome.stderr, "No value found at kvc/data/none\n");
    }
    // `data` in the path is not taken out again.
    assert_eq!(caller.run("kv get kvc/data/app/db").stderr, "No value found at kvc/data/data/app/db\n");
    let outcome = caller.run("kv get -mount=nosuch a");
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.starts_with("Error making API request.\n") && outcome.stderr.contains("Code: 403")
    );
}

#[test]
fn put_with_versions() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    let outcome = caller.run("kv put -mount=kvc app/db user=ann pass=s3");
    assert!(
        outcome.stdout.starts_with("= Secret Path =\nkvc/data/app/db\n\n======= Metadata =======\nKey "),
        "{}",
        outcome.stdout
    );
    assert!(outcome.stdout.ends_with("version            1\n"));
    assert_eq!(server.last().body, json!({ "data": { "user": "ann", "pass": "s3" }, "options": {} }));
    assert_eq!(caller.run("kv put -field=version -cas=0 kvc/app/db user=ann").stdout, "1");
    assert_eq!(server.last().body["options"], json!({ "cas": 0 }));
    assert!(caller.run("kv put -format=json kvc/app/db a=1").stdout.starts_with('{'));
}

#[test]
fn versions_come_and_go() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    assert_eq!(
        caller.run("kv delete kvc/app/db").stdout,
        "Success! Data deleted (if it existed) at: kvc/data/app/db\n"
    );
    assert_eq!(caller.run("kv delete -versions=1,2 -versions=3 kvc/app/db").code, 0);
    assert_eq!(
        (server.last().line.as_str(), server.last().body),
        ("PUT /v1/kvc/delete/app/db", json!({ "versions": [1, 2, 3] }))
    );
    assert_eq!(
        caller.run("kv undelete -versions=2 kvc/app/db").stdout,
        "Success! Data written to: kvc/undelete/app/db\n"
    );
    assert_eq!(
        caller.run("kv destroy -versions=1 -mount=kvc app/db").stdout,
        "Success! Data written to: kvc/destroy/app/db\n"
    );
    assert_eq!(
        caller.run("kv metadata delete kvc/app/db").stdout,
        "Success! Data deleted (if it existed) at: kvc/metadata/app/db\n"
    );
}

#[test]
fn metadata_shows_each_version() {
    let server = Server::new(SCRIPT);
    let outcome = Caller::of(&server).run("kv metadata get kvc/app/db");
    assert!(
        outcome
            .stdout
            .starts_with("== Metadata Path ==\nkvc/metadata/app/db\n\n============ Metadata ============\n"),
        "{}",
        outcome.stdout
    );
    let (nine, ten) =
        (outcome.stdout.find("====== Version 9 ======"), outcome.stdout.find("===== Version 10 ====="));
    assert!(nine.is_some() && nine < ten, "{}", outcome.stdout);
}

#[test]
fn lists() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    assert_eq!(caller.run("kv list -mount=kvc").stdout, "Keys\n----\napp/\nf\n");
    assert_eq!(caller.run("kv scan -mount=kvc").stdout, "Keys\n----\napp/db\nf\n");
    assert_eq!(caller.run("kv list -format=json kvc/app").stdout, "[\n  \"db\"\n]\n");
    assert_eq!(caller.run("kv list -mount=kvo").stdout, "Keys\n----\na\nb\n");
    assert_eq!(caller.run("kv list -mount=kvc none").stderr, "No value found at kvc/metadata/none\n");
    let outcome = caller.run("kv list -format=json -mount=kvc none");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, "{}\n"));
}

#[test]
fn without_versions_paths_stay_as_they_are() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    assert_eq!(
        caller.run("kv get kvo/a").stdout,
        "== Data ==\nKey    Value\n---    -----\nx      1\ny      two\n"
    );
    assert_eq!(caller.run("kv get -field=y -mount=kvo a").stdout, "two");
    assert_eq!(caller.run("kv put -cas=1 kvo/a x=1").stdout, "Success! Data written to: kvo/a\n");
    assert_eq!(server.last().body, json!({ "x": "1" }));
    assert_eq!(caller.run("kv delete kvo/a").stdout, "Success! Data deleted (if it existed) at: kvo/a\n");
    for (line, text) in [
        ("kv undelete -versions=1 kvo/a", "Undelete not supported on KV Version 1\n"),
        ("kv metadata get kvo/a", "Metadata not supported on KV Version 1\n"),
    ] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (1, text));
    }
}
