//! Leases end: by time, by somebody's word, with what they belong to.

use strongroom_types::error::Kind;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_taken_back_and_nothing_is_left() {
    let rig = rig().await;
    let active = active(&rig);
    let (short, long) = (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);
    renew(&rig, &long, 1800).await.unwrap();
    rig.clock.advance(599);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 2);
    rig.clock.advance(1);
    // Whether it has been taken back or not.
    assert_eq!(look_up(&rig, &short).await.unwrap_err().1, "invalid lease");
    assert_eq!(renew(&rig, &short, 0).await.unwrap_err().1, "lease expired");
    rig.clock.advance(60);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 1);
    look_up(&rig, &long).await.unwrap();
    rig.clock.advance(1800);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    assert_eq!(stored(&active), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_revoked_at_once_or_later() {
    let rig = rig().await;
    let active = active(&rig);
    let (one, two, three) =
        (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);
    let revoke = async |path: &str, body: Value| rig.put(path, &rig.root, body).await.unwrap();
    assert_eq!(revoke("sys/leases/revoke", json!({ "lease_id": one })).await, Value::Null);
    assert_eq!(users(&rig).await.len(), 2);
    assert_eq!(revoke(&format!("sys/leases/revoke/{two}"), json!({"sync": true})).await, Value::Null);
    assert_eq!(users(&rig).await.len(), 1);
    assert_eq!(revoke("sys/leases/revoke", json!({"lease_id": three, "sync": false})).await["status"], 202);
    // It has ended, whoever takes back what was given.
    assert_eq!(look_up(&rig, &three).await.unwrap_err().1, "invalid lease");
    assert_eq!(renew(&rig, &three, 0).await.unwrap_err().1, "lease not found");
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    assert_eq!(stored(&active), 0);
}

/// The engine's own task runs beside the requests, and is woken.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_is_done_without_being_asked() {
    let rig = rig().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(rig.core.clone().run(stopped));
    for _ in 0..3 {
        lease(&rig, &rig.root).await;
    }
    rig.put("sys/leases/revoke-prefix/db/creds", &rig.root, json!({"sync": false})).await.unwrap();
    for _ in 0..1000 {
        if users(&rig).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(users(&rig).await.len(), 0);
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_leases_end_with_their_token_and_its_tree() {
    let rig = rig().await;
    let active = active(&rig);
    let parent = customer(&rig, json!({"ttl": "1h"})).await;
    let made = rig.put("auth/token/create", &parent, json!({"ttl": "1h"})).await.unwrap();
    let child = made["auth"]["client_token"].as_str().unwrap();
    let ids = [lease(&rig, &parent).await, lease(&rig, child).await, lease(&rig, child).await];
    let other = lease(&rig, &rig.root).await;
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    // Useless at once, though nothing has been taken back.
    assert_eq!(users(&rig).await.len(), 4);
    for id in &ids {
        assert_eq!(look_up(&rig, id).await.unwrap_err().1, "invalid lease");
        assert_eq!(renew(&rig, id, 0).await.unwrap_err().1, "lease not found");
    }
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 1);
    look_up(&rig, &other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_end_with_a_token_that_expires_or_is_revoked_alone() {
    let mut rig = rig().await;
    let token = customer(&rig, json!({"ttl": "5m"})).await;
    let id = lease(&rig, &token).await;
    let alone = customer(&rig, json!({"ttl": "1h"})).await;
    lease(&rig, &alone).await;
    rig.put("auth/token/revoke-orphan", &rig.root, json!({ "token": alone })).await.unwrap();
    take_back(&active(&rig)).await;
    assert_eq!(users(&rig).await.len(), 1);
    // The token ends while the server is down.
    rig.restart();
    rig.clock.advance(301);
    rig.unseal().await;
    assert_eq!(renew(&rig, &id, 0).await.unwrap_err().1, "lease not found");
    let active = active(&rig);
    sweep_all(&active).await;
    rig.clock.advance(60);
    sweep_all(&active).await;
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    assert_eq!(stored(&active), 0);
}

/// Vault 0.6.4: what a token's last use had leased lived on.
#[tokio::test(flavor = "multi_thread")]
async fn vault_0_6_4_the_last_use_of_a_token_ends_what_is_leased_to_it() {
    let rig = rig().await;
    let active = active(&rig);
    let token = customer(&rig, json!({"num_uses": 3, "ttl": "1h"})).await;
    lease(&rig, &token).await;
    lease(&rig, &token).await;
    let last = rig.get("db/creds/app", &token).await.unwrap_err();
    assert_eq!(last.0, Kind::BadRequest);
    assert!(last.1.contains("leased credentials were immediately revoked"), "{}", last.1);
    assert_eq!(rig.get("db/creds/app", &token).await.unwrap_err().0, Kind::Denied);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    assert_eq!(stored(&active), 0);
    // A last use for something else ends them as well.
    let token = customer(&rig, json!({"num_uses": 2, "ttl": "1h"})).await;
    lease(&rig, &token).await;
    rig.list("db/users", &token).await.unwrap();
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
}

/// CVE-2020-25816: the leases of batch tokens lived on.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_25816_no_lease_outlives_its_batch_token() {
    let rig = rig().await;
    let active = active(&rig);
    let parent = customer(&rig, json!({"ttl": "1h"})).await;
    let batch = async |ttl: &str, orphan: bool| {
        let (path, maker) = if orphan { ("create-orphan", &rig.root) } else { ("create", &parent) };
        let wish = json!({"type": "batch", "ttl": ttl, "policies": ["customer"]});
        let made = rig.put(&format!("auth/token/{path}"), maker, wish).await.unwrap();
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    for orphan in [false, true] {
        let token = batch("3m", orphan).await;
        let given = rig.get("db/creds/app", &token).await.unwrap();
        assert_eq!(given["lease_duration"], 180, "{orphan}");
        let id = given["lease_id"].as_str().unwrap();
        rig.clock.advance(60);
        assert_eq!(renew(&rig, id, 3600).await.unwrap()["lease_duration"], 120);
        rig.clock.advance(120);
        assert_eq!(renew(&rig, id, 0).await.unwrap_err().1, "lease expired");
    }
    rig.clock.advance(60);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    // With the parent it ends at once.
    let token = batch("3m", false).await;
    let id = lease(&rig, &token).await;
    rig.put("auth/token/revoke", &rig.root, json!({ "token": parent })).await.unwrap();
    assert_eq!(renew(&rig, &id, 0).await.unwrap_err().1, "lease not found");
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    assert_eq!(stored(&active), 0);
}

/// A lease that is asked for while its token is revoked: it is not given, or it ends with the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c17_no_lease_outlives_a_token_that_is_revoked_meanwhile() {
    for _ in 0..20 {
        let rig = rig().await;
        let active = active(&rig);
        let token = customer(&rig, json!({"ttl": "1h"})).await;
        let asked = (0..8).map(|_| {
            let (core, token) = (rig.core.clone(), token.clone());
            tokio::spawn(async move {
                let operation = strongroom_types::Operation::Read;
                crate::testing::ask(&core, crate::testing::request(operation, "db/creds/app", &token, None))
                    .await
            })
        });
        let asked: Vec<_> = asked.collect();
        rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
        for asked in asked {
            match asked.await.unwrap() {
                Ok(given) => {
                    let id = given["lease_id"].as_str().unwrap();
                    assert_eq!(renew(&rig, id, 0).await.unwrap_err().1, "lease not found");
                }
                Err(refused) => assert_eq!(refused.0, Kind::Denied),
            }
        }
        take_back(&active).await;
        assert_eq!(users(&rig).await.len(), 0);
        assert_eq!(stored(&active), 0);
    }
}

/// What a clock that was far ahead has leased is void once the clock is right, and can be taken back at any time.
#[tokio::test(flavor = "multi_thread")]
async fn c9_a_wrong_clock_makes_no_lease_that_outlives_it() {
    let rig = rig().await;
    let active = active(&rig);
    let years = 10 * 365 * 24 * 3600;
    rig.clock.advance(years);
    let (one, other) = (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);
    rig.clock.advance(-years);
    // Nobody can tell what has ended, and nothing new is given.
    assert_eq!(look_up(&rig, &one).await.unwrap_err().0, Kind::Unavailable);
    assert_eq!(renew(&rig, &one, 0).await.unwrap_err().0, Kind::Unavailable);
    assert_eq!(rig.get("db/creds/app", &rig.root).await.unwrap_err().0, Kind::Unavailable);
    rig.put("sys/leases/revoke", &rig.root, json!({ "lease_id": one })).await.unwrap();
    assert_eq!(users(&rig).await.len(), 1);
    rig.put("sys/clock", &rig.root, json!({"accept": true})).await.unwrap();
    assert_eq!(look_up(&rig, &other).await.unwrap_err().1, "invalid lease");
    assert_eq!(renew(&rig, &other, 0).await.unwrap_err().1, "lease expired");
    let new = lease(&rig, &rig.root).await;
    look_up(&rig, &new).await.unwrap();
    rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}
