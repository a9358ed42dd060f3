//! Roles, batch tokens, networks.

use std::net::IpAddr;

use serde_json::{Value, json};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::testing::{Answer, Rig, ask, request};

/// A token that may make others, and is not root.
async fn maker(rig: &Rig) -> String {
    rig.allowed(r#"path "auth/token/create*" { capabilities = ["update"] }"#).await
}

async fn role(rig: &Rig, name: &str, says: Value) -> Answer {
    rig.put(&format!("auth/token/roles/{name}"), &rig.root, says).await
}

/// Looks itself up from an address.
async fn look(rig: &Rig, token: &str, from: Option<&str>) -> Answer {
    let mut asked = request(Operation::Read, "auth/token/lookup-self", token, None);
    asked.head.remote = from.map(|from| (from.parse::<IpAddr>().unwrap(), 4711));
    ask(&rig.core, asked).await
}

fn made(answer: Answer) -> String {
    answer.unwrap()["auth"]["client_token"].as_str().unwrap().to_owned()
}

// === roles ===

#[tokio::test(flavor = "multi_thread")]
async fn c16_a_role_gives_what_it_allows_and_no_more() {
    let rig = Rig::new().await;
    let maker = maker(&rig).await;
    role(&rig, "some", json!({"allowed_policies": ["one"], "allowed_policies_glob": ["team-*"]}))
        .await
        .unwrap();
    let make = |policies: Value| rig.put("auth/token/create/some", &maker, json!({ "policies": policies }));
    let given = make(json!(["one", "team-a"])).await.unwrap();
    assert_eq!(given["auth"]["policies"], json!(["default", "one", "team-a"]));
    assert_eq!(given["warnings"][0], "Policy \"one\" does not exist");
    // Without a wish, all that is named.
    assert_eq!(make(json!([])).await.unwrap()["auth"]["policies"], json!(["default", "one"]));
    for wish in ["two", "team", "root", " Root ", "ROOT", "response-wrapping"] {
        assert_eq!(make(json!([wish])).await.unwrap_err().0, Kind::BadRequest, "{wish}");
    }
    let everything = json!({"allowed_policies_glob": ["*"], "disallowed_policies_glob": ["secret-*"]});
    role(&rig, "some", everything).await.unwrap();
    for wish in ["root", "secret-a", "Secret-A"] {
        for asker in [&maker, &rig.root] {
            let answer = rig.put("auth/token/create/some", asker, json!({ "policies": [wish] })).await;
            assert_eq!(answer.unwrap_err().0, Kind::BadRequest, "{wish}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_no_role_leads_to_root() {
    let rig = Rig::new().await;
    for spelling in ["root", "Root", " root", "response-wrapping", "ro\u{200b}ot", "a/b", "..", "a\0", ""] {
        for field in ["allowed_policies", "allowed_policies_glob"] {
            let answer = role(&rig, "r", json!({ field: [spelling] })).await;
            assert_eq!(answer.unwrap_err().0, Kind::BadRequest, "{field} {spelling:?}");
        }
    }
    // A glob that no name can fit allows nothing, and refuses nothing, which is worse.
    for glob in ["ro\u{200b}o*", "team/*", "a\0*", "*\u{feff}"] {
        for field in ["allowed_policies_glob", "disallowed_policies_glob"] {
            let answer = role(&rig, "r", json!({ field: [glob] })).await;
            assert_eq!(answer.unwrap_err().0, Kind::BadRequest, "{field} {glob:?}");
        }
    }
    // Nor does one that only refuses something: root's own policies are not given on.
    role(&rig, "r", json!({"disallowed_policies": ["x"]})).await.unwrap();
    let answer = rig.put("auth/token/create/r", &rig.root, json!({})).await;
    assert_eq!(answer.unwrap_err().0, Kind::BadRequest);
    // One that says nothing of policies, or only refuses some, leaves it to the rule for children.
    role(&rig, "plain", json!({"orphan": true})).await.unwrap();
    let maker = maker(&rig).await;
    for refuses in ["plain", "r"] {
        let path = format!("auth/token/create/{refuses}");
        let answer = rig.put(&path, &maker, json!({"policies": ["other"]})).await;
        assert_eq!(answer.unwrap_err().1, "child policies must be subset of parent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_a_role_that_only_refuses_gives_no_more_than_its_users_have() {
    let rig = Rig::new().await;
    role(&rig, "r", json!({"disallowed_policies": ["secret"], "disallowed_policies_glob": ["adm*"]}))
        .await
        .unwrap();
    rig.allowed(r#"path "auth/token/create/r" { capabilities = ["update"] }"#).await;
    let maker = rig.token(json!({"policies": ["test", "one", "secret"]})).await;
    let make = |asker: &str, policies: Value| {
        let (rig, asker) = (&rig, asker.to_owned());
        async move { rig.put("auth/token/create/r", &asker, json!({ "policies": policies })).await }
    };
    assert_eq!(make(&maker, json!(["one"])).await.unwrap()["auth"]["policies"], json!(["default", "one"]));
    let text = |answer: Result<Value, (Kind, String)>| answer.unwrap_err().1;
    let subset = "child policies must be subset of parent";
    assert_eq!(text(make(&maker, json!(["whatever"])).await), subset);
    assert_eq!(text(make(&maker, json!(["admin"])).await), subset);
    let refused = "the role disallows one of the token's policies";
    assert_eq!(text(make(&maker, json!(["Secret"])).await), refused);
    assert_eq!(text(make(&maker, json!([])).await), refused, "its own, of which one is refused");
    // Whoever may give anything is bound by what the role refuses.
    assert_eq!(make(&rig.root, json!(["x"])).await.unwrap()["auth"]["policies"], json!(["default", "x"]));
    assert_eq!(text(make(&rig.root, json!(["admin"])).await), refused);
    // The default policy is not given either to whoever lacks it, or where the role refuses it.
    let without = rig.token(json!({"policies": ["test"], "no_default_policy": true})).await;
    assert_eq!(make(&without, json!([])).await.unwrap()["auth"]["policies"], json!(["test"]));
    role(&rig, "r", json!({"disallowed_policies": ["default"]})).await.unwrap();
    assert_eq!(make(&maker, json!(["one"])).await.unwrap()["auth"]["policies"], json!(["one"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_decides_over_the_wish() {
    let rig = Rig::new().await;
    let maker = maker(&rig).await;
    let says = json!({
        "allowed_policies": "default", "orphan": true, "renewable": false, "path_suffix": "a/b",
        "token_num_uses": 5, "token_explicit_max_ttl": "30m",
    });
    role(&rig, "tight", says).await.unwrap();
    let wish = json!({"ttl": "1h", "num_uses": 9, "explicit_max_ttl": "2h", "renewable": true});
    let answer = rig.put("auth/token/create/tight", &maker, wish).await.unwrap();
    let auth = answer["auth"].clone();
    assert_eq!((&auth["num_uses"], &auth["lease_duration"]), (&json!(5), &json!(1800)));
    assert_eq!((&auth["renewable"], &auth["orphan"]), (&json!(false), &json!(true)));
    let seen = look(&rig, auth["client_token"].as_str().unwrap(), None).await.unwrap()["data"].clone();
    assert_eq!(seen["path"], "auth/token/create/tight/a/b");
    assert_eq!((&seen["role"], &seen["explicit_max_ttl"]), (&json!("tight"), &json!(7200)));
    // A smaller wish counts.
    let answer = rig.put("auth/token/create/tight", &maker, json!({"num_uses": 2})).await.unwrap();
    assert_eq!(answer["auth"]["num_uses"], 2);
    assert_eq!(rig.put("auth/token/create/none", &maker, json!({})).await.unwrap_err().1, "unknown role");
    // The role of the time of the renewal counts.
    role(
        &rig,
        "tight",
        json!({"renewable": true, "token_period": "10m", "token_explicit_max_ttl": 0, "token_num_uses": 0}),
    )
    .await
    .unwrap();
    let token = made(rig.put("auth/token/create/tight", &maker, json!({})).await);
    role(&rig, "tight", json!({"token_period": "20m"})).await.unwrap();
    let renew = || rig.put("auth/token/renew", &rig.root, json!({ "token": token }));
    assert_eq!(renew().await.unwrap()["auth"]["lease_duration"], 1200);
    rig.delete("auth/token/roles/tight", &rig.root).await.unwrap();
    assert_eq!(renew().await.unwrap_err().0, Kind::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_every_spelling_of_a_role_is_refused_or_another_role() {
    let rig = Rig::new().await;
    role(&rig, "team", json!({"allowed_policies": "one"})).await.unwrap();
    for spelling in ["Team", "TEAM", "team2"] {
        assert_eq!(
            rig.get(&format!("auth/token/roles/{spelling}"), &rig.root).await.unwrap_err().0,
            Kind::NotFound
        );
    }
    for spelling in
        ["team%20", "%20team", "te%00am", "team%C2%A0", "te%E2%80%8Bam", "team-", ".team", "ｔeam"]
    {
        let path = format!("auth/token/roles/{spelling}");
        let Ok(parsed) = strongroom_types::ApiPath::parse(&path) else { continue };
        let path = parsed.as_str().to_owned();
        let mut asked =
            request(Operation::Update, "auth/token/roles/x", &rig.root, Some(json!({"orphan": true})));
        asked.head.path = parsed;
        let refused = ask(&rig.core, asked).await.unwrap_err().0;
        assert!(matches!(refused, Kind::BadRequest | Kind::NotFound), "{path}");
    }
    assert_eq!(rig.list("auth/token/roles", &rig.root).await.unwrap()["data"]["keys"], json!(["team"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_alias_needs_a_role_that_allows_it() {
    let rig = Rig::new().await;
    role(&rig, "r", json!({"allowed_entity_aliases": ["web-*"]})).await.unwrap();
    for (path, alias, text) in [
        ("auth/token/create", "web-1", "only allowed in combination with token role"),
        ("auth/token/create/r", "db", "does not allow it"),
        ("auth/token/create/r", "web-1", "there are no entities yet"),
    ] {
        let refused = rig.put(path, &rig.root, json!({ "entity_alias": alias })).await.unwrap_err();
        assert!(refused.0 == Kind::BadRequest && refused.1.contains(text), "{refused:?}");
    }
}

// === batch tokens ===

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_token_is_stored_nowhere_and_does_what_it_may() {
    let rig = Rig::new().await;
    let records =
        || async { rig.list("auth/token/accessors", &rig.root).await.unwrap()["data"]["keys"].clone() };
    let before = records().await;
    let batch =
        rig.token(json!({"type": "batch", "policies": ["default"], "ttl": "1h", "meta": {"a": "b"}})).await;
    assert!(batch.starts_with("hvb."));
    assert_eq!(records().await, before);
    let seen = look(&rig, &batch, None).await.unwrap()["data"].clone();
    assert_eq!(
        (&seen["type"], &seen["accessor"], &seen["renewable"]),
        (&json!("batch"), &json!(""), &json!(false))
    );
    assert_eq!((&seen["id"], &seen["meta"]["a"], &seen["ttl"]), (&json!(batch), &json!("b"), &json!(3600)));
    let refused = |answer: Answer, text: &str| {
        let refused = answer.unwrap_err();
        assert!(refused.0 == Kind::BadRequest && refused.1.contains(text), "{refused:?}");
    };
    refused(rig.put("auth/token/renew-self", &batch, json!({})).await, "cannot be renewed");
    refused(rig.put("auth/token/renew", &rig.root, json!({ "token": batch })).await, "cannot be renewed");
    for path in ["auth/token/revoke", "auth/token/revoke-orphan"] {
        refused(rig.put(path, &rig.root, json!({ "token": batch })).await, "cannot be revoked");
    }
    refused(rig.put("auth/token/revoke-self", &batch, json!({})).await, "cannot be revoked");
    rig.clock.advance(3600);
    assert_eq!(look(&rig, &batch, None).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_batch_token_ends_with_its_parent() {
    let rig = Rig::new().await;
    let parent = maker(&rig).await;
    let wish = json!({"type": "batch", "ttl": "1h"});
    let (one, orphan) = (
        made(rig.put("auth/token/create", &parent, wish.clone()).await),
        made(rig.put("auth/token/create-orphan", &parent, wish.clone()).await),
    );
    // It makes no more tokens.
    let refused = rig.put("auth/token/create", &one, json!({})).await.unwrap_err();
    assert_eq!(refused.1, "batch tokens cannot create more tokens");
    look(&rig, &one, None).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    assert_eq!(look(&rig, &one, None).await.unwrap_err().0, Kind::Denied);
    look(&rig, &orphan, None).await.unwrap();
    // CVE-2020-25816: nor does it outlive a parent that expires.
    let short = rig.token(json!({"policies": ["test"], "ttl": "10m"})).await;
    let batch = made(rig.put("auth/token/create", &short, json!({"type": "batch", "ttl": "5h"})).await);
    rig.clock.advance(600);
    assert_eq!(look(&rig, &batch, None).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_token_has_nothing_that_would_have_to_be_stored() {
    let rig = Rig::new().await;
    for wish in [
        json!({"policies": ["root"]}),
        json!({}),
        json!({"policies": ["default"], "num_uses": 3}),
        json!({"policies": ["default"], "period": "1h"}),
        json!({"policies": ["default"], "explicit_max_ttl": "1h"}),
        json!({"policies": ["default"], "id": "own"}),
        json!({"policies": ["default"], "meta": {"a": "x".repeat(9000)}}),
    ] {
        let mut wish = wish;
        wish["type"] = "batch".into();
        assert_eq!(
            rig.put("auth/token/create", &rig.root, wish.clone()).await.unwrap_err().0,
            Kind::BadRequest,
            "{wish}"
        );
    }
    assert_eq!(
        role(&rig, "b", json!({"token_type": "batch", "token_period": "1h"})).await.unwrap_err().0,
        Kind::BadRequest
    );
    role(&rig, "b", json!({"token_type": "default-batch", "allowed_policies": "default"})).await.unwrap();
    assert!(made(rig.put("auth/token/create/b", &rig.root, json!({})).await).starts_with("hvb."));
    assert!(
        made(rig.put("auth/token/create/b", &rig.root, json!({"type": "service"})).await).starts_with("hvs.")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_byte_of_a_batch_token_is_refused() {
    let rig = Rig::new().await;
    let batch = rig.token(json!({"type": "batch", "policies": ["default"], "ttl": "1h"})).await;
    look(&rig, &batch, None).await.unwrap();
    for at in 0..batch.len() {
        let mut changed = batch.clone().into_bytes();
        changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(look(&rig, &changed, None).await.unwrap_err().0, Kind::Denied, "{at}");
    }
    for cut in [4, 5, 12, 20, batch.len() - 1] {
        assert_eq!(look(&rig, &batch[..cut], None).await.unwrap_err().0, Kind::Denied, "{cut}");
    }
    // Nor does another cluster take it.
    let other = Rig::new().await;
    assert_eq!(look(&other, &batch, None).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_token_survives_a_new_term_and_a_restart() {
    let mut rig = Rig::new().await;
    let batch = rig.token(json!({"type": "batch", "policies": ["default"], "ttl": "1h"})).await;
    rig.put("sys/rotate", &rig.root, json!({})).await.unwrap();
    look(&rig, &batch, None).await.unwrap();
    rig.restart();
    rig.unseal().await;
    look(&rig, &batch, None).await.unwrap();
}

// === networks ===

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_used_from_its_networks_only() {
    let rig = Rig::new().await;
    role(
        &rig,
        "near",
        json!({"token_bound_cidrs": ["127.0.0.0/8", "::1/128"], "allowed_policies": "default"}),
    )
    .await
    .unwrap();
    for kind in ["service", "batch"] {
        let token = made(rig.put("auth/token/create/near", &rig.root, json!({ "type": kind })).await);
        for near in ["127.0.0.1", "127.255.0.1", "::ffff:127.0.0.1", "::1"] {
            look(&rig, &token, Some(near)).await.unwrap();
        }
        for far in [Some("10.0.0.1"), Some("::2"), None] {
            assert_eq!(
                look(&rig, &token, far).await.unwrap_err(),
                (Kind::Denied, "permission denied".into()),
                "{far:?}"
            );
        }
        let seen = look(&rig, &token, Some("::1")).await.unwrap();
        assert_eq!(seen["data"]["bound_cidrs"], json!(["127.0.0.0/8", "::1"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_a_child_is_bound_as_its_parent_is() {
    let rig = Rig::new().await;
    maker(&rig).await;
    for (name, networks) in
        [("a", "10.0.0.0/8"), ("b", "10.1.0.0/16,192.168.0.0/16"), ("c", "192.168.0.0/16")]
    {
        role(&rig, name, json!({"token_bound_cidrs": networks, "allowed_policies": "test"})).await.unwrap();
    }
    let parent = made(rig.put("auth/token/create/a", &rig.root, json!({})).await);
    let make = |path: &'static str| {
        let mut asked = request(Operation::Update, path, &parent, Some(json!({})));
        asked.head.remote = Some(("10.0.0.1".parse().unwrap(), 1));
        ask(&rig.core, asked)
    };
    for (path, networks) in [
        ("auth/token/create", "10.0.0.0/8"),
        ("auth/token/create-orphan", "10.0.0.0/8"),
        ("auth/token/create/b", "10.1.0.0/16"),
    ] {
        let child = made(make(path).await);
        let seen = look(&rig, &child, Some("10.1.0.1")).await.unwrap();
        assert_eq!(seen["data"]["bound_cidrs"], json!([networks]));
        assert_eq!(look(&rig, &child, Some("192.168.0.1")).await.unwrap_err().0, Kind::Denied);
    }
    assert_eq!(make("auth/token/create/c").await.unwrap_err().0, Kind::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_renewal_gets_past_the_maximum_of_the_role() {
    let rig = Rig::new().await;
    let says = json!({"token_explicit_max_ttl": "1h", "allowed_policies": "default"});
    role(&rig, "r", says).await.unwrap();
    let token = made(rig.put("auth/token/create/r", &rig.root, json!({"ttl": "30m"})).await);
    rig.clock.advance(1200);
    let renewed = rig.put("auth/token/renew-self", &token, json!({"increment": "5h"})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], 2400);
    role(&rig, "r", json!({"token_period": "50m"})).await.unwrap();
    let renewed = rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], 2400);
    rig.clock.advance(2400);
    assert_eq!(rig.put("auth/token/renew-self", &token, json!({})).await.unwrap_err().0, Kind::Denied);
}
