//! Quotas of how many leases there are.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use strongroom_audit::testing::Mood;
use strongroom_types::error::Kind;

use super::sweep::{active, sweep_all};
use crate::census;
use crate::leases::testing::ASKED;
use crate::testing::{Answer, Rig};

async fn limit(rig: &Rig, name: &str, wish: Value) {
    rig.put(&format!("sys/quotas/lease-count/{name}"), &rig.root, wish).await.unwrap();
}

async fn counter(rig: &Rig, name: &str) -> Value {
    rig.get(&format!("sys/quotas/lease-count/{name}"), &rig.root).await.unwrap()["data"]["counter"].clone()
}

/// A door that lets in who says the word, as `role`.
async fn door() -> Rig {
    let rig = Rig::new().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/me", &rig.root, json!({"token_policies": "default", "token_ttl": "1h"}))
        .await
        .unwrap();
    rig
}

async fn login(rig: &Rig, role: &str) -> Answer {
    rig.put("auth/door/login/me", "", json!({"word": "open", "role": role})).await
}

/// An engine at `db/` that gives users.
async fn machine(rig: &Rig) {
    rig.put("sys/mounts/db", &rig.root, json!({"type": "vending"})).await.unwrap();
    rig.put("db/role/app", &rig.root, json!({"ttl": "10m"})).await.unwrap();
}

/// What is kept is what somebody finds who counts anew.
fn agrees(rig: &Rig) {
    let active = active(rig);
    let (rules, kept) = active.census.kept().unwrap();
    let (_, mut found) = census::look(&active, &rules).unwrap();
    let mut kept = kept;
    kept.by_quota.retain(|_, count| *count != 0);
    found.by_quota.retain(|_, count| *count != 0);
    assert_eq!(kept, found);
}

