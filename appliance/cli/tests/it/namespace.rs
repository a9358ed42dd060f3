//! `namespace`, and what only clusters and servers with namespaces can do.

use serde_json::json;

use crate::support::{Caller, Script, Server};

const TEAM: &str =
    r#"{"request_id":"1","data":{"custom_metadata":{"a":"1"},"id":"x","locked":false,"path":"team/"}}"#;
const SERVER: Script = &[
    ("PUT /v1/sys/namespaces/team", 200, TEAM),
    ("GET /v1/sys/namespaces/team", 200, TEAM),
    ("PATCH /v1/sys/namespaces/team", 200, TEAM),
    ("DELETE /v1/sys/namespaces/team", 200, r#"{"request_id":"1","data":null,"warnings":["soon"]}"#),
    (
        "GET /v1/sys/namespaces?list=true",
        200,
        r#"{"request_id":"1","data":{"keys":["team/"],"key_info":{"team/":{"id":"x"}}}}"#,
    ),
    ("GET /v1/sys/namespaces?scan=true", 200, r#"{"request_id":"1","data":{"keys":["team/","team/a/"]}}"#),
    ("PUT /v1/sys/namespaces/api-lock/lock/team", 200, r#"{"request_id":"1","data":{"unlock_key":"k"}}"#),
    ("PUT /v1/sys/namespaces/api-lock/unlock/team", 204, ""),
];

#[test]
fn namespaces_are_made_found_changed_locked_and_destroyed() {
    let server = Server::new(SERVER);
    let caller = Caller::of(&server);
    let made = caller.run("namespace create -custom-metadata=a=1 team/");
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(made.stdout.contains("path               team/"), "{}", made.stdout);
    assert_eq!(server.last().body, json!({ "custom_metadata": { "a": "1" } }));
    for (line, expected) in [
        ("namespace lookup -format=json team", "\"path\": \"team/\""),
        ("namespace lookup -field=id team", "x"),
        ("namespace list", "Keys\n----\nteam/\n"),
        ("namespace list -detailed -format=json", "{\n  \"team/\": {\n    \"id\": \"x\"\n  }\n}\n"),
        ("namespace scan -format=json", "\"team/a/\""),
        ("namespace lock -field=unlock_key team", "k"),
        ("namespace unlock -unlock-key=k team", "Success! Namespace unlocked"),
        ("namespace delete team", "Success! Namespace deletion scheduled: team/"),
    ] {
        let said = caller.run(line);
        assert_eq!(said.code, 0, "{line}: {}", said.stderr);
        assert!(said.stdout.contains(expected), "{line}: {}", said.stdout);
    }
    let json = caller.run("namespace lookup -format=json team").stdout;
    assert!(!json.contains("request_id"), "only the data: {json}");
    caller.run("namespace patch -custom-metadata=b=2 -remove-custom-metadata=a team");
    assert_eq!(server.last().body, json!({ "custom_metadata": { "b": "2", "a": null } }));
    assert_eq!(server.last().headers["content-type"], "application/merge-patch+json");
    assert_eq!(caller.run("namespace patch team").code, 1);
    let missing = caller.run("namespace lookup none");
    assert_eq!((missing.code, missing.stderr.as_str()), (2, "Namespace not found\n"));
}

#[test]
fn a_server_without_namespaces_or_a_cluster_is_named_as_one() {
    let server = Server::new(&[]);
    for line in ["create a", "patch -custom-metadata=a=1 a", "delete a", "lock a", "unlock a"] {
        let said = Caller::of(&server).run(&format!("namespace {line}"));
        assert_eq!(said.code, 2, "{line}");
        assert!(
            said.stderr.contains("this server has no namespaces: everything is in the root"),
            "{}",
            said.stderr
        );
    }
    let asked = server.asked().len();
    for line in ["list-peers", "join https://a:1", "snapshot save -force a", "autopilot state"] {
        let said = Caller::of(&server).run(&format!("operator raft {line}"));
        assert_eq!(said.code, 2, "{line}");
        assert!(said.stderr.contains("No raft cluster configuration found"), "{}", said.stderr);
    }
    assert_eq!(server.asked().len(), asked, "no server is asked");
}

#[test]
fn configurations_are_checked_without_a_server() {
    let caller = Caller::at("http://127.0.0.1:1");
    let good = caller.run("operator validate-config -config=good.hcl");
    assert_eq!(
        (good.code, good.stdout.as_str()),
        (0, "[ warning ] ui is ignored\n[ success ] Validate Config\n")
    );
    let bad = caller.run("operator validate-config -config=bad.hcl");
    assert_eq!(bad.code, 1);
    assert!(
        bad.stdout.ends_with("[ problem ] a.hcl:2:1: wrong too\n[ failure ] Validate Config\n"),
        "{}",
        bad.stdout
    );
    assert_eq!(caller.run("operator validate-config").code, 1);
}
