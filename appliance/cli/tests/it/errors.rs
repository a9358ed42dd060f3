//! What goes wrong, on which stream, with which code.

use std::io::Read;

use crate::support::{Caller, Server, nowhere};

const DENIED: &str = "{\"errors\":[\"permission denied\"]}";

#[test]
fn versions() {
    let caller = Caller::at("http://127.0.0.1:1");
    for line in ["version", "-v", "-version", "--version", "version -format=json"] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        assert!(outcome.stdout.starts_with("Strongroom v1.20.0+"), "{line}");
    }
}

#[test]
fn what_is_no_verb_is_127_and_a_group_alone_is_1() {
    let caller = Caller::at("http://127.0.0.1:1");
    for (line, code, hint) in [
        ("", 127, "Usage: strongroom"),
        ("statsu", 127, "Did you mean \"strongroom status\"?"),
        ("frobnicate", 127, "there is no command \"frobnicate\""),
        ("kv", 1, "kv get"),
        ("kv gte a", 1, "Did you mean \"strongroom kv get\"?"),
        ("operator", 1, "operator unseal"),
        ("kv metadata", 1, "kv metadata get"),
        ("-namespace=x read a", 1, "before the command"),
        ("print", 1, "print token"),
    ] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{line}");
        assert!(outcome.stderr.contains(hint), "{line}: {}", outcome.stderr);
    }
}

#[test]
fn help_is_on_stdout_and_has_an_example() {
    let caller = Caller::at("http://127.0.0.1:1");
    for line in ["-h", "--help", "kv -h", "kv metadata --help"] {
        let outcome = caller.run(line);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{line}");
        assert!(outcome.stdout.contains("Usage: strongroom"), "{line}");
    }
    let listed = |text: &str, under: &str| -> Vec<String> {
        let lines = text.split_once(under).unwrap().1.lines().map_while(|line| line.strip_prefix("    "));
        lines.map(|line| line.split("  ").next().unwrap().to_owned()).collect()
    };
    let overview = caller.run("-h").stdout;
    let mut verbs = listed(&overview, "\nCommands:\n");
    for group in listed(&overview, "Groups of commands:\n") {
        verbs.extend(listed(&caller.run(&format!("{group} -h")).stdout, "Commands:\n"));
    }
    assert!(verbs.len() > 50, "{verbs:?}");
    for words in verbs {
        let outcome = caller.run(&format!("{words} --help"));
        assert_eq!(outcome.code, 0, "{words}");
        let example = outcome.stdout.split_once("Example:\n\n    $ ").map(|(_, example)| example.to_owned());
        let example = example.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default();
        assert!(example.starts_with(&format!("strongroom {words}")), "{words}: {example}");
        // An example can be copied: its flags and the number of its arguments are right.
        let line = example.split("    (").next().unwrap().trim_start_matches("strongroom ");
        let tried = caller.run(&format!("{line} -non-interactive -address=http://127.0.0.1:1"));
        for wrong in ["flag provided", "flag needs", "Not enough", "Too many", "invalid value"] {
            let complains = tried.stderr.contains(wrong) && !tried.stderr.contains("-non-interactive");
            assert!(!complains, "{line}: {}", tried.stderr);
        }
    }
}

#[test]
fn flags_that_are_wrong_are_1_and_name_the_nearest() {
    let caller = Caller::at("http://127.0.0.1:1");
    for (line, hint) in [
        ("read -nope a", "flag provided but not defined: -nope"),
        ("read --nope a", "flag provided but not defined: -nope"),
        ("read -filed=x a", "Did you mean -field?"),
        ("read -field", "flag needs an argument: -field"),
        ("read -format=xml a", "Invalid output format: xml"),
        ("list -detailed=maybe a", "invalid boolean value \"maybe\" for -detailed"),
        ("read -header=broken a", "missing = in KV pair"),
        ("read -wrap-ttl=bad a", "invalid value \"bad\" for flag -wrap-ttl"),
        ("operator init -key-shares=abc", "invalid value \"abc\" for flag -key-shares"),
        ("read", "Not enough arguments (expected at least 1, got 0)"),
        ("list", "Not enough arguments (expected 1, got 0)"),
        ("delete", "Not enough arguments (expected at least 1, got 0)"),
        ("operator init abc", "Too many arguments (expected 0, got 1)"),
        ("kv get", "Not enough arguments (expected 1, got 0)"),
        ("kv list", "Not enough arguments"),
        ("kv metadata delete", "Not enough arguments (expected 1, got 0)"),
        ("kv metadata get -field=x -mount=m a", "flag provided but not defined: -field"),
        ("kv get -format=raw a", "does not support the -format=raw"),
        ("kv put a", "Must supply data"),
        ("kv put a abc", "invalid key/value pair \"abc\""),
        ("write a", "Must supply data or use -force"),
        ("write a b=@nosuch", "Failed to read the value of b from nosuch"),
        ("kv undelete a", "No versions provided"),
        ("kv destroy -versions=x a", "no version number"),
        ("login -token-only -no-print t", "cannot be used with"),
        ("login -method=approle", "Unknown auth method: approle"),
        ("operator unseal", "not a terminal"),
    ] {
        let outcome = caller.run(line);
        assert_eq!(
            (outcome.code, outcome.stdout.trim_end()),
            (1, if line == "operator unseal" { "Unseal Key (will be hidden):" } else { "" }),
            "{line}"
        );
        assert!(outcome.stderr.contains(hint), "{line}: {}", outcome.stderr);
    }
    let format = caller.set("VAULT_FORMAT", "xml").run("read a");
    assert_eq!((format.code, format.stderr.as_str()), (1, "Invalid output format: xml\n"));
}

