//! What goes in does not come out elsewhere: not in the audit log, not in the server's log, not in an error.

use std::collections::BTreeSet;
use std::process::Command;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use strongroom_tests::process::Plain;
use strongroom_tests::{Answer, Client};

use super::{policy, token};
use crate::monitor::{Follower, followers};

/// Every form in which a text could have been written down.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    // Inside of a longer text base64 begins at any of three places.
    let inside = (0..3).map(|skip| {
        let whole = BASE64.encode(&[&b"xyz"[..skip], bytes].concat());
        whole.get(skip + 2..whole.len() - 4).unwrap_or_default().to_owned()
    });
    let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
    let plain = [
        secret.to_owned(),
        HEXLOWER.encode(bytes),
        HEXLOWER.encode(bytes).to_uppercase(),
        percent,
        HEXLOWER.encode(&wide),
        secret.chars().rev().collect(),
    ];
    plain.into_iter().chain(inside).collect()
}

/// How every canary ends, so that a long log is looked through once and not once for each.
const STEM: &str = "dEf7XqPlantedHere9kQzW";

fn occurs(secret: &str, text: &str) -> bool {
    forms(secret).iter().any(|form| text.contains(form.as_str()))
}

/// The declared fields of a request: (method, path, field).
fn fields(document: &Value) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.trim_start_matches('/').replace("{path}", "kv2-x").replace("{name}", "some");
        for method in ["post", "patch"] {
            let content = &item[method]["requestBody"]["content"];
            for kind in ["application/json", "application/merge-patch+json"] {
                for field in content[kind]["schema"]["properties"].as_object().into_iter().flatten() {
                    all.push((method.to_uppercase(), path.clone(), field.0.clone()));
                }
            }
        }
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            all.push(("GET".into(), path.clone(), parameter["name"].as_str().unwrap().to_owned()));
        }
    }
    all
}

/// What the audit log has in clear because it is for reading it: what the maker of a token notes down, paths, and how much is logged.
const NOTES: &[&str] = &["meta", "path", "paths", "level"];

async fn send(client: &mut Client, method: &str, path: &str, field: &str, value: &Value) -> Answer {
    if method == "GET" {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        return client.send("GET", &format!("{path}?{field}={text}"), None).await.unwrap();
    }
    let body = json!({ field: value }).to_string();
    let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    client.send_kind(method, path, kind, body.into_bytes()).await.unwrap()
}

