//! The token: where it comes from and where it goes.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{Caller, Script, Server};

const SCRIPT: Script = &[(
    "GET /v1/auth/token/lookup-self",
    200,
    r#"{"request_id":"i","lease_id":"","data":{"id":"s.1","accessor":"acc","policies":["default","dev"],"identity_policies":["id"],"meta":{"username":"ann"},"ttl":600,"renewable":true,"orphan":true,"entity_id":"e"}}"#,
)];

fn caller(server: &Server) -> Caller {
    Caller::of(server).unset("VAULT_TOKEN")
}

fn stored(caller: &Caller) -> Option<String> {
    std::fs::read_to_string(caller.home.path().join(".vault-token")).ok()
}

#[test]
fn a_token_is_looked_up_then_kept() {
    let server = Server::new(SCRIPT);
    let caller = caller(&server);
    let outcome = caller.run("login s.1");
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.starts_with("Success! You are logged in."));
    assert!(outcome.stdout.ends_with(
        "Key                    Value\n---                    -----\ntoken                  s.1\ntoken_accessor         acc\n\
         token_duration         10m\ntoken_renewable        true\ntoken_policies         [\"default\" \"dev\"]\n\
         identity_policies      [\"id\"]\npolicies               [\"default\" \"dev\" \"id\"]\ntoken_meta_username    ann\n"
    ), "{}", outcome.stdout);
    assert_eq!(server.last().headers["x-vault-token"], "s.1");
    assert_eq!(stored(&caller).as_deref(), Some("s.1"));
    let mode = std::fs::metadata(caller.home.path().join(".vault-token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    caller.run("read a");
    assert_eq!(server.last().headers["x-vault-token"], "s.1");
    assert_eq!(caller.run("print token").stdout, "s.1\n");
}

#[test]
fn a_token_can_be_typed_piped_or_named() {
    let server = Server::new(SCRIPT);
    let mut typed = caller(&server);
    assert_eq!(typed.run("login").code, 2);
    typed.typed = Some("s.typed");
    let outcome = typed.run("login -no-print");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "Token (will be hidden): \n"));
    assert_eq!(stored(&typed).as_deref(), Some("s.typed"));
    let piped = caller(&server).stdin("s.piped\n");
    assert_eq!(piped.run("login -").code, 0);
    assert_eq!(stored(&piped).as_deref(), Some("s.piped"));
    let named = caller(&server);
    assert_eq!(named.run("login token=s.named").code, 0);
    assert_eq!(stored(&named).as_deref(), Some("s.named"));
    assert_eq!(named.run("login hvb.AAAA==").code, 0);
    assert_eq!(stored(&named).as_deref(), Some("hvb.AAAA=="));
    assert_eq!(named.words(&["login", ""]).code, 2);
}

#[test]
fn a_wrong_token_is_not_kept() {
    let server =
        Server::new(&[("GET /v1/auth/token/lookup-self", 403, "{\"errors\":[\"permission denied\"]}")]);
    let caller = caller(&server);
    let outcome = caller.run("login wrong");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.starts_with("Error authenticating: "), "{}", outcome.stderr);
    assert_eq!(stored(&caller), None);
}

#[test]
fn what_is_printed_and_kept_can_be_chosen() {
    let server = Server::new(SCRIPT);
    let caller = caller(&server);
    let outcome = caller.run("login -token-only s.1");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("s.1", ""));
    assert_eq!(stored(&caller), None);
    let outcome = caller.run("login -no-store s.1");
    assert!(outcome.stderr.contains("not stored"));
    assert_eq!(stored(&caller), None);
    assert_eq!(caller.run("login -field=token_duration s.1").stdout, "600");
    let document: Value = serde_json::from_str(&caller.run("login -format=json s.1").stdout).unwrap();
    assert_eq!(document["auth"]["client_token"], json!("s.1"));
    assert_eq!(document["data"], Value::Null);
    let in_environment = Caller::of(&server).run("login s.1");
    assert!(in_environment.stderr.contains("WARNING!"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let server = Server::new(SCRIPT);
    let caller = Caller::of(&server).set("VAULT_TOKEN", "from-env");
    std::fs::write(caller.home.path().join(".vault-token"), "from-file\n").unwrap();
    assert_eq!(caller.run("print token").stdout, "from-env\n");
    let caller = caller.unset("VAULT_TOKEN");
    assert_eq!(caller.run("print token").stdout, "from-file\n");
    let other = caller.home.path().join("other");
    std::fs::write(&other, "elsewhere").unwrap();
    assert_eq!(
        caller.set("VAULT_TOKEN_PATH", other.to_str().unwrap()).run("print token").stdout,
        "elsewhere\n"
    );
    assert_eq!(Caller::of(&server).unset("VAULT_TOKEN").run("print token").stdout, "\n");
}

#[test]
fn the_lookup_of_a_login_is_not_wrapped_and_an_agent_is_asked_first() {
    const LOOKUP: crate::support::Script = &[(
        "GET /v1/auth/token/lookup-self",
        200,
        r#"{"request_id":"","data":{"id":"t1","policies":["root"],"ttl":0}}"#,
    )];
    let server = Server::new(LOOKUP);
    let caller = Caller::at("http://127.0.0.1:1").set("VAULT_AGENT_ADDR", &server.url);
    assert_eq!(caller.run("login -wrap-ttl=5m -no-print t1").code, 0);
    assert!(!server.last().headers.contains_key("x-vault-wrap-ttl"));
    assert_eq!(caller.run("login -address=http://127.0.0.1:1 -no-print t1").code, 2);
    assert_eq!(caller.run(&format!("login -agent-address={} -no-print t1", server.url)).code, 0);
}

#[test]
fn a_login_by_password_sends_no_token_and_asks_for_what_is_missing() {
    const LOGIN: crate::support::Script = &[(
        "PUT /v1/auth/people/login/ann",
        200,
        r#"{"request_id":"","auth":{"client_token":"t2","policies":["default"],"lease_duration":60}}"#,
    )];
    let server = Server::new(LOGIN);
    let mut caller = Caller::of(&server);
    let line = "login -method=userpass -path=people/ -no-store -field=token username=ann";
    assert_eq!(caller.run(&format!("{line} password=pw")).stdout, "t2");
    assert_eq!(server.last().body, serde_json::json!({ "password": "pw" }));
    assert!(!server.last().headers.contains_key("x-vault-token"));
    assert_eq!(caller.run(&format!("{line} -non-interactive")).code, 1);
    assert_eq!(caller.run(line).code, 2, "there is no terminal");
    caller.typed = Some("typed");
    assert_eq!(caller.run(line).code, 0);
    assert_eq!(server.last().body, serde_json::json!({ "password": "typed" }));
    let piped = caller.stdin("piped\n").run(&format!("{line} password=-"));
    assert_eq!((piped.code, server.last().body), (0, serde_json::json!({ "password": "piped" })));
}