fn refused(path: &str) -> Answer {
    let text = format!("1 error occurred:\n\t* request path \"{path}\": lease count quota exceeded\n\n");
    Err((Kind::TooMany, text))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_logins_at_once_exactly_as_many_get_a_token_as_may() {
    let mut rig = door().await;
    limit(&rig, "q", json!({"path": "auth/door", "max_leases": 10})).await;
    let all: Vec<_> = (0..200)
        .map(|_| {
            let core = rig.core.clone();
            tokio::spawn(async move {
                let body = json!({"word": "open"});
                let request = crate::testing::request(
                    strongroom_types::Operation::Update,
                    "auth/door/login/me",
                    "",
                    Some(body),
                );
                crate::testing::ask(&core, request).await
            })
        })
        .collect();
    let mut tokens = Vec::new();
    for one in all {
        match one.await.unwrap() {
            Ok(made) => tokens.push(made["auth"]["client_token"].as_str().unwrap().to_owned()),
            other => assert_eq!(other, refused("auth/door/login/me")),
        }
    }
    assert_eq!(tokens.len(), 10);
    assert_eq!(counter(&rig, "q").await, 10);
    // Another process knows it, too.
    rig.restart();
    rig.unseal().await;
    assert_eq!(counter(&rig, "q").await, 10);
    assert_eq!(login(&rig, "").await, refused("auth/door/login/me"));
    // Who goes makes room, and so does time.
    rig.put("auth/token/revoke", &rig.root, json!({"token": tokens[0]})).await.unwrap();
    login(&rig, "").await.unwrap();
    assert_eq!(login(&rig, "").await, refused("auth/door/login/me"));
    rig.clock.advance(2 * 3600);
    sweep_all(&active(&rig)).await;
    assert_eq!(counter(&rig, "q").await, 0);
    login(&rig, "").await.unwrap();
    agrees(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_has_no_effect_and_an_engine_that_waits_is_not_even_asked() {
    let rig = Rig::new().await;
    machine(&rig).await;
    limit(&rig, "q", json!({"path": "db", "max_leases": 2})).await;
    rig.get("db/creds/app", &rig.root).await.unwrap();
    let asked = ASKED.load(Ordering::SeqCst);
    // A handler that leases nothing after all gives its place back.
    for _ in 0..3 {
        rig.get("db/remote/none", &rig.root).await.unwrap_err();
    }
    let given = rig.get("db/remote/app", &rig.root).await.unwrap();
    assert_eq!(ASKED.load(Ordering::SeqCst), asked + 4);
    let users = async || rig.list("db/users", &rig.root).await.unwrap()["data"]["keys"].clone();
    let before = users().await;
    for path in ["db/creds/app", "db/remote/app"] {
        assert_eq!(rig.get(path, &rig.root).await, refused(path));
    }
    assert_eq!((users().await, ASKED.load(Ordering::SeqCst)), (before, asked + 4));
    // Everything else goes on, renewals too; and a lease that is taken back makes room.
    rig.put("db/role/other", &rig.root, json!({"ttl": "5m"})).await.unwrap();
    rig.put("sys/leases/renew", &rig.root, json!({"lease_id": given["lease_id"]})).await.unwrap();
    rig.put("sys/leases/revoke", &rig.root, json!({"lease_id": given["lease_id"]})).await.unwrap();
    rig.get("db/creds/other", &rig.root).await.unwrap();
    assert_eq!(rig.get("db/creds/other", &rig.root).await, refused("db/creds/other"));
    agrees(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_counts_for_the_quota_that_says_most_and_for_no_other() {
    let mut rig = door().await;
    machine(&rig).await;
    limit(&rig, "all", json!({"max_leases": 3})).await;
    limit(&rig, "door", json!({"path": "auth/door", "max_leases": 2})).await;
    limit(&rig, "few", json!({"path": "auth/door", "role": "few", "max_leases": 1})).await;
    limit(&rig, "app", json!({"path": "db/creds/a*", "max_leases": 1})).await;
    for (role, passes) in [("few", 1), ("other", 2)] {
        let mut passed = 0;
        for _ in 0..4 {
            passed += usize::from(login(&rig, role).await.is_ok());
        }
        assert_eq!(passed, passes, "{role}");
    }
    rig.get("db/creds/app", &rig.root).await.unwrap();
    assert_eq!(rig.get("db/creds/app", &rig.root).await, refused("db/creds/app"));
    // What is left counts for the whole: another role of the engine, and tokens of tokens.
    rig.put("db/role/other", &rig.root, json!({"ttl": "10m"})).await.unwrap();
    rig.get("db/creds/other", &rig.root).await.unwrap();
    let token = rig.token(json!({"ttl": "1h"})).await;
    rig.token(json!({"ttl": "1h"})).await;
    let third = rig.put("auth/token/create", &rig.root, json!({"ttl": "1h"})).await;
    assert_eq!(third, refused("auth/token/create"));
    // What never ends, and what is stored nowhere, is no lease.
    rig.token(json!({"policies": ["root"]})).await;
    rig.token(json!({"type": "batch", "ttl": "10m", "policies": ["default"]})).await;
    let counters = async |rig: &Rig| {
        let mut all = Vec::new();
        for name in ["all", "door", "few", "app"] {
            all.push(counter(rig, name).await);
        }
        all
    };
    assert_eq!(counters(&rig).await, [3, 2, 1, 1]);
    rig.restart();
    rig.unseal().await;
    assert_eq!(counters(&rig).await, [3, 2, 1, 1], "also whose a login was");
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    rig.delete("sys/quotas/lease-count/few", &rig.root).await.unwrap();
    assert_eq!(counter(&rig, "all").await, 2);
    assert_eq!(counter(&rig, "door").await, 3, "the role's counts for its mount now");
    agrees(&rig);
    // Those of a method that is gone count for nobody, and are removed.
    rig.delete("sys/auth/door", &rig.root).await.unwrap();
    assert_eq!(rig.get("sys/quotas/lease-count/door", &rig.root).await.unwrap_err().0, Kind::NotFound);
    sweep_all(&active(&rig)).await;
    agrees(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_counts_what_was_there_before_it_and_moves_with_its_mount() {
    let rig = Rig::new().await;
    machine(&rig).await;
    for _ in 0..3 {
        rig.get("db/creds/app", &rig.root).await.unwrap();
    }
    limit(&rig, "q", json!({"path": "db/", "max_leases": 2})).await;
    assert_eq!(counter(&rig, "q").await, 3, "more than may be: none is taken away");
    assert_eq!(rig.get("db/creds/app", &rig.root).await, refused("db/creds/app"));
    limit(&rig, "q", json!({"path": "db/", "max_leases": 4})).await;
    rig.get("db/creds/app", &rig.root).await.unwrap();
    rig.put("sys/remount", &rig.root, json!({"from": "db", "to": "moved"})).await.unwrap();
    sweep_all(&active(&rig)).await;
    let shown = rig.get("sys/quotas/lease-count/q", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(
        shown,
        json!({"name": "q", "type": "lease-count", "path": "moved/", "role": "", "max_leases": 4, "counter": 0,
            "inheritable": false})
    );
    rig.get("moved/creds/app", &rig.root).await.unwrap();
    assert_eq!(counter(&rig, "q").await, 1);
    assert_eq!(rig.list("sys/quotas/lease-count", &rig.root).await.unwrap()["data"]["keys"], json!(["q"]));
    rig.delete("sys/mounts/moved", &rig.root).await.unwrap();
    assert_eq!(rig.list("sys/quotas/lease-count", &rig.root).await.unwrap_err().0, Kind::NotFound);
    sweep_all(&active(&rig)).await;
    agrees(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fails_after_the_check_gives_the_place_back() {
    let rig = door().await;
    limit(&rig, "q", json!({"path": "auth/door", "max_leases": 1})).await;
    for _ in 0..3 {
        rig.sink.set(Mood::Refusing);
        login(&rig, "").await.unwrap_err();
        rig.sink.set(Mood::Well);
        assert_eq!(
            rig.put("auth/door/login/me", "", json!({"word": "wrong"})).await.unwrap_err().0,
            Kind::BadRequest
        );
    }
    login(&rig, "").await.unwrap();
    // Whoever has no right word is not told of the quota.
    let wrong = rig.put("auth/door/login/me", "", json!({"word": "wrong"})).await;
    assert_eq!(wrong.unwrap_err().0, Kind::BadRequest);
    agrees(&rig);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let rig = door().await;
    machine(&rig).await;
    limit(&rig, "first", json!({"path": "db", "max_leases": 1000})).await;
    for wish in [
        json!({"path": "cubbyhole"}),
        json!({"path": "cubbyhole", "max_leases": 0}),
        json!({"path": "cubbyhole", "max_leases": -1}),
        json!({"path": "cubbyhole", "max_leases": 1, "type": "rate-limit"}),
        json!({"path": "cubbyhole", "max_leases": 1, "inheritable": true}),
        json!({"path": "db", "max_leases": 1, "role": "x"}),
        json!({"path": "absent", "max_leases": 1}),
        json!({"path": "db/", "max_leases": 1}),
    ] {
        let refused = rig.put("sys/quotas/lease-count/q", &rig.root, wish.clone()).await.unwrap_err();
        assert_eq!(refused.0, Kind::BadRequest, "{wish}: {refused:?}");
    }
    // The two kinds have names of their own.
    rig.put("sys/quotas/rate-limit/first", &rig.root, json!({"path": "db", "rate": 1000})).await.unwrap();
    rig.delete("sys/quotas/lease-count/first", &rig.root).await.unwrap();
    rig.get("sys/quotas/rate-limit/first", &rig.root).await.unwrap();
}

#[test]
fn records_of_lease_count_quotas_are_as_they_were() {
    let record = json!({
        "v": 1,
        "mount": "01010101-0101-0101-0101-010101010101",
        "path": "a*",
        "role": "",
        "inheritable": false,
        "max_leases": 7
    });
    let read: crate::quotas::leases::LeaseQuotaRecord = serde_json::from_value(record.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), record);
}

/// Logins, leases and their ends, while quotas come and go and mounts move: whatever comes first, nothing is counted twice or
/// not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_storm_of_changes_nothing_is_counted_twice_or_not_at_all() {
    let rig = door().await;
    machine(&rig).await;
    let asked = |operation, path: &str, token: &str, body: Value| {
        let (core, request) = (rig.core.clone(), crate::testing::request(operation, path, token, Some(body)));
        tokio::spawn(async move { crate::testing::ask(&core, request).await })
    };
    use strongroom_types::Operation::{Delete, Read, Update};
    for round in 0..6 {
        let mut all = Vec::new();
        for n in 0..20 {
            let role = if n % 3 == 0 { "few" } else { "other" };
            all.push(asked(Update, "auth/door/login/me", "", json!({"word": "open", "role": role})));
            all.push(asked(Read, "db/creds/app", &rig.root, json!({})));
            all.push(asked(Update, "auth/token/create", &rig.root, json!({"ttl": "10m"})));
            let at = format!("sys/quotas/lease-count/q{}", n % 4);
            let quota = match n % 4 {
                0 => json!({"max_leases": 25 + round * 20}),
                1 => json!({"path": "auth/door", "max_leases": 12}),
                2 => json!({"path": "auth/door", "role": "few", "max_leases": 4}),
                _ => json!({"path": "db", "max_leases": 9}),
            };
            match (n + round) % 5 {
                0 => all.push(asked(Delete, &at, &rig.root, json!({}))),
                1 | 2 => all.push(asked(Update, &at, &rig.root, quota)),
                3 => all.push(asked(
                    Update,
                    &format!("sys/mounts/m{round}-{n}"),
                    &rig.root,
                    json!({"type": "toy"}),
                )),
                _ => all.push(asked(Update, "sys/leases/revoke-prefix/db/creds", &rig.root, json!({}))),
            }
        }
        let mut tokens = Vec::new();
        for one in all {
            match one.await.unwrap() {
                Ok(made) => tokens.extend(made["auth"]["client_token"].as_str().map(str::to_owned)),
                Err((kind, text)) => assert_eq!(kind, Kind::TooMany, "{text}"),
            }
        }
        agrees(&rig);
        let half = tokens.iter().step_by(2);
        let ends: Vec<_> = half
            .map(|token| asked(Update, "auth/token/revoke", &rig.root, json!({ "token": token })))
            .collect();
        for end in ends {
            end.await.unwrap().unwrap();
        }
        agrees(&rig);
        rig.clock.advance(400);
        sweep_all(&active(&rig)).await;
        agrees(&rig);
    }
}
