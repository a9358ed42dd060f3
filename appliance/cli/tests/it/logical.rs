//! `read`, `write`, `list`, `delete`, and the formats.

use serde_json::{Value, json};

use crate::support::{Caller, Script, Server};

const SECRET: &str = r#"{"request_id":"id-1","lease_id":"","renewable":false,"lease_duration":0,"data":{"data":{"n":"7","user":"ann"},"metadata":{"created_time":"2026-11-24T14:00:00Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}},"wrap_info":null,"warnings":null,"auth":null}"#;

const SCRIPT: Script = &[
    ("GET /v1/secret/data/fmt/a", 200, SECRET),
    (
        "GET /v1/kv/old",
        200,
        r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":2764800,"data":{"ttl":60,"x":"1","big":9007199254740993},"warnings":["careful"]}"#,
    ),
    ("GET /v1/sys/health", 200, r#"{"initialized":true,"sealed":false}"#),
    ("GET /v1/q?version=1", 200, SECRET),
    ("PUT /v1/cubbyhole/a", 204, ""),
    (
        "PUT /v1/trf/decrypt/a",
        200,
        r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":0,"data":{"plaintext":"aGVsbG8="},"warnings":null}"#,
    ),
    (
        "PUT /v1/warned",
        200,
        r#"{"request_id":"i","lease_id":"","renewable":false,"lease_duration":0,"data":null,"warnings":["look"]}"#,
    ),
    (
        "PUT /v1/wrapped",
        200,
        r#"{"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":{"token":"hvs.w","accessor":"a","ttl":60,"creation_time":"t","creation_path":"p"},"warnings":null,"auth":null}"#,
    ),
    ("DELETE /v1/kvl/a", 204, ""),
    (
        "GET /v1/kvl?list=true",
        200,
        r#"{"request_id":"i","data":{"keys":["a","b/"],"key_info":{"a":{"kind":"x"}}},"lease_id":""}"#,
    ),
    (
        "GET /v1/kvl?list=true&after=a&limit=1",
        200,
        r#"{"request_id":"i","data":{"keys":["b/"]},"lease_id":""}"#,
    ),
    ("GET /v1/kvl?scan=true", 200, r#"{"request_id":"i","data":{"keys":["a","b/c"]},"lease_id":""}"#),
];

#[test]
fn tables_and_documents() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    let outcome = caller.run("read secret/data/fmt/a");
    assert_eq!(outcome.code, 0);
    assert_eq!(
        outcome.stdout,
        "Key         Value\n---         -----\ndata        map[n:7 user:ann]\n\
         metadata    map[created_time:2026-11-24T14:00:00Z custom_metadata:<nil> deletion_time: destroyed:false version:1]\n"
    );
    for line in [
        "read -format=json secret/data/fmt/a",
        "read --format json /secret/data/fmt/a/",
        "read secret/data/fmt/a -format=JSON",
    ] {
        let outcome = caller.run(line);
        let shown: Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(shown["data"]["data"], json!({ "n": "7", "user": "ann" }));
        assert!(shown.get("auth").is_none() && shown["warnings"].is_null(), "{line}");
        assert!(outcome.stdout.find("request_id") < outcome.stdout.find("lease_id"));
    }
    let yaml = caller.run("read -format=yaml secret/data/fmt/a").stdout;
    assert!(yaml.starts_with("data:\n  data:\n    \"n\": \"7\"\n    user: ann\n  metadata:\n"), "{yaml}");
    assert!(yaml.contains("\nlease_id: \"\"\nrenewable: false\nrequest_id: id-1\nwarnings: null\n"));
    assert_eq!(caller.run("read -format=raw secret/data/fmt/a").stdout, SECRET);
    let pretty = caller.run("read -format=pretty secret/data/fmt/a");
    assert_eq!((pretty.code, pretty.stdout.as_str()), (1, ""));
    let by_environment = Caller::of(&server).set("VAULT_FORMAT", "json");
    assert!(by_environment.run("read secret/data/fmt/a").stdout.starts_with('{'));
    assert!(by_environment.run("read -format=table secret/data/fmt/a").stdout.starts_with("Key"));
}

#[test]
fn a_lease_a_ttl_a_big_number_a_warning() {
    let server = Server::new(SCRIPT);
    let outcome = Caller::of(&server).run("read kv/old");
    assert_eq!(
        outcome.stdout,
        "Key                 Value\n---                 -----\nrefresh_interval    768h\nbig                 9007199254740993\n\
         ttl                 1m\nx                   1\n"
    );
    assert!(outcome.stderr.contains("  * careful"));
    let document: Value =
        serde_json::from_str(&Caller::of(&server).run("read -format=json sys/health").stdout).unwrap();
    assert_eq!((&document["data"]["initialized"], &document["request_id"]), (&json!(true), &json!("")));
}

#[test]
fn single_fields_have_no_line_end_in_a_pipe() {
    let server = Server::new(SCRIPT);
    let mut caller = Caller::of(&server);
    assert_eq!(caller.run("read -field=data secret/data/fmt/a").stdout, "map[n:7 user:ann]");
    assert_eq!(
        caller.run("read -field=data -format=json secret/data/fmt/a").stdout,
        "{\n  \"n\": \"7\",\n  \"user\": \"ann\"\n}"
    );
    let outcome = caller.run("read -field=nosuch secret/data/fmt/a");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert_eq!(outcome.stderr, "Field \"nosuch\" not present in secret\n");
    assert_eq!(caller.run("write -field=wrapping_token wrapped x=1").stdout, "hvs.w");
    caller.to_terminal = true;
    assert_eq!(caller.run("write -field=plaintext trf/decrypt/a x=1").stdout, "aGVsbG8=\n");
}

#[test]
fn what_is_not_there_is_2() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    for line in [
        "read nosuch/path",
        "read -format=json nosuch/path",
        "read -format=raw nosuch/path",
        "read -field=x nosuch/path",
    ] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{line}");
        assert_eq!(outcome.stderr, "No value found at nosuch/path\n");
    }
    assert_eq!(caller.run("list kvl/none").code, 2);
    let outcome = caller.run("list -format=json kvl/none");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, "{}\n"));
}

