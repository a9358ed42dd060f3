//! Whoever may what: decided anew for each request, and alike however it is asked.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use strongroom_tests::process::{DEV_ROOT, DevServer};
use strongroom_tests::{Client, repository};

use super::{ALL, ask, holding, policy};
use crate::scan;

#[tokio::test(flavor = "multi_thread")]
async fn vault_0_10_1_a_changed_policy_counts_for_the_very_next_request() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    root.send("POST", "secret/data/x", Some(&json!({"data": {"a": "b"}}))).await.unwrap();
    let (may, may_not) = (
        "path \"secret/*\" { capabilities = [\"read\"] }",
        "path \"secret/*\" { capabilities = [\"deny\"] }",
    );
    // Over a connection that stays open, with a token that was looked up before.
    let mut client = holding(&server, "turning", may).await;
    for _ in 0..20 {
        for (text, status) in [(may_not, 403), (may, 200)] {
            policy(&mut root, "turning", text).await;
            assert_eq!(client.send("GET", "secret/data/x", None).await.unwrap().status, status, "{text}");
        }
        root.send("DELETE", "sys/policies/acl/turning", None).await.unwrap();
        assert_eq!(client.send("GET", "secret/data/x", None).await.unwrap().status, 403, "no policy");
        policy(&mut root, "turning", may).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_10661_a_policy_for_a_path_means_nothing_in_a_namespace_of_that_name() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    root.send("POST", "secret/data/x", Some(&json!({"data": {"a": "b"}}))).await.unwrap();
    let text =
        format!("path \"ns1/*\" {{ {ALL} }}\npath \"+/secret/*\" {{ {ALL} }}\npath \"ns1\" {{ {ALL} }}");
    let client = holding(&server, "below", &text).await;
    for namespace in ["ns1", "ns1/", "ns1/secret", "ns1/ns1", "root/ns1"] {
        for path in ["secret/data/x", "ns1/secret/data/x", "sys/mounts", "sys/policies/acl/default", "data/x"]
        {
            let header = format!("X-Vault-Namespace: {namespace}\r\n");
            let (status, whole) =
                ask(server.address, "GET", &format!("/v1/{path}"), &client.token, &header, "").await;
            assert!(status == 403 || status == 404, "{namespace} {path}: {whole}");
        }
    }
    let (status, whole) = ask(server.address, "GET", "/v1/ns1/secret/data/x", &client.token, "", "").await;
    assert_eq!(status, 404, "{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_115366_and_2026_105816_nobody_adds_a_program_to_the_catalogue() {
    let server = DevServer::start().await.unwrap();
    let body = r#"{"name":"x","type":"secret","command":"x","sha256":"00","args":["-c"],"env":["A=b"],"sha_256":"00"}"#;
    for place in ["secret/x", "auth/x", "database/x", "x", "secret/kv", "secret/..%2f..%2fbin%2fsh"] {
        for namespace in ["", "X-Vault-Namespace: ns1\r\n"] {
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                let target = format!("/v1/sys/plugins/catalog/{place}");
                let (status, whole) = ask(server.address, method, &target, DEV_ROOT, namespace, body).await;
                assert!((400..500).contains(&status), "{method} {place} {namespace}: {whole}");
            }
        }
    }
    for kind in ["x", "plugin", "../x", "/bin/sh"] {
        let wish = json!({"type": kind, "plugin_name": "x", "config": {"plugin_name": "x"}});
        let made = server.client().send("POST", "sys/mounts/added", Some(&wish)).await.unwrap();
        assert_eq!(made.status, 400, "{kind}: {}", made.body);
    }
}

