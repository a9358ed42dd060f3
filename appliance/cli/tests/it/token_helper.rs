//! A program that the user names keeps the token.

use std::fs;
use std::process::Command;

use crate::support::{Caller, Script, Server};

const LOOKUP: Script = &[
    (
        "GET /v1/auth/token/lookup-self",
        200,
        r#"{"request_id":"","data":{"id":"t1","policies":["root"],"ttl":0}}"#,
    ),
    ("PUT /v1/auth/token/revoke-self", 204, ""),
];

/// A caller whose `.vault` names a helper with this text; without a token in the environment.
#[allow(clippy::disallowed_methods)] // a test writes a program
fn caller(server: &Server, helper: &str) -> Caller {
    let caller = Caller::of(server).unset("VAULT_TOKEN").set("PATH", "/usr/bin:/bin");
    let path = caller.home.path().join("my helper");
    let text = caller.home.path().join("text");
    fs::write(&text, format!("#!/bin/sh\n{helper}\n")).unwrap();
    // Not written here: a child that another test starts meanwhile would hold it open, and what is open for writing
    // is not run ("Text file busy").
    let made = Command::new("install").arg("-m700").args([&text, &path]).status().unwrap();
    assert!(made.success());
    let config = format!("token_helper = \"{}\" # mine\n", path.display());
    fs::write(caller.home.path().join(".vault"), config).unwrap();
    caller
}

const KEEPS: &str = r#"case "$1" in
get) cat "$HOME/kept" 2>/dev/null || : ;;
store) cat >"$HOME/kept" ;;
erase) rm -f "$HOME/kept" ;;
esac"#;

#[test]
fn a_helper_keeps_gives_and_forgets_the_token() {
    let server = Server::new(LOOKUP);
    let caller = caller(&server, KEEPS);
    assert_eq!(caller.run("print token").stdout, "\n");
    assert_eq!(caller.run("login -no-print t1").code, 0);
    assert_eq!(fs::read_to_string(caller.home.path().join("kept")).unwrap(), "t1");
    assert!(!caller.home.path().join(".vault-token").exists(), "the file is not used beside a helper");
    assert_eq!(caller.run("print token").stdout, "t1\n");
    assert_eq!(caller.run("token lookup").code, 0);
    assert_eq!(server.last().headers["x-vault-token"], "t1");
    assert_eq!(caller.run("token revoke -self").code, 0);
    assert!(!caller.home.path().join("kept").exists());
    assert_eq!(caller.run("print token").stdout, "\n");
}

#[test]
fn a_helper_that_fails_is_named() {
    let server = Server::new(LOOKUP);
    let broken = caller(&server, "echo the safe is locked >&2; exit 3");
    let outcome = broken.run("token lookup");
    assert_ne!(outcome.code, 0);
    assert!(
        outcome.stderr.contains("my helper") && outcome.stderr.contains("the safe is locked"),
        "{}",
        outcome.stderr
    );
    for (config, hint) in [
        ("token_helper = \"relative\"", "begins with /"),
        ("token_helper = ", "line 1"),
        ("other = 1", ".vault: "),
    ] {
        fs::write(broken.home.path().join(".vault"), config).unwrap();
        let outcome = broken.run("print token");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{config}");
        assert!(outcome.stderr.contains(hint), "{config}: {}", outcome.stderr);
    }
    // The environment wins, and then nobody asks the helper.
    assert_eq!(broken.set("VAULT_TOKEN", "t2").run("print token").stdout, "t2\n");
}