#[test]
fn lists() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    assert_eq!(caller.run("list kvl/").stdout, "Keys\n----\na\nb/\n");
    assert_eq!(caller.run("list -format=json kvl").stdout, "[\n  \"a\",\n  \"b/\"\n]\n");
    assert_eq!(caller.run("list -format=yaml kvl").stdout, "- a\n- b/\n");
    assert_eq!(
        caller.run("list -detailed kvl").stdout,
        "Keys    kind\n----    ----\na       x\nb/      n/a\n"
    );
    assert_eq!(caller.run("list -after=a -limit=1 kvl").stdout, "Keys\n----\nb/\n");
    assert_eq!(caller.run("scan kvl").stdout, "Keys\n----\na\nb/c\n");
}

#[test]
fn writes_say_what_they_did() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server);
    assert_eq!(caller.run("write cubbyhole/a x=1").stdout, "Success! Data written to: cubbyhole/a\n");
    let json = caller.run("write -format=json cubbyhole/a x=1");
    assert_eq!((json.code, json.stdout.as_str()), (0, ""));
    assert_eq!(caller.run("write -field=x cubbyhole/a x=1").code, 1);
    assert_eq!(
        caller.run("write trf/decrypt/a x=1").stdout,
        "Key          Value\n---          -----\nplaintext    aGVsbG8=\n"
    );
    let warned = caller.run("write -force warned");
    assert_eq!(warned.stdout, "Success! Data written to: warned\n");
    assert!(warned.stderr.contains("* look"));
    assert!(
        caller.run("write -f -wrap-ttl=60s wrapped").stdout.contains("wrapping_token_ttl:              1m\n")
    );
    assert_eq!(server.last().headers["x-vault-wrap-ttl"], "60s");
    assert_eq!(caller.run("delete kvl/a").stdout, "Success! Data deleted (if it existed) at: kvl/a\n");
    assert_eq!(caller.run("delete -format=json kvl/a").stdout, "");
    assert_eq!(caller.run("read q version=1").code, 0);
}

#[test]
fn data_comes_from_arguments_files_and_stdin() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server).stdin("from stdin\n");
    std::fs::write(caller.home.path().join("f"), "file").unwrap();
    std::fs::write(caller.home.path().join("d.json"), "{\"n\":9007199254740993,\"o\":{\"a\":[true]}}")
        .unwrap();
    let body = |line: &str| {
        assert_eq!(caller.run(line).code, 0, "{line}");
        server.last().body
    };
    assert_eq!(
        body("write cubbyhole/a a=b=c e= f=@f s=- at=\\@x"),
        json!({ "a": "b=c", "e": "", "f": "file", "s": "from stdin\n", "at": "@x" })
    );
    assert_eq!(body("write cubbyhole/a a=1 a=2 a=3"), json!({ "a": ["1", "2", "3"] }));
    assert_eq!(
        body("write cubbyhole/a @d.json x=1").to_string(),
        "{\"n\":9007199254740993,\"o\":{\"a\":[true]},\"x\":\"1\"}"
    );
    let json = Caller::of(&server).stdin("{\"k\":null}");
    assert_eq!(json.run("write cubbyhole/a -").code, 0);
    assert_eq!(server.last().body, json!({ "k": null }));
    let bad = Caller::of(&server).stdin("{CANARY").run("write cubbyhole/a -");
    assert_eq!(bad.code, 1);
    assert!(!bad.stderr.contains("CANARY"), "{}", bad.stderr);
}

#[test]
fn headers_that_every_request_has() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server).set("VAULT_NAMESPACE", "/team/a/").set("BAO_TOKEN", "bao");
    caller.run("read -header=X-Test=1 -header=X-Other=a=b kv/old");
    let headers = server.last().headers;
    assert_eq!((headers["x-vault-request"].as_str(), headers["x-vault-token"].as_str()), ("true", "bao"));
    assert_eq!(headers["x-vault-namespace"], "team/a");
    assert_eq!((headers["x-test"].as_str(), headers["x-other"].as_str()), ("1", "a=b"));
    Caller::of(&server).unset("VAULT_TOKEN").run("read -ns=b kv/old");
    let headers = server.last().headers;
    assert!(!headers.contains_key("x-vault-token"));
    assert_eq!(headers["x-vault-namespace"], "b");
    let broken = Caller::of(&server).set("VAULT_TOKEN", "a\nb: c").run("read kv/old");
    assert_eq!(broken.code, 2);
    assert!(!broken.stderr.contains("b: c"));
}
