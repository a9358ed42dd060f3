//! Quotas of roles and of leases, of the whole server: AppRole over HTTP, killed and started again.

use serde_json::{Value, json};
use strongroom_tests::Client;
use strongroom_tests::process::{Plain, errors};

/// A role of the AppRole method at `auth/ci`: what it logs in with.
async fn role(root: &mut Client, name: &str) -> Value {
    let at = format!("auth/ci/role/{name}");
    let wish = json!({"token_policies": "default", "token_ttl": "1h"});
    assert_eq!(root.send("POST", &at, Some(&wish)).await.unwrap().status, 204);
    let id = root.send("GET", &format!("{at}/role-id"), None).await.unwrap().body;
    let secret = root.send("POST", &format!("{at}/secret-id"), Some(&json!({}))).await.unwrap().body;
    json!({"role_id": id["data"]["role_id"], "secret_id": secret["data"]["secret_id"]})
}

async fn login(server: &Plain, who: &Value) -> (u16, String) {
    let mut nobody = Client::plain(server.address, "");
    let answer = nobody.send("POST", "auth/ci/login", Some(who)).await.unwrap();
    (answer.status, errors(&answer.body))
}

async fn write(root: &mut Client, path: &str, body: Value) -> (u16, String) {
    let answer = root.send("POST", path, Some(&body)).await.unwrap();
    (answer.status, errors(&answer.body))
}

const DONE: (u16, String) = (204, String::new());

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_a_role_limits_its_logins_and_no_others() {
    let server = Plain::start().await.unwrap();
    let mut root = server.client();
    for (path, kind) in [("ci", "approle"), ("people", "userpass")] {
        assert_eq!(write(&mut root, &format!("sys/auth/{path}"), json!({ "type": kind })).await, DONE);
    }
    let (few, others) = (role(&mut root, "few").await, role(&mut root, "others").await);
    let rate = json!({"path": "auth/ci", "role": "few", "rate": 2, "interval": "1h"});
    assert_eq!(write(&mut root, "sys/quotas/rate-limit/q", rate).await, DONE);
    for n in 0..6 {
        let (status, error) = login(&server, &few).await;
        assert_eq!(status, if n < 2 { 200 } else { 429 }, "{error}");
        assert_eq!(login(&server, &others).await.0, 200);
    }
    let (_, error) = login(&server, &few).await;
    assert_eq!(error, "request path \"auth/ci/login\": rate limit quota exceeded");
    // A method without roles has none that could be limited.
    for (kind, wish) in [("rate-limit", json!({"rate": 1})), ("lease-count", json!({"max_leases": 1}))] {
        let mut wish = wish;
        wish["path"] = json!("auth/people");
        wish["role"] = json!("few");
        let refused = write(&mut root, &format!("sys/quotas/{kind}/no"), wish).await;
        let text = "mount path \"auth/people/\" does not support use with role based quotas";
        assert_eq!(refused, (400, text.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_89322_a_quota_of_a_user_is_of_each_spelling_of_the_name() {
    let server = Plain::start().await.unwrap();
    let mut root = server.client();
    assert_eq!(write(&mut root, "sys/auth/people", json!({"type": "userpass"})).await, DONE);
    assert_eq!(write(&mut root, "auth/people/users/bob", json!({"password": "right"})).await, DONE);
    let rate = json!({"path": "auth/people/login/Bob", "rate": 2, "interval": "1h"});
    assert_eq!(write(&mut root, "sys/quotas/rate-limit/bob", rate).await, DONE);
    let mut told = Vec::new();
    for name in ["Bob", "bob", "BOB", "bob"] {
        let body = json!({"password": "right"});
        told.push(write(&mut root, &format!("auth/people/login/{name}"), body).await.0);
    }
    assert_eq!(told, [200, 200, 429, 429]);
    let shown = root.send("GET", "sys/quotas/rate-limit/bob", None).await.unwrap().body;
    assert_eq!(shown["data"]["path"], "auth/people/login/bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_role_are_counted_exactly_over_many_at_once_and_a_kill() {
    const MOST: usize = 7;
    let mut server = Plain::start().await.unwrap();
    let mut root = server.client();
    assert_eq!(write(&mut root, "sys/auth/ci", json!({"type": "approle"})).await, DONE);
    let (few, others) = (role(&mut root, "few").await, role(&mut root, "others").await);
    let most = json!({"path": "auth/ci", "role": "few", "max_leases": MOST});
    assert_eq!(write(&mut root, "sys/quotas/lease-count/q", most).await, DONE);
    let all = (0..60).map(|_| {
        let (address, few) = (server.address, few.clone());
        tokio::spawn(async move {
            let mut nobody = Client::plain(address, "");
            let made = nobody.send("POST", "auth/ci/login", Some(&few)).await.unwrap();
            (made.status, made.body["auth"]["client_token"].as_str().map(str::to_owned))
        })
    });
    let (mut tokens, mut refused) = (Vec::new(), 0);
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            (200, token) => tokens.extend(token),
            (status, _) => {
                assert_eq!(status, 429);
                refused += 1;
            }
        }
    }
    assert_eq!((tokens.len(), refused), (MOST, 60 - MOST));
    let full = "1 error occurred:\n\t* request path \"auth/ci/login\": lease count quota exceeded\n\n";
    server.kill();
    server.run().await.unwrap();
    assert_eq!(login(&server, &few).await, (429, full.to_owned()));
    assert_eq!(login(&server, &others).await.0, 200);
    let mut root = server.client();
    let shown = root.send("GET", "sys/quotas/lease-count/q", None).await.unwrap().body;
    assert_eq!((&shown["data"]["counter"], &shown["data"]["max_leases"]), (&json!(MOST), &json!(MOST)));
    let revoke = json!({ "token": tokens.first().unwrap() });
    assert_eq!(write(&mut root, "auth/token/revoke", revoke).await, DONE);
    assert_eq!(login(&server, &few).await.0, 200);
    assert_eq!(login(&server, &few).await.0, 429);
}