#[test]
fn no_server_is_2_but_1_for_status() {
    let caller = Caller::at(&format!("http://{}", nowhere()));
    let outcome = caller.run("read secret/data/x");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(
        outcome.stderr.starts_with("Error reading secret/data/x: GET \"http://127.0.0.1:"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("refused"));
    assert_eq!(caller.run("status").code, 1);
    for address in ["http://127.0.0.1:bad", "ftp://x", "nonsense"] {
        let outcome = Caller::at(address).run("read a");
        assert_eq!(outcome.code, 2);
        assert!(outcome.stderr.starts_with("failed to create client: "), "{}", outcome.stderr);
    }
    let strange = Caller::at("http://127.0.0.1:1").set("VAULT_CLIENT_TIMEOUT", "soon").run("read a");
    assert_eq!(strange.code, 2);
    assert!(strange.stderr.contains("VAULT_CLIENT_TIMEOUT"));
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let outcome = Caller::at(&url).set("VAULT_CLIENT_TIMEOUT", "100ms").run("read a");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("no answer within"), "{}", outcome.stderr);
}

#[test]
fn what_the_server_refuses_is_2_and_said_in_full() {
    let server = Server::new(&[
        ("GET /v1/sys/mounts", 403, DENIED),
        ("GET /v1/secret/metadata?list=true", 403, DENIED),
        ("DELETE /v1/sys/health", 405, "{\"errors\":[]}"),
        ("PATCH /v1/kvh/data/none", 404, ""),
        ("GET /v1/broken", 502, "<html>"),
    ]);
    let caller = Caller::of(&server);
    let outcome = caller.run("read sys/mounts");
    let expected = format!(
        "Error reading sys/mounts: Error making API request.\n\nURL: GET {}/v1/sys/mounts\nCode: 403. Errors:\n\n* permission denied\n",
        server.url
    );
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr), (2, "", expected));
    assert_eq!(caller.run("read -format=json sys/mounts").stdout, "");
    let outcome = caller.run("list secret/metadata");
    assert!(
        outcome.stderr.starts_with("Error listing secret/metadata: ")
            && outcome.stderr.contains("?list=true\n")
    );
    let outcome = caller.run("delete sys/health");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.ends_with("Code: 405. Errors:\n"), "{}", outcome.stderr);
    let outcome = caller.stdin("{\"data\":{}}").run("patch kvh/data/none -");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.ends_with("Code: 404. Raw Message:\n"), "{}", outcome.stderr);
    let outcome = Caller::of(&server).run("read broken");
    assert!(outcome.stderr.ends_with("Code: 502. Raw Message:\n\n<html>\n"), "{}", outcome.stderr);
}

#[test]
fn refusals_are_tried_again_twice_or_as_often_as_asked_for() {
    let server = Server::new(&[
        ("GET /v1/a", 503, "{\"errors\":[\"Vault is sealed\"]}"),
        ("GET /v1/b", 501, "{}"),
        ("GET /v1/c", 429, "{}"),
    ]);
    let tries = |caller: Caller, path: &str| {
        let before = server.asked().len();
        assert_eq!(caller.run(&format!("read {path}")).code, 2);
        let notices = caller.notices.lock().unwrap().clone();
        (server.asked().len() - before, notices)
    };
    let caller = || Caller::of(&server);
    let twice =
        ["No answer that counts: trying again (1 of 2)", "No answer that counts: trying again (2 of 2)"];
    assert_eq!(tries(caller().unset("VAULT_MAX_RETRIES"), "a"), (3, twice.map(str::to_owned).to_vec()));
    assert_eq!(tries(caller().set("VAULT_MAX_RETRIES", "1"), "a").0, 2);
    assert_eq!(tries(caller(), "a").0, 1);
    for final_answer in ["b", "c"] {
        assert_eq!(tries(caller().unset("VAULT_MAX_RETRIES"), final_answer).0, 1, "{final_answer}");
    }
    let wrong = caller().set("VAULT_MAX_RETRIES", "often").run("read a");
    assert!(wrong.stderr.contains("VAULT_MAX_RETRIES is not a number"), "{}", wrong.stderr);
}

