//! Tokens: uses, expiry, families.

use serde_json::{Value, json};
use strongroom_store::MemoryStore;
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::lifecycle::State;
use crate::testing::{Rig, ask, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c8_ten_uses_are_ten_uses() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    rig.put(
        "sys/policies/acl/read",
        &rig.root,
        json!({"policy": r#"path "toy/*" { capabilities = ["read"] }"#}),
    )
    .await
    .unwrap();
    let token = rig.token(json!({"policies": ["read"], "num_uses": 10})).await;
    let all = (0..100).map(|_| {
        let (core, token) = (rig.core.clone(), token.clone());
        tokio::spawn(async move { ask(&core, request(Operation::Read, "toy/a", &token, None)).await.is_ok() })
    });
    let mut granted = 0;
    for one in all.collect::<Vec<_>>() {
        granted += usize::from(one.await.unwrap());
    }
    assert_eq!(granted, 10);
    assert_eq!(
        rig.put("auth/token/lookup", &rig.root, json!({ "token": token })).await.unwrap_err().1,
        "bad token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_costs_a_use_too() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "num_uses": 4, "ttl": "1h"})).await;
    let left = |answer: Value| answer["data"]["num_uses"].clone();
    assert_eq!(left(rig.get("auth/token/lookup-self", &token).await.unwrap()), 3);
    assert_eq!(rig.get("sys/mounts", &token).await.unwrap_err().0, Kind::Denied);
    // A renewal and its own use are one change of the record.
    let renewed = rig.put("auth/token/renew-self", &token, json!({"increment": "2h"})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], 7200);
    let seen =
        rig.put("auth/token/lookup", &rig.root, json!({ "token": token })).await.unwrap()["data"].clone();
    assert_eq!((&seen["num_uses"], &seen["ttl"]), (&json!(1), &json!(7200)));
    assert_eq!(left(rig.get("auth/token/lookup-self", &token).await.unwrap()), -1);
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_takes_everything_along() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "num_uses": 2})).await;
    rig.put("cubbyhole/a", &token, json!({"x": 1})).await.unwrap();
    // The write of the last use is acknowledged, and gone with the token.
    rig.put("cubbyhole/b", &token, json!({"x": 1})).await.unwrap();
    assert_eq!(rig.get("cubbyhole/a", &token).await.unwrap_err().0, Kind::Denied);
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    let mut left = 0;
    let root = strongroom_barrier::Name::new(Vec::<String>::new()).unwrap();
    let count = &mut |_: &[String]| {
        left += 1;
        true
    };
    active.cubbyholes.at(active.snapshot().unwrap()).walk(&root, count).unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_children_go_with_their_parent() {
    let rig = Rig::new().await;
    rig.put(
        "sys/policies/acl/maker",
        &rig.root,
        json!({"policy": r#"path "auth/token/*" { capabilities = ["update", "sudo"] }"#}),
    )
    .await
    .unwrap();
    let parent = rig.token(json!({"policies": ["maker"], "ttl": "1h"})).await;
    let make = |token: String, path: &'static str| {
        let core = rig.core.clone();
        async move {
            let made = ask(&core, request(Operation::Update, path, &token, Some(json!({})))).await.unwrap();
            made["auth"]["client_token"].as_str().unwrap().to_owned()
        }
    };
    let child = make(parent.clone(), "auth/token/create").await;
    let grandchild = make(child.clone(), "auth/token/create").await;
    let orphan = make(parent.clone(), "auth/token/create-orphan").await;
    rig.put("cubbyhole/a", &grandchild, json!({"x": 1})).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    for gone in [&parent, &child, &grandchild] {
        assert_eq!(rig.get("auth/token/lookup-self", gone).await.unwrap_err().0, Kind::Denied);
    }
    rig.get("auth/token/lookup-self", &orphan).await.unwrap();

    let child = make(orphan.clone(), "auth/token/create").await;
    rig.put("auth/token/revoke-orphan", &rig.root, json!({ "token": orphan })).await.unwrap();
    assert_eq!(rig.get("auth/token/lookup-self", &child).await.unwrap()["data"]["orphan"], true);
    assert_eq!(rig.get("auth/token/lookup-self", &orphan).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c17_no_child_outlives_a_parent_that_is_revoked_meanwhile() {
    for _ in 0..20 {
        let rig = Rig::over(MemoryStore::new()).await;
        let parent = rig.allowed(r#"path "auth/token/create" { capabilities = ["update"] }"#).await;
        let births = (0..8).map(|_| {
            let (core, parent) = (rig.core.clone(), parent.clone());
            tokio::spawn(async move {
                let wish = Some(json!({"ttl": "1h"}));
                ask(&core, request(Operation::Update, "auth/token/create", &parent, wish)).await.ok()
            })
        });
        let births: Vec<_> = births.collect();
        rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
        for birth in births {
            let Some(made) = birth.await.unwrap() else { continue };
            let child = made["auth"]["client_token"].as_str().unwrap();
            assert_eq!(rig.get("auth/token/lookup-self", child).await.unwrap_err().0, Kind::Denied);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_expiry_is_checked_at_use() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    rig.clock.advance(3599);
    rig.get("auth/token/lookup-self", &token).await.unwrap();
    rig.clock.advance(1);
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Denied);
    assert_eq!(
        rig.put("auth/token/renew", &rig.root, json!({ "token": token })).await.unwrap_err().1,
        "token not found"
    );
    rig.clock.advance(1_000_000_000);
    rig.get("auth/token/lookup-self", &rig.root).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_a_clock_that_is_set_back_brings_nothing_to_life() {
    let mut rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    rig.clock.advance(3600);
    rig.put("cubbyhole/a", &rig.root, json!({"x": 1})).await.unwrap();
    rig.clock.advance(-3000);
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Unavailable);
    rig.restart();
    rig.unseal().await;
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Unavailable);
    let warnings = rig.get("sys/seal-status", "").await.unwrap()["warnings"].clone();
    assert!(warnings[0].as_str().unwrap().contains("clock is 3000 seconds behind"));
    rig.clock.advance(3000);
    assert!(rig.get("sys/seal-status", "").await.unwrap()["warnings"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn c14_no_spelling_of_root_passes() {
    let rig = Rig::new().await;
    let maker = rig.allowed(r#"path "auth/token/create" { capabilities = ["update", "sudo"] }"#).await;
    for spelling in ["root", "Root", "ROOT", " root", "root ", "rooT"] {
        let made = rig.put("auth/token/create", &maker, json!({ "policies": [spelling] })).await;
        assert_eq!(made.unwrap_err().0, Kind::BadRequest, "{spelling:?}");
    }
    for spelling in ["response-wrapping", "Response-Wrapping "] {
        let made = rig.put("auth/token/create", &rig.root, json!({ "policies": [spelling] })).await;
        assert_eq!(made.unwrap_err().0, Kind::BadRequest, "{spelling:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_children_have_no_more_than_their_parent() {
    let rig = Rig::new().await;
    let parent = rig.allowed(r#"path "auth/token/create" { capabilities = ["update"] }"#).await;
    for wish in [
        json!({"policies": ["other"]}),
        json!({"no_parent": true}),
        json!({"period": "1h"}),
        json!({"id": "own"}),
    ] {
        let made = rig.put("auth/token/create", &parent, wish.clone()).await;
        assert_eq!(made.unwrap_err().0, Kind::BadRequest, "{wish}");
    }
    // Threat 76: the default policy is one that a child could gain.
    let without = rig.token(json!({"policies": ["test"], "no_default_policy": true})).await;
    let made = rig.put("auth/token/create", &without, json!({})).await.unwrap();
    assert_eq!(made["auth"]["policies"], json!(["test"]));
    let made = rig.put("auth/token/create", &without, json!({"policies": ["test"]})).await.unwrap();
    assert_eq!(made["auth"]["policies"], json!(["test"]));
    let made = rig.put("auth/token/create", &without, json!({"policies": ["default"]})).await;
    assert_eq!(made.unwrap_err().1, "child policies must be subset of parent");
    let made = rig.put("auth/token/create", &parent, json!({"policies": ["test"]})).await.unwrap();
    assert_eq!(made["auth"]["policies"], json!(["default", "test"]));
    let limited = rig.token(json!({"policies": ["test"], "num_uses": 5})).await;
    let (kind, text) = rig.put("auth/token/create", &limited, json!({})).await.unwrap_err();
    assert_eq!(
        (kind, text.as_str()),
        (Kind::BadRequest, "restricted use token cannot generate child tokens")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_stay_below_every_limit() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "ttl": "30m", "explicit_max_ttl": "1h"})).await;
    rig.clock.advance(1200);
    let renewed = rig.put("auth/token/renew-self", &token, json!({"increment": "5h"})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], 2400);
    assert!(
        renewed["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("TTL of \"5h\" exceeded the effective max_ttl of \"1h\"")
    );
    // Threat 77: a renewal at the last moment never makes it immortal.
    rig.clock.advance(2399);
    let renewed = rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    assert_eq!(renewed["auth"]["lease_duration"], 1);
    rig.clock.advance(1);
    assert_eq!(rig.put("auth/token/renew-self", &token, json!({})).await.unwrap_err().0, Kind::Denied);
    assert_eq!(
        rig.put("auth/token/renew-self", &rig.root, json!({})).await.unwrap_err().1,
        "lease is not renewable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cubbyholes_are_private() {
    let rig = Rig::new().await;
    let (one, other) = (
        rig.token(json!({"policies": ["default"]})).await,
        rig.token(json!({"policies": ["default"]})).await,
    );
    rig.put("cubbyhole/a", &one, json!({"x": 1})).await.unwrap();
    assert_eq!(rig.get("cubbyhole/a", &one).await.unwrap()["data"]["x"], 1);
    for asker in [&other, &rig.root] {
        assert_eq!(rig.get("cubbyhole/a", asker).await.unwrap_err().0, Kind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accessors_do_what_they_are_for() {
    let rig = Rig::new().await;
    let made =
        rig.put("auth/token/create", &rig.root, json!({"policies": ["default"]})).await.unwrap()["auth"]
            .clone();
    let accessor = made["accessor"].clone();
    let seen =
        rig.put("auth/token/lookup-accessor", &rig.root, json!({ "accessor": accessor })).await.unwrap();
    assert_eq!((&seen["data"]["id"], &seen["data"]["accessor"]), (&json!(""), &accessor));
    assert!(
        rig.list("auth/token/accessors", &rig.root).await.unwrap()["data"]["keys"]
            .as_array()
            .unwrap()
            .contains(&accessor)
    );
    rig.put("auth/token/revoke-accessor", &rig.root, json!({ "accessor": accessor })).await.unwrap();
    let again =
        rig.put("auth/token/revoke-accessor", &rig.root, json!({ "accessor": accessor })).await.unwrap();
    assert_eq!(again["warnings"], json!(["No token found with this accessor"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_renewals_of_one_token_all_succeed() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    let all = (0..32).map(|number| {
        let (core, token) = (rig.core.clone(), token.clone());
        let wish = Some(json!({ "increment": 3600 + 60 * number }));
        tokio::spawn(async move {
            ask(&core, request(Operation::Update, "auth/token/renew-self", &token, wish)).await
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    // One that does not say how long gives what the last one gave.
    let last = rig.put("auth/token/renew-self", &token, json!({"increment": "10m"})).await.unwrap();
    let again = rig.put("auth/token/renew-self", &token, json!({})).await.unwrap();
    assert_eq!(
        (&last["auth"]["lease_duration"], &again["auth"]["lease_duration"]),
        (&json!(600), &json!(600))
    );
}