/// Values only: the names of a body's keys stand in the log in clear, as Vault has it, and SECURITY.md says so.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_4166_2025_62513_and_2024_8365_no_field_of_any_route_leaks() {
    let server = Plain::start().await.unwrap();
    let mut root = server.client();
    let url = format!("http://{}/v1/sys/monitor?log_level=trace", server.address);
    let token = format!("-HX-Vault-Token: {}", root.token);
    let monitor = Follower::start(Command::new("curl").args(["-sSN", &token, &url]));
    followers(&mut root, 1).await;
    for (mount, version) in [("kv1", "1"), ("kv2", "2")] {
        let kind = json!({"type": "kv", "options": {"version": version}});
        root.send("POST", &format!("sys/mounts/{mount}"), Some(&kind)).await.unwrap();
    }
    let document = root.send("GET", "sys/internal/specs/openapi", None).await.unwrap().body;
    let mut canaries = Vec::new();
    let mut seen = BTreeSet::new();
    let mut number = 0;
    for (method, path, field) in fields(&document) {
        seen.insert(field.clone());
        let known = canaries.len();
        let mut canary = || {
            number += 1;
            let text = format!("Canary{number:05}{STEM}");
            canaries.push(text.clone());
            text
        };
        for value in [
            json!(canary()),
            json!([canary()]),
            json!({ "key": canary() }),
            json!([[{ "deep": canary() }]]),
            json!({ "data": { "password": canary() } }),
            json!(format!("path \"{}\" {{", canary())),
            json!(format!("{}h", canary())),
        ] {
            let answer = send(&mut root, &method, &path, &field, &value).await;
            if answer.status >= 400 {
                let body = answer.body.to_string();
                let told = canaries.iter().rev().take(8).find(|canary| body.contains(canary.as_str()));
                assert_eq!(told, None, "{method} {path} {field}={value}: {body}");
            }
        }
        if NOTES.contains(&field.as_str()) {
            canaries.truncate(known);
        }
    }
    for field in ["data", "policy", "policies", "id", "key", "token", "input", "options", "custom_metadata"] {
        assert!(seen.contains(field), "{field} is not among {seen:?}");
    }
    // Secrets themselves, as KV keeps them, and what is no JSON at all.
    for (path, body) in [
        ("kv1/x", r#"{"password": "CanaryOneQz81"}"#),
        ("kv2/data/x", r#"{"data": {"password": "CanaryTwoQz82", "n": {"CanaryKeyQz83": [1]}}}"#),
        ("kv2/data/x", r#"{"data": {"password": "CanaryCutQz84"#),
        ("kv2/data/x", r#""CanaryTextQz85""#),
        ("kv2/data/x", "data=CanaryFormQz86&password=CanaryFormQz87"),
        ("cubbyhole/x", r#"{"own": "CanaryOwnQz88"}"#),
        ("sys/unseal", r#"{"key": "CanaryKeyQz89"}"#),
        ("sys/init", r#"{"secret_shares": "CanaryKeyQz90"}"#),
    ] {
        let answer = root.send_raw("POST", path, &[], body.as_bytes().to_vec()).await.unwrap();
        assert!(!answer.body.to_string().contains("Canary"), "{path}: {}", answer.body);
    }
    let small = ["One", "Two", "Cut", "Text", "Form", "Own"];
    canaries.extend(small.iter().enumerate().map(|(at, word)| format!("Canary{word}Qz8{}", at + 1)));
    canaries.extend(
        [
            "CanaryTwoQz82",
            "CanaryCutQz84",
            "CanaryTextQz85",
            "CanaryFormQz86",
            "CanaryFormQz87",
            "CanaryOwnQz88",
            "CanaryKeyQz89",
            "CanaryKeyQz90",
        ]
        .map(str::to_owned),
    );
    for path in ["kv1/x", "kv2/data/x", "cubbyhole/x"] {
        assert_eq!(root.send("GET", path, None).await.unwrap().status, 200, "{path}");
    }
    canaries.push(root.token.clone());
    canaries.push(server.unseal_key().to_owned());

    let (audit, log) = (server.audit_log(), server.log());
    assert!(audit.lines().count() > 2 * canaries.len() / 3, "the log is too short to be whole");
    let numbered: BTreeSet<&str> = canaries.iter().map(String::as_str).collect();
    let ends = audit.match_indices(STEM).map(|(at, _)| at);
    let found: BTreeSet<&str> = ends
        .filter_map(|at| audit.get(at.checked_sub(11)?..at + STEM.len()))
        .filter(|text| numbered.contains(text))
        .chain(
            canaries.iter().filter(|text| !text.ends_with(STEM) && occurs(text, &audit)).map(String::as_str),
        )
        .collect();
    let first = found.iter().next().and_then(|text| audit.lines().find(|line| line.contains(text)));
    assert!(found.is_empty(), "{found:?} in the audit log: {first:?}");
    let hidden: Vec<String> =
        forms(STEM).into_iter().skip(1).filter(|form| audit.contains(form.as_str())).collect();
    assert!(hidden.is_empty(), "canaries stand in the audit log as {hidden:?}");
    // Somebody has followed it all the while, at every level.
    assert_eq!(root.send("POST", "sys/rotate", None).await.unwrap().status, 204);
    monitor.until("a new term");
    let log = format!("{log}{}", monitor.printed());
    let told: Vec<&String> = canaries.iter().filter(|canary| occurs(canary, &log)).collect();
    assert!(told.is_empty(), "{told:?} in the server's log:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_8365_tokens_and_accessors_are_hashed_wherever_they_are() {
    let server = Plain::start().await.unwrap();
    let mut root = server.client();
    let made = root.send("POST", "auth/token/create", Some(&json!({"policies": ["default"]}))).await.unwrap();
    let auth = &made.body["auth"];
    let (own, accessor) = (auth["client_token"].as_str().unwrap(), auth["accessor"].as_str().unwrap());
    let mut client = server.client();
    client.token = String::new();
    let bearer = format!("Bearer {own}");
    client
        .send_raw("GET", "auth/token/lookup-self", &[("Authorization", &bearer)], Vec::new())
        .await
        .unwrap();
    client.token = own.to_owned();
    client.send("GET", "auth/token/lookup-self", None).await.unwrap();
    client.send("GET", "sys/mounts", None).await.unwrap();
    client.send("POST", "auth/token/renew-self", None).await.unwrap();
    for (path, body) in [
        ("auth/token/lookup", json!({ "token": own })),
        ("auth/token/lookup-accessor", json!({ "accessor": accessor })),
        ("sys/capabilities", json!({ "token": own, "paths": ["x"] })),
        ("sys/capabilities-accessor", json!({ "accessor": accessor, "paths": ["x"] })),
        ("auth/token/renew", json!({ "token": own })),
        ("auth/token/renew-accessor", json!({ "accessor": accessor })),
        ("auth/token/revoke", json!({ "token": own })),
        ("auth/token/lookup", json!({ "token": own })),
    ] {
        root.send("POST", path, Some(&body)).await.unwrap();
    }
    client.send("GET", "auth/token/lookup-self", None).await.unwrap();
    let audit = server.audit_log();
    assert!(audit.lines().count() >= 26, "{} lines", audit.lines().count());
    for secret in [own, accessor, root.token.as_str()] {
        assert!(!occurs(secret, &audit), "{secret} stands in the audit log");
        assert!(!occurs(secret, &server.log()), "{secret} stands in the server's log");
    }
    // And the hash is there, so that a token that was found elsewhere can be looked for.
    let hash = root.send("POST", "sys/audit-hash/log", Some(&json!({ "input": own }))).await.unwrap();
    let hash = hash.body["data"]["hash"].as_str().unwrap().to_owned();
    assert!(server.audit_log().matches(&hash).count() >= 10, "{hash} is not there");
}

/// C21: as many pairs of lines as requests, whatever became of them. The paths that are answered in every state, and heads that
/// are no heads, have none: SECURITY.md says so.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_46358_and_c21_the_log_is_complete() {
    let server = Plain::start().await.unwrap();
    let mut root = server.client();
    root.send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    policy(&mut root, "read", "path \"kv/*\" { capabilities = [\"read\"] }").await;
    let own = token(&mut root, json!({"policies": ["read"]})).await;
    let before = server.audit_log().lines().count();
    let mut asked = 0;
    for token in ["", "made-up", own.as_str(), root.token.clone().as_str()] {
        let mut client = server.client();
        client.token = token.to_owned();
        for (method, path, body) in [
            ("GET", "kv/x", ""),
            ("POST", "kv/x", r#"{"a": "b"}"#),
            ("POST", "kv/x", "no JSON"),
            ("POST", "kv/x", r#"[1]"#),
            ("LIST", "kv", ""),
            ("GET", "absent/x", ""),
            ("GET", "kv/x/", ""),
            ("POST", "kv/x/", "{}"),
            ("GET", "kv/a%2fb", ""),
            ("PATCH", "kv/x", "{}"),
            ("GET", "sys/internal/ui/mounts", ""),
            ("GET", "sys/internal/ui/mounts/kv", ""),
            ("GET", "sys/mounts?help=1", ""),
            ("DELETE", "kv/x", ""),
        ] {
            let answer = client.send_raw(method, path, &[], body.as_bytes().to_vec()).await.unwrap();
            assert!(answer.status < 500, "{method} {path}: {}", answer.body);
            asked += 1;
        }
    }
    let log = server.audit_log();
    let lines: Vec<Value> =
        log.lines().skip(before).map(|line| serde_json::from_str(line).unwrap()).collect();
    for kind in ["request", "response"] {
        assert_eq!(lines.iter().filter(|line| line["type"] == kind).count(), asked, "lines of type {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_13223_2021_3024_and_2021_38554_an_error_says_little_and_nothing_is_cached() {
    let server = Plain::start().await.unwrap();
    let mut client = server.client();
    let folder = server.data_file().parent().unwrap().to_string_lossy().into_owned();
    for token in ["", "made-up", server.root_token.as_str()] {
        client.token = token.to_owned();
        for (method, path, headers, body) in [
            ("GET", "absent", vec![], ""),
            ("GET", "sys/mounts/absent", vec![], ""),
            ("GET", "sys/health", vec![], ""),
            ("GET", "sys/seal-status", vec![], ""),
            ("GET", "sys/health?activecode=oops-Qz", vec![], ""),
            ("GET", "sys/mounts?list=oops-Qz", vec![], ""),
            ("PUT", "sys/unseal", vec![], "{\"key\": \"oops-Qz\"}"),
            ("PUT", "sys/init", vec![], "oops-Qz"),
            ("PUT", "sys/init", vec![], "{\"secret_shares\": \"oops-Qz\"}"),
            ("GET", "sys/mounts", vec![("X-Vault-Wrap-TTL", "oops-Qz")], ""),
            ("GET", "sys/mounts", vec![("X-Vault-Namespace", "oops-Qz//")], ""),
            ("GET", "sys/mounts", vec![("X-Vault-Token", "oops-Qz")], ""),
            ("OOPS", "sys/mounts", vec![], ""),
            ("POST", "auth/token/create", vec![], "{\"ttl\": \"oops-Qz\"}"),
            ("POST", "auth/token/create", vec![], "{\"ttl\": {\"oops-Qz\": 1}}"),
            ("POST", "sys/policies/acl/x", vec![], "{\"policy\": \"path oops-Qz {\"}"),
        ] {
            let answer = client.send_raw(method, path, &headers, body.as_bytes().to_vec()).await.unwrap();
            let text = answer.body.to_string();
            assert_eq!(answer.headers["cache-control"], "no-store", "{method} {path}");
            assert!(answer.headers.get("server").is_none() && answer.headers.get("set-cookie").is_none());
            if answer.status >= 400 && !path.starts_with("sys/health") {
                let only_errors = answer.body.as_object().is_some_and(|body| body.keys().eq(["errors"]));
                assert!(only_errors, "{method} {path}: {text}");
            }
            for never in ["oops-Qz", "127.0.0.1", folder.as_str(), "panicked", ".rs:", "/rustc/", "redb"] {
                let is_told = text.contains(never) && !(never == "redb" && path == "sys/seal-status");
                assert!(!is_told, "{method} {path} tells {never:?}: {text}");
            }
        }
    }
}
