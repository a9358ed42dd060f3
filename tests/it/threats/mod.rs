//! Published flaws of such systems, tried on a running server. Each test's name says which: `cve_…` and `ghsa_…` are the public
//! ids, `c5_…` a class of attacks; SECURITY.md says which test shows what.
//!
//! What one crate can show alone is tested there: `grep -rn 'fn cve_\|fn ghsa_\|fn c[0-9]' appliance hsm-bridge`.

mod coverage;
mod host;
mod leaks;
mod logins;
mod names;
mod rules;
mod strangers;
mod tokens;
mod ways;

use std::net::SocketAddr;

use serde_json::{Value, json};
use strongroom_tests::Client;
use strongroom_tests::process::{DevServer, PATIENCE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Everything but `sudo`.
const ALL: &str = r#"capabilities = ["create", "read", "update", "patch", "delete", "list", "scan"]"#;

/// Stores a policy.
async fn policy(root: &mut Client, name: &str, text: &str) {
    let made = root.send("PUT", &format!("sys/policies/acl/{name}"), Some(&json!({ "policy": text }))).await;
    assert_eq!(made.unwrap().status, 204, "{text}");
}

/// A new token as `wish` has it.
async fn token(root: &mut Client, wish: Value) -> String {
    let made = root.send("POST", "auth/token/create", Some(&wish)).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.body);
    made.body["auth"]["client_token"].as_str().unwrap().to_owned()
}

/// A client whose token holds only a policy of this text, named `name`.
async fn holding(server: &DevServer, name: &str, text: &str) -> Client {
    let mut root = server.client();
    policy(&mut root, name, text).await;
    let token = token(&mut root, json!({"policies": [name], "no_default_policy": true})).await;
    Client::plain(server.address, &token)
}

/// Sends bytes and gives back all that comes until the server closes.
async fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that has heard enough closes while we are still talking.
        let _ = stream.write_all(bytes.as_ref()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap()
}

/// One request with exactly this target, on a connection of its own: the status, and everything that came.
async fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    token: &str,
    headers: &str,
    body: &str,
) -> (u16, String) {
    let length = body.len();
    let whole = raw(
        address,
        format!(
            "{method} {target} HTTP/1.1\r\nHost: v\r\nConnection: close\r\nX-Vault-Token: {token}\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        ),
    )
    .await;
    let status = whole.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, whole)
}
