//! Logins: what token comes of one, and how long it is one.

use serde_json::{Value, json};
use strongroom_engine::{TokenWish, Write, record};
use strongroom_store::Batch;
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use super::sweep::active;
use crate::testing::{Answer, Rig, ask, request};

/// A method at `auth/door`.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig
}

/// What no login gives, in spellings that are it or look like it, and names that no policy has.
const NO_LOGINS_POLICY: &[&str] =
    &["root", "Root", " root", "response-wrapping", "ro\u{200b}ot", "\u{feff}root", "a/root", "root\0", ".."];

async fn who(rig: &Rig, name: &str, says: Value) -> Answer {
    rig.put(&format!("auth/door/who/{name}"), &rig.root, says).await
}

async fn login(rig: &Rig, name: &str) -> Answer {
    rig.put(&format!("auth/door/login/{name}"), "", json!({"word": "open"})).await
}

fn token_of(answer: Answer) -> String {
    answer.unwrap()["auth"]["client_token"].as_str().unwrap().to_owned()
}

async fn look(rig: &Rig, token: &str) -> Answer {
    rig.get("auth/token/lookup-self", token).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_a_token_of_what_the_method_says() {
    let rig = rig().await;
    who(&rig, "ann", json!({"token_policies": "b,a", "token_ttl": "10m", "token_num_uses": 5}))
        .await
        .unwrap();
    let auth = login(&rig, "ann").await.unwrap()["auth"].clone();
    assert_eq!((&auth["policies"], &auth["orphan"]), (&json!(["a", "b", "default"]), &json!(true)));
    assert_eq!((&auth["lease_duration"], &auth["num_uses"]), (&json!(600), &json!(5)));
    let seen = look(&rig, auth["client_token"].as_str().unwrap()).await.unwrap()["data"].clone();
    assert_eq!((&seen["display_name"], &seen["path"]), (&json!("door-ann"), &json!("auth/door/login/ann")));
    assert_eq!(seen["meta"], json!({"name": "ann"}));
    let wrong = rig.put("auth/door/login/ann", "", json!({"word": "x"})).await;
    assert_eq!(wrong.unwrap_err(), (Kind::BadRequest, "wrong word".into()));
    // The log has the one who came in, and their token hashed.
    let line = rig.lines().into_iter().rfind(|line| line["response"]["auth"].is_object()).unwrap();
    assert_eq!(
        (&line["request"]["mount_class"], &line["request"]["mount_point"]),
        (&json!("auth"), &json!("auth/door/"))
    );
    assert!(line["response"]["auth"]["client_token"].as_str().unwrap().starts_with("hmac-sha256:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_no_login_leads_to_root() {
    let rig = rig().await;
    for policy in NO_LOGINS_POLICY {
        let refused = who(&rig, "ann", json!({ "token_policies": [policy] })).await.unwrap_err();
        assert_eq!(refused.0, Kind::BadRequest, "{policy:?}");
    }
    // What a method lets pass, core does not: a record of an older version, which looked less closely, lets nobody in.
    who(&rig, "ann", json!({"token_policies": ["fine"]})).await.unwrap();
    let active = active(&rig);
    for policy in NO_LOGINS_POLICY {
        let older = TokenWish { policies: vec![(*policy).to_owned()], ..TokenWish::default() };
        let write = Write::put(record::name("who", "ann").unwrap(), record::encode(1, &older).unwrap());
        let mut batch = Batch::default();
        active.mounts.load().at("auth/door/").unwrap().view.seal(&write, &mut batch).unwrap();
        rig.store.commit(batch).await.unwrap();
        assert_eq!(login(&rig, "ann").await.unwrap_err().0, Kind::BadRequest, "{policy:?}");
    }
    let tokens = rig.list("auth/token/accessors", &rig.root).await.unwrap();
    assert_eq!(tokens["data"]["keys"].as_array().unwrap().len(), 1, "only root's");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_those_of_the_wish_within_those_of_the_mount() {
    let rig = rig().await;
    let config = json!({"default_lease_ttl": "20m", "max_lease_ttl": "1h"});
    rig.put("sys/auth/door/tune", &rig.root, config).await.unwrap();
    for (says, ttl) in [
        (json!({}), 1200),
        (json!({"token_ttl": "5m"}), 300),
        (json!({"token_ttl": "5h"}), 3600),
        (json!({"token_ttl": 0, "token_max_ttl": "10m"}), 600),
        (json!({"token_explicit_max_ttl": "2m"}), 120),
        (json!({"token_period": "7m"}), 420),
    ] {
        who(&rig, "ann", says.clone()).await.unwrap();
        assert_eq!(login(&rig, "ann").await.unwrap()["auth"]["lease_duration"], ttl, "{says}");
    }
    // Renewals reach as far as the method says at the time.
    who(&rig, "ann", json!({"token_ttl": "10m", "token_max_ttl": "30m"})).await.unwrap();
    let token = token_of(login(&rig, "ann").await);
    let renew = || rig.put("auth/token/renew-self", &token, json!({"increment": "5h"}));
    assert_eq!(renew().await.unwrap()["auth"]["lease_duration"], 1800);
    who(&rig, "ann", json!({"token_ttl": "10m", "token_max_ttl": "40m"})).await.unwrap();
    rig.clock.advance(600);
    assert_eq!(renew().await.unwrap()["auth"]["lease_duration"], 1800);
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_renewal_asks_the_method_again() {
    let rig = rig().await;
    who(&rig, "ann", json!({"token_policies": "a"})).await.unwrap();
    let token = token_of(login(&rig, "ann").await);
    rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    who(&rig, "ann", json!({"token_policies": "a,b"})).await.unwrap();
    let refused = rig.put("auth/token/renew-self", &token, json!({})).await.unwrap_err();
    assert_eq!(refused, (Kind::BadRequest, "policies have changed, not renewing".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_tokens_end_with_the_method_that_gave_them() {
    let mut rig = rig().await;
    who(&rig, "ann", json!({"token_policies": "a"})).await.unwrap();
    who(&rig, "bat", json!({"token_type": "batch"})).await.unwrap();
    let (service, batch) = (token_of(login(&rig, "ann").await), token_of(login(&rig, "bat").await));
    assert!(batch.starts_with("hvb."));
    rig.restart();
    rig.unseal().await;
    look(&rig, &service).await.unwrap();
    look(&rig, &batch).await.unwrap();
    // By the path of the engines it cannot be disabled.
    rig.delete("sys/mounts/auth/door", &rig.root).await.unwrap();
    look(&rig, &service).await.unwrap();
    rig.delete("sys/auth/door", &rig.root).await.unwrap();
    for token in [&service, &batch] {
        assert_eq!(look(&rig, token).await.unwrap_err().0, Kind::Denied);
        let looked = rig.put("auth/token/lookup", &rig.root, json!({ "token": token })).await;
        assert_eq!(looked.unwrap_err().1, "bad token");
    }
    // Another one at the same place is another one.
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    assert_eq!(look(&rig, &service).await.unwrap_err().0, Kind::Denied);
    assert_eq!(login(&rig, "ann").await.unwrap_err().1, "nobody of this name");
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_bound_cidrs_hold_for_the_login_and_for_the_token() {
    let rig = rig().await;
    let from = |path: &'static str, token: &str, body: Option<Value>, address: &str| {
        let operation = if body.is_some() { Operation::Update } else { Operation::Read };
        let mut asked = request(operation, path, token, body);
        asked.head.remote = Some((address.parse().unwrap(), 1));
        let core = rig.core.clone();
        async move { ask(&core, asked).await }
    };
    let open = || Some(json!({"word": "open"}));
    who(&rig, "ann", json!({"token_bound_cidrs": "10.0.0.0/8"})).await.unwrap();
    assert_eq!(from("auth/door/login/ann", "", open(), "11.0.0.1").await.unwrap_err().0, Kind::Denied);
    assert_eq!(login(&rig, "ann").await.unwrap_err().0, Kind::Denied);
    let token = token_of(from("auth/door/login/ann", "", open(), "10.0.0.1").await);
    from("auth/token/lookup-self", &token, None, "10.9.9.9").await.unwrap();
    assert_eq!(from("auth/token/lookup-self", &token, None, "11.0.0.1").await.unwrap_err().0, Kind::Denied);
    who(&rig, "ann", json!({"token_strictly_bind_ip": true})).await.unwrap();
    let token = token_of(from("auth/door/login/ann", "", open(), "10.0.0.1").await);
    assert_eq!(from("auth/token/lookup-self", &token, None, "10.9.9.9").await.unwrap_err().0, Kind::Denied);
    from("auth/token/lookup-self", &token, None, "10.0.0.1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_methods_are_enabled_and_shown_and_not_among_the_engines() {
    let rig = rig().await;
    let listed = rig.get("sys/auth", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(listed.as_object().unwrap().keys().collect::<Vec<_>>(), ["door/", "token/"]);
    assert!(rig.get("sys/mounts", &rig.root).await.unwrap()["data"]["auth/door/"].is_null());
    assert_eq!(rig.get("sys/mounts/auth/door", &rig.root).await.unwrap_err().0, Kind::BadRequest);
    for (path, says) in [
        ("door", json!({"type": "door"})),
        ("door/below", json!({"type": "door"})),
        ("token", json!({"type": "door"})),
        ("token/below", json!({"type": "door"})),
        ("x", json!({"type": "token"})),
        ("x", json!({"type": "toy"})),
        ("x", json!({"type": "none"})),
        ("x", json!({})),
        ("x", json!({"type": "door", "config": {"token_type": "nonsense"}})),
    ] {
        let answer = rig.put(&format!("sys/auth/{path}"), &rig.root, says.clone()).await;
        assert_eq!(answer.unwrap_err().0, Kind::BadRequest, "{path} {says}");
    }
    assert_eq!(
        rig.put("sys/mounts/x", &rig.root, json!({"type": "door"})).await.unwrap_err().0,
        Kind::BadRequest
    );
    assert_eq!(rig.delete("sys/auth/token", &rig.root).await.unwrap_err().0, Kind::BadRequest);
    // Sudo, by whichever path.
    let all = r#"path "*" { capabilities = ["create", "read", "update", "delete", "list"] }"#;
    let weak = rig.allowed(all).await;
    for path in ["sys/auth/door", "sys/auth/door/tune", "sys/mounts/auth/door/tune"] {
        assert_eq!(rig.get(path, &weak).await.unwrap_err().0, Kind::Denied, "{path}");
        assert_eq!(
            rig.put(path, &weak, json!({"type": "door"})).await.unwrap_err().0,
            Kind::Denied,
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_is_what_mount_and_wish_say() {
    let rig = rig().await;
    for (mount, wish, batch) in [
        ("default-service", "", false),
        ("default-batch", "", true),
        ("default-batch", "service", false),
        ("default-service", "batch", true),
        ("service", "batch", false),
        ("batch", "service", true),
    ] {
        rig.put("sys/auth/door/tune", &rig.root, json!({ "token_type": mount })).await.unwrap();
        who(&rig, "ann", json!({ "token_type": wish })).await.unwrap();
        let is_batch = token_of(login(&rig, "ann").await).starts_with("hvb.");
        assert_eq!(is_batch, batch, "{mount} {wish}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_can_be_wrapped() {
    let rig = rig().await;
    who(&rig, "ann", json!({})).await.unwrap();
    let mut asked = request(Operation::Update, "auth/door/login/ann", "", Some(json!({"word": "open"})));
    asked.head.wrap_ttl = Some(60);
    let answer = ask(&rig.core, asked).await.unwrap();
    assert_eq!(answer["auth"], Value::Null);
    let wrapping = answer["wrap_info"]["token"].as_str().unwrap();
    let opened = rig.put("sys/wrapping/unwrap", wrapping, json!({})).await.unwrap();
    look(&rig, opened["auth"]["client_token"].as_str().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c13_and_cve_2026_46405_a_thousand_failed_logins_leave_nothing() {
    let rig = rig().await;
    who(&rig, "ann", json!({"token_policies": "a"})).await.unwrap();
    let count = async || {
        let accessors = rig.list("auth/token/accessors", &rig.root).await.unwrap();
        (rig.store.snapshot().unwrap().revision(), accessors["data"]["keys"].as_array().unwrap().len())
    };
    let before = count().await;
    for number in 0..1000 {
        let (name, body) = match number % 4 {
            0 => ("ann", json!({"word": "wrong"})),
            1 => ("nobody", json!({"word": "open"})),
            2 => ("ann", json!({})),
            _ => ("nobody", json!({"word": ["open"]})),
        };
        rig.put(&format!("auth/door/login/{name}"), "", body).await.unwrap_err();
    }
    assert_eq!(count().await, before);
}
