//! Every way in is the same way: whatever listener, version of HTTP, method of the same meaning or content type.

use std::process::Command;

use serde_json::{Value, json};
use strongroom_tests::Fresh;

/// A way to ask: its name, and what curl is told.
type Way = (&'static str, Vec<String>);

fn ways(server: &Fresh) -> Vec<Way> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let ca = server.ca_file().display().to_string();
    let (url, socket) = (server.url(), server.socket().display().to_string());
    let over =
        |version: &str| [words(version), vec!["--cacert".into(), ca.clone(), format!("{url}/v1/")]].concat();
    vec![
        ("HTTP/1.1 over TLS", over("--http1.1")),
        ("HTTP/2 over TLS", over("--http2")),
        ("a Unix socket", vec!["--unix-socket".into(), socket, "http://localhost/v1/".into()]),
    ]
}

/// Status and body, without the request's id.
fn ask(way: &Way, method: &str, path: &str, token: &str, body: Option<(&str, &str)>) -> (u16, Value) {
    let (last, others) = way.1.split_last().unwrap();
    let mut curl = Command::new("curl");
    curl.args(["-s", "-X", method, "-H", &format!("X-Vault-Token: {token}"), "-w", "\n%{http_code}"])
        .args(others);
    if let Some((kind, body)) = body {
        curl.args(["-H", &format!("Content-Type: {kind}"), "--data-binary", body]);
    }
    let out = curl.arg(format!("{last}{path}")).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    let mut body: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    (status.parse().unwrap(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_every_listener_and_version_of_http_decides_the_same() {
    let server = Fresh::start().await.unwrap();
    let opened = server.open().await.unwrap();
    let mut root = server.client(&opened.root_token).unwrap();
    root.send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    for path in ["kv/open/a", "kv/private/a"] {
        assert_eq!(root.send("POST", path, Some(&json!({"x": "1"}))).await.unwrap().status, 204);
    }
    let policy = r#"
        path "kv/*" { capabilities = ["read", "update", "list"] }
        path "kv/private/*" { capabilities = ["deny"] }
        path "kv/limited" { capabilities = ["create", "update"] denied_parameters = { "x" = ["1"] } }
    "#;
    root.send("PUT", "sys/policies/acl/some", Some(&json!({"policy": policy}))).await.unwrap();
    let made = root.send("POST", "auth/token/create", Some(&json!({"policies": ["some"]}))).await.unwrap();
    let token = made.body["auth"]["client_token"].as_str().unwrap().to_owned();
    let ways = ways(&server);
    for (method, path, holder, expected) in [
        ("GET", "kv/open/a", token.as_str(), 200),
        ("GET", "kv/open/none", &token, 404),
        ("LIST", "kv/open", &token, 200),
        ("GET", "kv/open?list=true", &token, 200),
        ("GET", "kv/private/a", &token, 403),
        ("LIST", "kv/private", &token, 403),
        ("GET", "kv/private/a?list=true", &token, 403),
        ("HEAD", "kv/private/a", &token, 403),
        ("PATCH", "kv/private/a", &token, 403),
        ("DELETE", "kv/open/a", &token, 403),
        ("GET", "kv/%70rivate/a", &token, 403),
        ("GET", "kv/open/%2e%2e/private/a", &token, 400),
        ("GET", "kv//private/a", &token, 400),
        ("GET", "kv/private%2fa", &token, 400),
        ("GET", "sys/mounts", &token, 403),
        ("GET", "kv/open/a", "", 403),
        ("GET", "kv/open/a", "hvs.made-up", 403),
        ("GET", "nothing/here", &token, 403),
        ("BREW", "kv/open/a", &token, 405),
    ] {
        // curl waits for a body that a HEAD does not have unless it is told of it.
        let told = |way: &Way| match method {
            "HEAD" => (way.0, [vec!["-I".into()], way.1.clone()].concat()),
            _ => way.clone(),
        };
        let answers: Vec<(u16, Value)> =
            ways.iter().map(|way| ask(&told(way), method, path, holder, None)).collect();
        for (way, answer) in ways.iter().zip(&answers) {
            assert_eq!(answer.0, expected, "{method} {path} by {}: {}", way.0, answer.1);
            assert_eq!(Some(answer), answers.first(), "{method} {path} by {}", way.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_and_cve_2026_115359_every_content_type_is_checked_the_same() {
    let server = Fresh::start().await.unwrap();
    let opened = server.open().await.unwrap();
    let mut root = server.client(&opened.root_token).unwrap();
    root.send("POST", "sys/mounts/kv", Some(&json!({"type": "kv"}))).await.unwrap();
    let policy = r#"path "kv/*" { capabilities = ["create", "update"] denied_parameters = { "x" = ["1"] } }"#;
    root.send("PUT", "sys/policies/acl/some", Some(&json!({"policy": policy}))).await.unwrap();
    let made = root.send("POST", "auth/token/create", Some(&json!({"policies": ["some"]}))).await.unwrap();
    let token = made.body["auth"]["client_token"].as_str().unwrap().to_owned();
    const FORM: &str = "application/x-www-form-urlencoded";
    for way in &ways(&server) {
        for method in ["POST", "PUT"] {
            for (kind, body, expected) in [
                ("application/json", r#"{"x":"1"}"#, 403),
                ("application/json", r#"{"x":"2"}"#, 204),
                ("text/plain", r#"{"x":"1"}"#, 403),
                (FORM, r#"{"x":"1"}"#, 403),
                (FORM, "x=1", 403),
                (FORM, "%78=%31", 403),
                ("application/x-www-form-urlencoded; charset=utf-8", "x=1", 403),
                (FORM, "x=2", 204),
                // Of one name twice nobody is to see one value and another the other.
                (FORM, "x=2&x=1", 204),
                ("application/json", r#"{"x":"2","x":"1"}"#, 403),
                ("text/plain", "x=1", 400),
                ("multipart/form-data; boundary=a", "--a--", 400),
            ] {
                let (status, answer) = ask(way, method, "kv/a", &token, Some((kind, body)));
                assert_eq!(status, expected, "{method} {kind} {body} by {}: {answer}", way.0);
            }
        }
    }
    // The form with two values was stored as what the access list saw.
    ask(&ways(&server)[0], "POST", "kv/a", &token, Some((FORM, "x=2&x=1")));
    let stored = root.send("GET", "kv/a", None).await.unwrap();
    assert_eq!(stored.body["data"]["x"], "2,1");
}
