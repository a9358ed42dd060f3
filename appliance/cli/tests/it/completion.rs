//! What a shell is offered, and how it comes to ask.

use std::fs;

use crate::support::{Caller, Script, Server};

const SERVER: Script = &[
    (
        "GET /v1/sys/internal/ui/mounts",
        200,
        r#"{"request_id":"","data":{"secret":{"secret/":{"options":{"version":"2"}},"old/":{"options":null}},
            "auth":{"token/":{}}}}"#,
    ),
    ("GET /v1/secret/metadata?list=true", 200, r#"{"request_id":"","data":{"keys":["app/","web"]}}"#),
    ("GET /v1/secret/metadata/app?list=true", 200, r#"{"request_id":"","data":{"keys":["db"]}}"#),
    ("GET /v1/old?list=true", 200, r#"{"request_id":"","data":{"keys":["x","y/"]}}"#),
    (
        "GET /v1/sys/policies/acl?list=true",
        200,
        r#"{"request_id":"","data":{"keys":["default","dev","root"]}}"#,
    ),
    ("GET /v1/sys/auth", 200, r#"{"request_id":"","data":{"token/":{},"userpass/":{}}}"#),
];

fn offered(caller: &Caller, line: &str) -> Vec<String> {
    let outcome = caller.words(&["ignored", line, line]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{line}");
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn words_flags_and_paths_are_offered() {
    let server = Server::new(SERVER);
    for (line, expected) in [
        ("strongroom op", &["operator"][..]),
        ("strongroom serv", &["server"]),
        ("strongroom kv metadata p", &["patch", "put"]),
        ("strongroom read -form", &["-format"]),
        ("strongroom read --form", &["--format"]),
        ("strongroom read -format ", &["json", "table", "yaml"]),
        ("strongroom kv get ", &["old/", "secret/"]),
        ("strongroom kv get secret/", &["secret/app/", "secret/web"]),
        ("strongroom kv get secret/app/", &["secret/app/db"]),
        ("strongroom kv get -mount=secret a", &["app/"]),
        ("strongroom kv get -mount secret app/d", &["app/db"]),
        ("strongroom kv get -mount ", &["old/", "secret/"]),
        ("strongroom list o", &["old/"]),
        ("strongroom list old/", &["old/x", "old/y/"]),
        ("strongroom read secret/me", &["secret/metadata/"]),
        ("strongroom read secret/data/w", &["secret/data/web"]),
        ("strongroom policy read d", &["default", "dev"]),
        ("strongroom auth disable u", &["userpass/"]),
        ("strongroom secrets enable k", &["kv"]),
        ("strongroom nosuch ", &[]),
        ("strongroom", &[]),
        ("", &[]),
    ] {
        let caller = Caller::of(&server).set("COMP_LINE", line);
        assert_eq!(offered(&caller, line), expected, "{line}");
    }
    let caller = Caller::of(&server).set("COMP_LINE", "strongroom kv ge secret/").set("COMP_POINT", "16");
    assert_eq!(offered(&caller, "the cursor stands within the line"), ["get"]);
}

#[test]
fn a_server_that_does_not_answer_offers_nothing_and_says_nothing() {
    for (name, value) in
        [("VAULT_ADDR", "http://127.0.0.1:1"), ("VAULT_ADDR", "nonsense"), ("VAULT_MFA", "x")]
    {
        let caller = Caller::at("http://127.0.0.1:1").set(name, value).set("COMP_LINE", "strongroom read a");
        assert!(offered(&caller, value).is_empty());
    }
}

#[test]
fn shells_are_told_once_and_forget_again() {
    let caller = Caller::at("http://127.0.0.1:1");
    let home = caller.home.path();
    assert!(caller.run("-autocomplete-install").stdout.contains("Nothing to do"));
    fs::write(home.join(".bashrc"), "alias a=b").unwrap();
    fs::write(home.join(".zshrc"), "").unwrap();
    fs::create_dir_all(home.join(".config/fish")).unwrap();
    assert_eq!(caller.run("-autocomplete-install").stdout.lines().count(), 3);
    assert!(caller.run("-autocomplete-install").stdout.contains("Nothing to do"));
    let bash = fs::read_to_string(home.join(".bashrc")).unwrap();
    assert_eq!(bash, format!("alias a=b\n{}", caller.run("completion bash").stdout));
    let fish = home.join(".config/fish/completions/strongroom.fish");
    assert_eq!(fs::read_to_string(&fish).unwrap(), caller.run("completion fish").stdout);
    assert!(fs::read_to_string(home.join(".zshrc")).unwrap().contains("bashcompinit"));
    assert_eq!(caller.run("-autocomplete-uninstall").stdout.lines().count(), 3);
    assert_eq!(fs::read_to_string(home.join(".bashrc")).unwrap(), "alias a=b\n");
    assert!(!fish.exists());
    assert_eq!(caller.run("completion tcsh").code, 1);
}