/// A condition on parameters holds in whatever form they come.
#[tokio::test(flavor = "multi_thread")]
async fn c3_a_form_is_decided_as_json_is_and_a_content_type_changes_nothing() {
    let server = DevServer::start().await.unwrap();
    server.client().send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    let text = "path \"kv/*\" { capabilities = [\"create\", \"update\"]\n denied_parameters = { \"no\" = [], \"only\" = [\"bad*\"] }\n required_parameters = [\"must\"] }";
    let mut client = holding(&server, "conditions", text).await;
    for (json, form, may) in [
        (r#"{"must": "1"}"#, "must=1", true),
        (r#"{"must": "1", "no": "x"}"#, "must=1&no=x", false),
        (r#"{"must": "1", "NO": "x"}"#, "must=1&NO=x", false),
        (r#"{"must": "1", "no": ""}"#, "must=1&no=", false),
        (r#"{"no": "x", "must": "1"}"#, "n%6f=x&must=1", false),
        (r#"{"must": "1", "only": "badly"}"#, "must=1&only=badly", false),
        (r#"{"must": "1", "only": "good"}"#, "must=1&only=good", true),
        (r#"{"other": "1"}"#, "other=1", false),
    ] {
        for (kind, body) in [
            ("application/json", json),
            ("text/plain", json),
            ("application/octet-stream", json),
            ("application/x-www-form-urlencoded", json),
            ("application/x-www-form-urlencoded", form),
        ] {
            let answer = client.send_kind("POST", "kv/x", kind, body.as_bytes().to_vec()).await.unwrap();
            let expected = if may { 204 } else { 403 };
            assert_eq!(answer.status, expected, "{kind}: {body}: {}", answer.body);
        }
    }
}

/// The whole answer but what differs between any two: the request's id and the date.
async fn login(server: &DevServer, user: &str, password: &str) -> String {
    let body = json!({ "password": password }).to_string();
    let target = format!("/v1/auth/userpass/login/{user}");
    let (_, whole) = ask(server.address, "POST", &target, "", "", &body).await;
    let lines = whole.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_35177_and_2023_3462_who_exists_is_not_told() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    root.send("POST", "sys/auth/userpass", Some(&json!({"type": "userpass"}))).await.unwrap();
    root.send("POST", "auth/userpass/users/ann", Some(&json!({"password": "pw"}))).await.unwrap();
    let wrong = login(&server, "ann", "wrong").await;
    assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    for user in ["nobody", "Nobody", "n%20n", "ann%20", "%20ann", "root", &"x".repeat(300)] {
        assert_eq!(login(&server, user, "wrong").await, wrong, "{user}");
        assert_eq!(login(&server, user, "pw").await, wrong, "{user}");
    }
    assert!(login(&server, "ANN", "pw").await.starts_with("HTTP/1.1 200"));
}

/// The sources of the programs.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|kind| kind == "rs") {
            found.push((entry.display().to_string(), scan::code(&fs::read_to_string(&entry).unwrap())));
        }
    }
}

/// Whether a line compares the bytes of a secret, which stops at the first that differs.
fn compares(line: &str) -> bool {
    let is_shown = |side: &str| side.contains(".expose()") || side.contains(".expose_str()");
    ["==", "!="].iter().any(|sign| line.split_once(sign).is_some_and(|(a, b)| is_shown(a) || is_shown(b)))
}

#[test]
fn ghsa_34fc_gh42_pj53_and_rustsec_2022_0018_no_secret_is_compared_byte_by_byte() {
    assert!(compares("if given.expose() == stored.expose() {") && compares("a != b.expose_str()"));
    assert!(!compares("if given == stored {") && !compares("let bytes = key.expose();"));
    let mut all = Vec::new();
    for folder in ["appliance", "hsm-bridge", "tpm"] {
        sources(&repository().join(folder), &mut all);
    }
    assert!(all.len() > 200);
    // What the fuzzers call compares frames that they have made up themselves.
    let is_test =
        |file: &str| ["test", "/examples/", "device-api/src/wire.rs"].iter().any(|part| file.contains(part));
    for (file, code) in all.iter().filter(|(file, _)| !is_test(file)) {
        // Tests at the end of a file may.
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            assert!(!compares(line), "{file}:{}: compare the secrets themselves: {line}", number + 1);
        }
    }
}

/// What other servers answer at once for many, and each for itself here: no path takes several requests in one.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33343_33413_and_44283_there_is_no_request_within_a_request() {
    let server = DevServer::start().await.unwrap();
    let text = "path \"secret/data/open\" { capabilities = [\"create\", \"update\", \"read\"] }";
    let mut client: Client = holding(&server, "one", text).await;
    let inner = json!({"path": "secret/data/closed", "operation": "create", "data": {"a": "b"}});
    for body in [
        json!({"data": {"a": "b"}, "operations": [inner], "requests": [inner], "batch_input": [inner]}),
        json!({"data": {"a": "b"}, "path": "closed", "key": "closed", "mount": "secret"}),
    ] {
        client.send("POST", "secret/data/open", Some(&body)).await.unwrap();
        let closed = server.client().send("GET", "secret/data/closed", None).await.unwrap();
        assert_eq!((closed.status, &closed.body["data"]), (404, &Value::Null), "{body}");
    }
}
