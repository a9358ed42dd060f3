//! Whoever logs in: as themselves, as often as their secret allows.

use serde_json::{Value, json};
use strongroom_tests::Client;
use strongroom_tests::process::{DevServer, Plain, errors};

/// An AppRole method at `auth/ci` with the role `web`: its id.
async fn role(root: &mut Client, says: Value) -> String {
    assert_eq!(
        root.send("POST", "sys/auth/ci", Some(&json!({"type": "approle"}))).await.unwrap().status,
        204
    );
    let made = root.send("POST", "auth/ci/role/web", Some(&says)).await.unwrap();
    assert_eq!(made.status, 204, "{}", made.body);
    let read = root.send("GET", "auth/ci/role/web/role-id", None).await.unwrap();
    read.body["data"]["role_id"].as_str().unwrap().to_owned()
}

async fn secret_id(root: &mut Client, says: Value) -> String {
    let made = root.send("POST", "auth/ci/role/web/secret-id", Some(&says)).await.unwrap();
    assert_eq!(made.status, 200, "{}", made.body);
    made.body["data"]["secret_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c8_a_secret_id_of_ten_uses_is_used_ten_times_by_a_thousand_at_once() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let id = role(&mut root, json!({"token_policies": "default"})).await;
    // So many who come too late would lock the role out.
    let config = json!({"user_lockout_config": {"lockout_disable": true}});
    assert_eq!(root.send("POST", "sys/auth/ci/tune", Some(&config)).await.unwrap().status, 204);
    for uses in [10, 1] {
        let sid = secret_id(&mut root, json!({ "num_uses": uses })).await;
        let proof = json!({ "role_id": id, "secret_id": sid });
        let logins = (0..1000).map(|_| {
            let (mut client, proof) = (Client::plain(server.address, ""), proof.clone());
            tokio::spawn(async move {
                let answer = client.send("POST", "auth/ci/login", Some(&proof)).await.unwrap();
                match answer.status {
                    200 => Some(answer.body["auth"]["client_token"].as_str().unwrap().to_owned()),
                    _ => {
                        let said = errors(&answer.body);
                        assert_eq!((answer.status, said.as_str()), (400, "invalid role or secret ID"));
                        None
                    }
                }
            })
        });
        let mut tokens = Vec::new();
        for login in logins.collect::<Vec<_>>() {
            tokens.extend(login.await.unwrap());
        }
        tokens.sort();
        tokens.dedup();
        assert_eq!(tokens.len(), uses);
        for token in &tokens {
            let seen = Client::plain(server.address, token).send("GET", "auth/token/lookup-self", None).await;
            assert_eq!(seen.unwrap().body["data"]["meta"]["role_name"], "web");
        }
        assert_eq!(root.send("LIST", "auth/ci/role/web/secret-id", None).await.unwrap().status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_with_its_role_a_secret_id_and_the_renewals_of_its_tokens_end() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let id = role(&mut root, json!({"token_policies": "default", "token_ttl": "1h"})).await;
    let sid = secret_id(&mut root, json!({})).await;
    let proof = json!({ "role_id": id, "secret_id": sid });
    let mut nobody = Client::plain(server.address, "");
    let made = nobody.send("POST", "auth/ci/login", Some(&proof)).await.unwrap();
    let mut own = Client::plain(server.address, made.body["auth"]["client_token"].as_str().unwrap());
    assert_eq!(own.send("POST", "auth/token/renew-self", None).await.unwrap().status, 200);
    // The policies are what they were when the token was made, or it is not renewed.
    let other = json!({"token_policies": "default,more"});
    assert_eq!(root.send("POST", "auth/ci/role/web", Some(&other)).await.unwrap().status, 204);
    let refused = own.send("POST", "auth/token/renew-self", None).await.unwrap();
    assert_eq!(
        (refused.status, errors(&refused.body).as_str()),
        (400, "policies have changed, not renewing")
    );
    // Another role of the same name and id is another role.
    assert_eq!(root.send("DELETE", "auth/ci/role/WEB", None).await.unwrap().status, 204);
    let again = json!({ "role_id": id, "token_policies": "default" });
    assert_eq!(root.send("POST", "auth/ci/role/web", Some(&again)).await.unwrap().status, 204);
    assert_eq!(nobody.send("POST", "auth/ci/login", Some(&proof)).await.unwrap().status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_id_and_a_login_travel_wrapped_and_the_accessor_shows_whose_they_are() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let id = role(&mut root, json!({"token_policies": "default"})).await;
    let wrap = [("X-Vault-Wrap-TTL", "60s")];
    let wrapped = root.send_raw("POST", "auth/ci/role/web/secret-id", &wrap, b"{}".to_vec()).await.unwrap();
    let accessor = wrapped.body["wrap_info"]["wrapped_accessor"].as_str().unwrap().to_owned();
    let listed = root.send("LIST", "auth/ci/role/web/secret-id", None).await.unwrap();
    assert_eq!(listed.body["data"]["keys"], json!([accessor]));
    let token = wrapped.body["wrap_info"]["token"].as_str().unwrap();
    let mut opener = Client::plain(server.address, token);
    let opened = opener.send("POST", "sys/wrapping/unwrap", None).await.unwrap();
    let sid = opened.body["data"]["secret_id"].as_str().unwrap().to_owned();
    assert_eq!(opener.send("POST", "sys/wrapping/unwrap", None).await.unwrap().status, 400);
    let mut nobody = Client::plain(server.address, "");
    let proof = json!({ "role_id": id, "secret_id": sid }).to_string();
    let wrapped = nobody.send_raw("POST", "auth/ci/login", &wrap, proof.into_bytes()).await.unwrap();
    assert_eq!(wrapped.body["auth"], Value::Null);
    let token = wrapped.body["wrap_info"]["token"].as_str().unwrap();
    let opened =
        Client::plain(server.address, token).send("POST", "sys/wrapping/unwrap", None).await.unwrap();
    assert_eq!(opened.body["auth"]["metadata"]["role_name"], "web");
}

/// What each of these paths is answered, with the wrong password; then with the right one.
async fn guess(server: &DevServer, paths: &[&str], right: &str) -> (Vec<u16>, u16) {
    let mut nobody = Client::plain(server.address, "");
    let mut told = Vec::new();
    for path in paths {
        let answer = nobody.send("POST", path, Some(&json!({"password": "wrong"}))).await.unwrap();
        told.push(answer.status);
    }
    let last = nobody.send("POST", right, Some(&json!({"password": "right"}))).await.unwrap();
    (told, last.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_6004_and_54998_every_spelling_of_a_name_shares_one_count() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    root.send("POST", "sys/auth/people", Some(&json!({"type": "userpass"}))).await.unwrap();
    root.send("POST", "auth/people/users/testing", Some(&json!({"password": "right"}))).await.unwrap();
    let right = "auth/people/login/testing";
    let spellings = ["testing", "Testing", "TESTING", "%74esting", "tEsTiNg"];
    let paths: Vec<String> = spellings.iter().map(|name| format!("auth/people/login/{name}")).collect();
    let mut paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (told, last) = guess(&server, &paths, right).await;
    assert_eq!((told, last), (vec![400; 5], 403));
    paths.truncate(1);
    assert_eq!(guess(&server, &paths, "auth/people/login/TESTING").await, (vec![403], 403));
    // An operator may spell it as he likes, too.
    let seen = root.send("GET", "sys/locked-users", None).await.unwrap();
    let method = &seen.body["data"]["by_namespace"][0]["mount_accessors"][0]["mount_accessor"];
    let path = format!("sys/locked-users/{}/unlock/TestING", method.as_str().unwrap());
    assert_eq!(root.send("POST", &path, None).await.unwrap().status, 204);
    let seen = root.send("GET", "sys/locked-users", None).await.unwrap();
    assert_eq!(seen.body["data"]["total"], 0);
    let body = json!({"password": "right"});
    assert_eq!(root.send("POST", right, Some(&body)).await.unwrap().status, 200);
    // A name that is nobody's is another one, and locks nobody but itself.
    let other = ["auth/people/login/testing%20"; 6];
    root.send("POST", "auth/people/users/tested", Some(&json!({"password": "right"}))).await.unwrap();
    let (told, last) = guess(&server, &other, "auth/people/login/tested").await;
    assert_eq!((told, last), (vec![400, 400, 400, 400, 400, 403], 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_6010_and_c6_whoever_is_nobody_is_locked_out_as_somebody_is() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let id = role(&mut root, json!({"token_policies": "default"})).await;
    let sid = secret_id(&mut root, json!({})).await;
    let spaced = format!(" {id} ");
    let mut answers = Vec::new();
    for role_id in [id.as_str(), "nobody"] {
        let mut nobody = Client::plain(server.address, "");
        let mut told = Vec::new();
        for _ in 0..7 {
            let body = json!({ "role_id": role_id, "secret_id": "guess" });
            let answer = nobody.send("POST", "auth/ci/login", Some(&body)).await.unwrap();
            told.push((answer.status, errors(&answer.body)));
        }
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
    let statuses: Vec<u16> = answers[0].iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [400, 400, 400, 400, 400, 403, 403]);
    let body = json!({ "role_id": spaced, "secret_id": sid });
    let mut nobody = Client::plain(server.address, "");
    assert_eq!(nobody.send("POST", "auth/ci/login", Some(&body)).await.unwrap().status, 403);
    // An operator lets it in again.
    let seen = root.send("GET", "sys/locked-users", None).await.unwrap();
    let method = seen.body["data"]["by_namespace"][0]["mount_accessors"][0].clone();
    assert_eq!((&seen.body["data"]["total"], &method["alias_identifiers"]), (&json!(1), &json!([id])));
    let path = format!("sys/locked-users/{}/unlock/{id}", method["mount_accessor"].as_str().unwrap());
    assert_eq!(root.send("POST", &path, None).await.unwrap().status, 204);
    assert_eq!(nobody.send("POST", "auth/ci/login", Some(&body)).await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_lockout_outlives_the_process() {
    let mut server = Plain::start().await.unwrap();
    let mut root = server.client();
    root.send("POST", "sys/auth/people", Some(&json!({"type": "userpass"}))).await.unwrap();
    root.send("POST", "auth/people/users/ann", Some(&json!({"password": "right"}))).await.unwrap();
    let guess = async |client: &mut Client, password: &str| {
        let body = json!({ "password": password });
        client.send("POST", "auth/people/login/ann", Some(&body)).await.unwrap().status
    };
    for _ in 0..5 {
        assert_eq!(guess(&mut root, "wrong").await, 400);
    }
    server.stop();
    server.run().await.unwrap();
    let mut root = server.client();
    assert_eq!(guess(&mut root, "right").await, 403);
}