#[test]
fn what_may_have_had_its_effect_is_not_asked_again() {
    // Takes each request and closes without an answer.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let read = socket.read(&mut bytes).unwrap_or(0);
            let _ = tell
                .send(String::from_utf8_lossy(&bytes[..read]).lines().next().unwrap_or_default().to_owned());
        }
    });
    let caller = Caller::at(&format!("http://{address}")).set("VAULT_MAX_RETRIES", "1");
    assert_eq!(caller.run("write a x=1").code, 2);
    assert_eq!(caller.run("read b").code, 2);
    let lines: Vec<String> = told.try_iter().collect();
    assert_eq!(lines, ["PUT /v1/a HTTP/1.1", "GET /v1/b HTTP/1.1", "GET /v1/b HTTP/1.1"]);
    // Nobody was reached: that is no effect.
    let nobody = Caller::at(&format!("http://{}", crate::support::nowhere())).set("VAULT_MAX_RETRIES", "1");
    assert_eq!(nobody.run("write a x=1").code, 2);
    assert_eq!(nobody.notices.lock().unwrap().len(), 1);
}

#[test]
fn what_the_server_says_commands_no_terminal() {
    const EVIL: &str = r#"{"request_id":"1","data":{"x":"a\u001b]0;b\u0007c\rd","keys":["k\u001b[2J"]},"warnings":["w\u001b[A"]}"#;
    let server = Server::new(&[
        ("GET /v1/a", 200, EVIL),
        ("GET /v1/a?list=true", 200, EVIL),
        ("GET /v1/b", 400, r#"{"errors":["no\u001b[31m\u009b1m"]}"#),
        ("GET /v1/c", 502, "raw \u{1b}[5m"),
        (
            "GET /v1/sys/policies/acl/p",
            200,
            r##"{"request_id":"1","data":{"name":"p","policy":"# \u001b[8m"}}"##,
        ),
    ]);
    let caller = |to_terminal| Caller { to_terminal, ..Caller::of(&server) };
    for to_terminal in [true, false] {
        for line in ["read a", "list a", "read b", "read c", "read -format=json a", "read -format=yaml a"] {
            let said = caller(to_terminal).run(line);
            let all = format!("{}{}", said.stdout, said.stderr);
            assert!(!all.contains(['\u{1b}', '\u{7}', '\r', '\u{9b}']), "{line}: {all:?}");
            assert!(all.contains("1b"), "{line}: it is shown: {all:?}");
        }
    }
    for (line, exact) in [
        ("read -field=x a", "a\u{1b}]0;b\u{7}c\rd"),
        ("read -format=raw a", EVIL),
        ("policy read p", "# \u{1b}[8m\n"),
    ] {
        assert_eq!(caller(false).run(line).stdout, exact, "{line}: a program gets it as it is");
        assert!(!caller(true).run(line).stdout.contains(['\u{1b}', '\r']), "{line}: a terminal does not");
    }
}

#[test]
fn no_answer_of_the_server_can_break_it() {
    let server = Server::new(&[
        ("GET /v1/a", 200, "[1]"),
        (
            "GET /v1/b",
            200,
            "{\"data\": {\"keys\": {}}, \"request_id\": 7, \"auth\": [], \"warnings\": {}, \"wrap_info\": 3}",
        ),
        ("GET /v1/c", 200, "no JSON"),
        ("GET /v1/d", 200, ""),
        ("GET /v1/sys/seal-status", 200, "{}"),
        ("GET /v1/sys/internal/ui/mounts/b", 200, "{\"data\":{\"path\":7,\"options\":[]}}"),
    ]);
    let caller = Caller::of(&server);
    for line in [
        "read a",
        "read b",
        "read c",
        "read d",
        "kv get b",
        "kv list b",
        "list b",
        "status",
        "read -field=x b",
        "read -format=yaml b",
    ] {
        let outcome = caller.run(line);
        assert!(outcome.code <= 2, "{line}: {outcome:?}");
    }
    // A status that does not say that it is unsealed is sealed.
    assert_eq!(caller.run("status").code, 2);
}

#[test]
fn a_server_that_sends_elsewhere_has_done_nothing() {
    let server = crate::support::Server::new(&[("PUT /v1/a", 307, "")]);
    let outcome = Caller::of(&server).run("write a b=c");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("nothing was done"), "{}", outcome.stderr);
    assert_eq!(server.asked().len(), 1);
}
