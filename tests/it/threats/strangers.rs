//! Whoever has no token: learns nothing, changes nothing, and costs little.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use strongroom_tests::process::{DEV_ROOT, DevServer, Plain, errors};
use strongroom_tests::{Client, binary};

use super::{ALL, ask, holding, raw};

/// The operations that the OpenAPI document shows root: method, path with its parameters filled in, and the item.
async fn operations(server: &DevServer) -> Vec<(String, String, Value)> {
    let document = server.client().send("GET", "sys/internal/specs/openapi", None).await.unwrap().body;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled: Vec<&str> = path
            .trim_start_matches('/')
            .split('/')
            .map(|part| match part {
                "{path}" => "secret",
                part if part.starts_with('{') => "default",
                literal => literal,
            })
            .collect();
        let filled = filled.join("/");
        for method in ["get", "post", "put", "patch", "delete"] {
            if item[method].is_object() {
                all.push((method.to_uppercase(), filled.clone(), item.clone()));
            }
        }
        // The document has LIST as GET with `list`.
        if item["get"].to_string().contains("\"list\"") {
            all.push(("LIST".into(), filled.clone(), item.clone()));
        }
    }
    assert!(all.len() > 40, "{} operations", all.len());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_what_needs_no_token_is_known_and_nothing_else_is_answered() {
    let server = DevServer::start().await.unwrap();
    let document = server.client().send("GET", "sys/internal/specs/openapi", None).await.unwrap().body;
    let open: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| item["x-vault-unauthenticated"] == true)
        .map(|(path, _)| path.as_str())
        .collect();
    // The pinned ones, as the binary lists them (appliance/src/routes/tests.rs); the logins are none of the system's.
    let listed =
        Command::new(binary("strongroom")).args(["routes", "-unauthenticated", "-format=json"]).output();
    let listed: Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    let listed = listed.as_array().unwrap().iter().map(|operation| operation["path"].as_str().unwrap());
    let pinned: BTreeSet<&str> = listed.filter(|path| path.starts_with("/sys/")).collect();
    assert_eq!(open.into_iter().collect::<BTreeSet<_>>(), pinned);
    for token in ["", "hvs.CAESIJwrong", "made-up"] {
        let mut nobody = Client::plain(server.address, token);
        for (method, path, item) in operations(&server).await {
            if item["x-vault-unauthenticated"] == true {
                continue;
            }
            let answer = nobody.send(&method, &path, Some(&json!({}))).await.unwrap();
            // A token that opens a wrapped answer by itself is told that somebody may have done so already.
            let opens =
                !token.is_empty() && ["sys/wrapping/unwrap", "sys/wrapping/rewrap"].contains(&path.as_str());
            let expected = match opens {
                true => (400, "wrapping token is not valid or does not exist"),
                false => (403, "permission denied"),
            };
            assert_eq!((answer.status, errors(&answer.body).as_str()), expected, "{method} {path}");
        }
    }
    // Still there, and nothing was done.
    assert_eq!(server.client().send("GET", "sys/policies/acl/default", None).await.unwrap().status, 200);
    assert_eq!(server.client().send("GET", "sys/mounts/secret", None).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_what_asks_for_sudo_is_refused_without_it() {
    let server = DevServer::start().await.unwrap();
    let mut client = holding(&server, "no-sudo", &format!("path \"*\" {{ {ALL} }}")).await;
    let mut sudo = Vec::new();
    for (method, path, item) in operations(&server).await {
        if item["x-vault-sudo"] == true {
            let answer = client.send(&method, &path, Some(&json!({}))).await.unwrap();
            // A route that only lists has no read.
            let is_no_such = method == "GET" && answer.status == 405;
            assert!(answer.status == 403 || is_no_such, "{method} {path}: {}", answer.body);
            sudo.push(path);
        }
    }
    for path in
        ["sys/audit", "sys/audit/secret", "sys/rotate", "sys/seal", "sys/clock", "auth/token/accessors"]
    {
        assert!(sudo.iter().any(|known| known == path), "{path} asks for no sudo: {sudo:?}");
    }
    for wish in [json!({"no_parent": true}), json!({"id": "mine"}), json!({"period": "1h"})] {
        let made = client.send("POST", "auth/token/create", Some(&wish)).await.unwrap();
        assert_eq!(made.status, 400, "{wish}: {}", made.body);
    }
    assert_eq!(client.send("GET", "sys/mounts", None).await.unwrap().status, 200, "it is still open");
}

/// An answer without what differs between any two: date and request id.
async fn shape(server: &DevServer, method: &str, path: &str, token: &str) -> String {
    let (_, whole) = ask(server.address, method, &format!("/v1/{path}"), token, "", "").await;
    whole.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_25594_what_is_mounted_is_not_told() {
    let server = DevServer::start().await.unwrap();
    server.client().send("POST", "sys/mounts/hidden", Some(&json!({"type": "kv"}))).await.unwrap();
    server.client().send("POST", "hidden/x", Some(&json!({"a": "b"}))).await.unwrap();
    let powerless =
        holding(&server, "powerless", "path \"nothing/at/all\" { capabilities = [\"read\"] }").await;
    for token in ["", "made-up", "hvs.0000000000000000000000000000000000000000", &powerless.token] {
        for method in ["GET", "LIST", "POST", "PUT", "PATCH", "DELETE", "SCAN"] {
            let absent = shape(&server, method, "absent/x", token).await;
            assert!(absent.starts_with("HTTP/1.1 403"), "{method}: {absent}");
            for path in [
                "hidden/x",
                "hidden/absent",
                "hidden",
                "absent",
                "secret/data/x",
                "secret/wrong-table",
                "secret/config",
                "auth/absent/login/x",
                "sys/absent",
                "sys/mounts/hidden",
                "sys/mounts/absent",
                "sys/policies/acl/default",
                "sys/policies/acl/absent",
                "auth/token/lookup",
                "cubbyhole/x",
                "identity/entity",
            ] {
                assert_eq!(
                    shape(&server, method, path, token).await,
                    absent,
                    "{method} {path}, token {token:?}"
                );
            }
            // Nor does a body that is wrong for what is there tell that it is.
            for body in ["", "no JSON", "[]", r#"{"data": 1}"#, r#"{"type": {}}"#] {
                for path in [
                    "secret/data/x",
                    "hidden/x",
                    "sys/mounts/absent",
                    "sys/policies/acl/x",
                    "auth/token/create",
                ] {
                    let target = format!("/v1/{path}?version=x&limit=y");
                    let (status, whole) = ask(server.address, method, &target, token, "", body).await;
                    assert_eq!(status, 403, "{method} {path} {body:?}, token {token:?}: {whole}");
                }
            }
        }
        let absent = shape(&server, "GET", "sys/internal/ui/mounts/absent", token).await;
        for path in ["hidden", "hidden/x", "secret", "cubbyhole", "sys", "absent/x", "auth/token"] {
            let path = format!("sys/internal/ui/mounts/{path}");
            assert_eq!(shape(&server, "GET", &path, token).await, absent, "{path}, token {token:?}");
        }
        let (status, all) = ask(server.address, "GET", "/v1/sys/internal/ui/mounts", token, "", "").await;
        assert!(status == 200 && !all.contains("hidden") && !all.contains("secret/"), "{all}");
        let (_, all) = ask(server.address, "GET", "/v1/sys/internal/specs/openapi", token, "", "").await;
        assert!(!all.contains("/hidden"), "the document names a mount, token {token:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_12044_and_6203_a_body_is_not_read_before_the_token_is_known() {
    let server = DevServer::start().await.unwrap();
    for token in ["", "made-up", "hvs.0000000000000000000000000000000000000000"] {
        for path in ["secret/data/x", "absent", "sys/policies/acl/x", "auth/token/create"] {
            // Promised and never sent: the answer comes all the same.
            let head = format!(
                "POST /v1/{path} HTTP/1.1\r\nHost: v\r\nConnection: close\r\nX-Vault-Token: {token}\r\nContent-Length: 30000000\r\n\r\n{{"
            );
            let answer = raw(server.address, head).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
        }
    }
    // The two that read one all the same read little, and nothing deep.
    let mut nobody = Client::plain(server.address, "");
    for path in ["sys/unseal", "sys/init"] {
        let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        let wide = format!("{{\"key\":[{}1]}}", "1,".repeat(30_000));
        for (body, most) in
            [(deep, 413), (wide, 413), (format!("{{\"key\":\"{}\"}}", "a".repeat(70_000)), 413)]
        {
            let answer = nobody.send_raw("PUT", path, &[], body.into_bytes()).await.unwrap();
            assert!(answer.status == most || answer.status == 400, "{path}: {}", answer.status);
        }
        let head = format!(
            "PUT /v1/{path} HTTP/1.1\r\nHost: v\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n"
        );
        assert!(raw(server.address, head).await.starts_with("HTTP/1.1 413"), "{path}");
    }
}

/// Memory of the server in use, in KiB.
fn resident(server: &Plain) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_6337_and_2024_8185_nobody_makes_the_server_grow() {
    let server = Plain::start().await.unwrap();
    let bomb = format!("{{\"key\":\"00\",\"x\":[{}1]}}", "{},".repeat(15_000));
    let mut nobody = Client::plain(server.address, "");
    let mut flood = async |from: usize, count: usize| {
        for number in from..from + count {
            nobody.token = format!("hvs.{number:040}");
            let headers = [("X-Vault-Namespace", format!("ns{number}"))];
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let path = format!("mount{number}/role{number}?x={number}");
            assert_eq!(nobody.send_raw("POST", &path, &headers, b"{}".to_vec()).await.unwrap().status, 403);
            if number % 10 == 0 {
                let answer =
                    nobody.send_raw("PUT", "sys/unseal", &[], bomb.clone().into_bytes()).await.unwrap();
                assert!(answer.status < 500, "{}", answer.status);
            }
        }
    };
    flood(0, 1000).await;
    let before = resident(&server);
    flood(1000, 3000).await;
    let after = resident(&server);
    assert!(after < before + 16 * 1024, "{before} KiB have become {after} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_4656_and_2026_5807_nobody_starts_or_cancels_a_ceremony() {
    let server = DevServer::start().await.unwrap();
    for path in [
        "sys/rekey/init",
        "sys/rekey/verify",
        "sys/rekey-recovery-key/init",
        "sys/rekey-recovery-key/verify",
        "sys/generate-root-token/attempt",
        "sys/generate-root/update",
        "sys/generate-recovery-token/attempt",
        "sys/decode-token",
        "sys/rotate/root",
        "sys/rotate/root/init",
        "sys/rotate/root/verify",
        "sys/rotate/recovery/init",
        "sys/step-down",
        "sys/seal",
    ] {
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let (status, whole) = ask(server.address, method, &format!("/v1/{path}"), "", "", "{}").await;
            assert_eq!(status, 403, "{method} {path}: {whole}");
        }
    }
    // The one that takes a share in place of a token takes nothing else, and nothing comes of a flood.
    let path = "/v1/sys/generate-root/attempt";
    for body in
        ["{}", "", r#"{"key": "AAAA"}"#, r#"{"otp": "x"}"#, r#"{"key": 1, "otp": []}"#, r#"{"nonce": ""}"#]
    {
        for method in ["PUT", "POST", "DELETE"] {
            for token in ["", "made-up"] {
                let (status, whole) = ask(server.address, method, path, token, "", body).await;
                assert!(status == 403 || status == 400, "{method} {body}: {whole}");
            }
        }
    }
    let (status, whole) = ask(server.address, "PUT", path, "", "", "{}").await;
    assert_eq!(status, 403, "{whole}");
    let (status, whole) = ask(server.address, "GET", path, "", "", "").await;
    assert!(status == 200 && whole.contains("\"started\":false"), "{whole}");
}

/// What other servers had flaws in and this one does not have at all: not even root finds it.
#[tokio::test(flavor = "multi_thread")]
async fn c5_what_is_not_built_is_not_there() {
    let server = DevServer::start().await.unwrap();
    for path in [
        "sys/raw/core/keyring",              // CVE-2025-62705
        "sys/storage/raft/bootstrap/answer", // CVE-2024-8185
        "sys/storage/raft/remove-peer",      // CVE-2021-3282
        "sys/storage/raft/snapshot",         //
        "sys/pprof/heap",                    //
        "sys/internal/inspect/router/root",  //
        "sys/revoke", // CVE-2026-45808: older names, with which other namespaces were reached
        "sys/revoke-prefix/x", //
        "sys/revoke-force/x", //
        "identity/entity", // CVE-2024-9180
        "auth/userpass/login/x", // CVE-2025-6004
    ] {
        for method in ["GET", "PUT", "POST", "DELETE", "LIST"] {
            let (status, whole) =
                ask(server.address, method, &format!("/v1/{path}"), DEV_ROOT, "", "{}").await;
            assert_eq!(status, 404, "{method} {path}: {whole}");
        }
    }
    for target in [
        "/",
        "/ui/",
        "/v1",
        "/v2/sys/health",
        "/metrics",
        "/debug/pprof/",
        "/v1/../ui",
        "*",
        "/agent/v1/quit",
    ] {
        let (status, whole) = ask(server.address, "GET", target, DEV_ROOT, "", "").await;
        assert!(status == 404 || status == 400, "{target}: {whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ghsa_8gmq_and_c3_a_token_counts_in_its_header_only_and_a_page_elsewhere_can_do_nothing() {
    let server = DevServer::start().await.unwrap();
    for target in [
        "/v1/sys/mounts?token=root",
        "/v1/sys/mounts?X-Vault-Token=root",
        "/v1/sys/mounts?x-vault-token=root&access_token=root",
        "/v1/sys/mounts?auth=root",
    ] {
        assert_eq!(ask(server.address, "GET", target, "", "", "").await.0, 403, "{target}");
    }
    for header in [
        "Cookie: token=root; X-Vault-Token=root\r\n",
        "X-Vault-Token-Alt: root\r\n",
        "Authorization: Basic cm9vdDpyb290\r\n",
        "Authorization: root\r\n",
        "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n",
        "X-HTTP-Method-Override: GET\r\nX-Original-URL: /v1/sys/health\r\nX-Rewrite-URL: /v1/sys/health\r\n",
    ] {
        assert_eq!(ask(server.address, "GET", "/v1/sys/mounts", "", header, "").await.0, 403, "{header}");
    }
    // GHSA-8gmq: what a browser sends on behalf of a page.
    let page = "Origin: https://evil.example\r\nContent-Type: text/plain\r\n";
    let (status, whole) = ask(server.address, "POST", "/v1/secret/data/x", "", page, r#"{"data":{}}"#).await;
    assert!(status == 403 && !whole.contains("access-control"), "{whole}");
    let wish = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n";
    let (status, whole) = ask(server.address, "OPTIONS", "/v1/secret/data/x", DEV_ROOT, wish, "").await;
    assert!(status == 400 && !whole.contains("access-control"), "{whole}");
    // A token in a URL is refused where older servers took it: it would be in every log on the way.
    for target in ["/v1/auth/token/lookup?token=root", "/v1/auth/token/lookup/root"] {
        let (status, whole) = ask(server.address, "GET", target, DEV_ROOT, "", "").await;
        assert!(status == 400 || status == 404, "{target}: {whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_heads_that_are_too_much_or_mean_two_things_are_refused_by_the_whole_server_too() {
    let server = DevServer::start().await.unwrap();
    let long = "x".repeat(9000);
    assert_eq!(ask(server.address, "GET", "/v1/sys/health", &long, "", "").await.0, 431);
    let many = "X-A: b\r\n".repeat(200);
    assert_eq!(ask(server.address, "GET", "/v1/sys/health", "", &many, "").await.0, 431);
    let large = format!("X-A: {}\r\n", "x".repeat(60_000));
    assert_eq!(ask(server.address, "GET", "/v1/sys/health", "", &large, "").await.0, 431);
    let twice = format!("X-Vault-Token: {DEV_ROOT}\r\n");
    assert_eq!(ask(server.address, "GET", "/v1/sys/mounts", "made-up", &twice, "").await.0, 400);
    assert_eq!(ask(server.address, "GET", "/v1/sys/mounts", DEV_ROOT, "Host: w\r\n", "").await.0, 400);
    let target = format!("/v1/secret/data/{}", "a".repeat(2000));
    assert_eq!(ask(server.address, "GET", &target, DEV_ROOT, "", "").await.0, 400);

    // A second request hidden in the body of the first is never answered.
    let hidden =
        format!("DELETE /v1/sys/mounts/secret HTTP/1.1\r\nHost: v\r\nX-Vault-Token: {DEV_ROOT}\r\n\r\n");
    for framing in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", hidden.len() + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", hidden.len() + 5),
        "Content-Length: 5\r\nContent-Length: 6\r\n".into(),
        "Transfer-Encoding: xchunked\r\n".into(),
        "Transfer-Encoding: chunked, identity\r\n".into(),
    ] {
        let whole = format!("POST /v1/sys/unseal HTTP/1.1\r\nHost: v\r\n{framing}\r\n0\r\n\r\n{hidden}");
        let answer = raw(server.address, whole).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{framing}: {answer}");
    }
    assert_eq!(server.client().send("GET", "sys/mounts/secret", None).await.unwrap().status, 200);
}
