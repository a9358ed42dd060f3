//! What cannot be taken back is kept, shown and tried again.

use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};

use super::*;
use crate::leases::record::MAX_FAILURES;

async fn broken(rig: &Rig, text: &str) {
    rig.put("db/fault", &rig.root, json!({ "text": text })).await.unwrap();
}

async fn irrevocable(rig: &Rig) -> Value {
    rig.get("sys/leases?type=irrevocable", &rig.root).await.unwrap()["data"].clone()
}

/// Vault 0.5.3: an error of one kind was taken for success.
#[tokio::test(flavor = "multi_thread")]
async fn vault_0_5_3_any_error_keeps_the_lease() {
    let rig = rig().await;
    let active = active(&rig);
    let id = lease(&rig, &rig.root).await;
    broken(&rig, "it is down").await;
    let revoked = rig.put("sys/leases/revoke", &rig.root, json!({ "lease_id": id })).await.unwrap_err();
    assert!(revoked.1.contains("it is down"), "{}", revoked.1);
    let seen = look_up(&rig, &id).await.unwrap()["data"].clone();
    assert_eq!(
        (&seen["revoke_error"], &seen["ttl"], &seen["renewable"]),
        (&json!("it is down"), &json!(0), &json!(false))
    );
    assert_eq!(renew(&rig, &id, 0).await.unwrap_err().1, "lease not found");
    assert_eq!(users(&rig).await.len(), 1);
    // Not before it is time, and then with success.
    rig.delete("db/fault", &rig.root).await.unwrap();
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 1);
    rig.clock.advance(120);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 0);
    assert_eq!(stored(&active), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_irrevocable_lease_is_shown_with_its_error_and_tried_further() {
    let rig = rig().await;
    let active = active(&rig);
    let id = lease(&rig, &rig.root).await;
    broken(&rig, "it is down").await;
    rig.clock.advance(600);
    for attempt in 1..=MAX_FAILURES {
        assert_eq!(irrevocable(&rig).await, json!({"lease_count": 0, "leases": []}), "{attempt}");
        rig.clock.advance(40 * 60);
        take_back(&active).await;
    }
    let accessor = rig.get("sys/mounts/db", &rig.root).await.unwrap()["data"]["accessor"].clone();
    let shown = json!({"lease_id": id, "mount_id": accessor, "error": "it is down"});
    assert_eq!(irrevocable(&rig).await, json!({"lease_count": 1, "leases": [shown]}));
    let counted = rig.get("sys/leases/count?type=irrevocable", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(counted, json!({"lease_count": 1, "counts": {accessor.as_str().unwrap(): 1}}));
    assert!(rig.get("sys/leases/count", &rig.root).await.is_err());
    rig.delete("db/fault", &rig.root).await.unwrap();
    rig.clock.advance(4 * 3600);
    take_back(&active).await;
    assert_eq!(irrevocable(&rig).await["lease_count"], 0);
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_irrevocable_leases_are_shown_in_part() {
    let rig = rig().await;
    let active = active(&rig);
    for _ in 0..5 {
        lease(&rig, &rig.root).await;
    }
    broken(&rig, "it is down").await;
    for _ in 0..=MAX_FAILURES {
        rig.clock.advance(3600);
        take_back(&active).await;
    }
    let listed = async |limit: &str| {
        rig.get(&format!("sys/leases?type=irrevocable&limit={limit}"), &rig.root).await.unwrap()
    };
    let some = listed("3").await;
    assert_eq!(
        (some["data"]["lease_count"].as_u64(), some["data"]["leases"].as_array().unwrap().len()),
        (Some(5), 3)
    );
    assert!(some["warnings"][0].as_str().unwrap().starts_with("Command halted"));
    assert_eq!(listed("none").await["data"]["leases"].as_array().unwrap().len(), 5);
}

/// Only force gives up, and then nothing of the lease is left; what was given is.
#[tokio::test(flavor = "multi_thread")]
async fn only_force_gives_up() {
    let rig = rig().await;
    let active = active(&rig);
    for _ in 0..3 {
        lease(&rig, &rig.root).await;
    }
    broken(&rig, "it is down").await;
    let refused = rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap_err().1;
    assert!(refused.contains("3 of 3 leases") && refused.contains("it is down"), "{refused}");
    assert_eq!(users(&rig).await.len(), 3);
    assert!(stored(&active) > 0);
    rig.put("sys/leases/revoke-force/db", &rig.root, json!({})).await.unwrap();
    assert_eq!((users(&rig).await.len(), stored(&active)), (3, 0));
}

/// One that fails keeps no other, and what one token's revocation has tried is tried again at its time.
#[tokio::test(flavor = "multi_thread")]
async fn c17_a_token_that_has_ended_leaves_its_failing_leases_to_be_tried_again() {
    let rig = rig().await;
    let active = active(&rig);
    let token = customer(&rig, json!({"ttl": "1h"})).await;
    let id = lease(&rig, &token).await;
    broken(&rig, "it is down").await;
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    take_back(&active).await;
    assert_eq!(look_up(&rig, &id).await.unwrap()["data"]["revoke_error"], "it is down");
    rig.delete("db/fault", &rig.root).await.unwrap();
    rig.clock.advance(120);
    take_back(&active).await;
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}

/// Whatever fails or stops at whatever point: a user is there if and only if its lease is, and in the end none is.
#[tokio::test(flavor = "multi_thread")]
async fn c17_a_crash_at_any_point_loses_no_lease() {
    for fail_after in (0..120).step_by(3) {
        let inner = MemoryStore::new();
        let store = FaultyStore::new(inner.clone(), Plan::default());
        let mut rig = machine(Rig::over(store.clone()).await).await;
        let token = customer(&rig, json!({"ttl": "1h"})).await;
        for _ in 0..3 {
            lease(&rig, &token).await;
            lease(&rig, &rig.root).await;
        }
        store.plan(|plan| plan.fail_after = Some(fail_after));
        let revoked = rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.is_ok();
        let queued = rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({"sync": false})).await.is_ok();
        let gone = active(&rig);
        while matches!(look(&gone).await, Ok(Swept::Some)) {}
        // Another process, on what is there.
        rig.restart_on(inner);
        rig.unseal().await;
        let active = active(&rig);
        let listed = rig.list("sys/leases/lookup/db/creds/app", &rig.root).await;
        let leases = listed.map_or(0, |listed| listed["data"]["keys"].as_array().unwrap().len());
        assert_eq!(users(&rig).await.len(), leases, "{fail_after}");
        take_back(&active).await;
        let left = match (revoked, queued) {
            (_, true) => 0..=0,
            (true, false) => 0..=3,
            // What nobody was told may have happened all the same.
            (false, false) => 0..=6,
        };
        assert!(
            left.contains(&users(&rig).await.len()),
            "{fail_after}: {:?} {revoked} {queued}",
            users(&rig).await
        );
        rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
        assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0), "{fail_after}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_end_on_a_full_disk() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = machine(Rig::over(store.clone()).await).await;
    let active = active(&rig);
    let token = customer(&rig, json!({"ttl": "1h"})).await;
    let of_token = lease(&rig, &token).await;
    let (now, later) = (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);
    lease(&rig, &rig.root).await;
    store.plan(|plan| plan.full = true);
    rig.put("sys/leases/revoke", &rig.root, json!({ "lease_id": now })).await.unwrap();
    rig.put("sys/leases/revoke", &rig.root, json!({"lease_id": later, "sync": false})).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    assert_eq!(look_up(&rig, &of_token).await.unwrap_err().1, "invalid lease");
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 1);
    rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}

/// What the engine says needs room that there is not: the lease is as it was, and the job that is to end it stays.
#[tokio::test(flavor = "multi_thread")]
async fn c17_what_cannot_be_committed_is_not_forgotten_with_its_job() {
    for kind in ["shared", "slow"] {
        for by in ["token", "prefix, waiting", "prefix, beside"] {
            let store = FaultyStore::new(MemoryStore::new(), Plan::default());
            let rig = machine(Rig::over(store.clone()).await).await;
            let active = active(&rig);
            let token = customer(&rig, json!({"ttl": "1h"})).await;
            rig.get(&format!("db/{kind}/app"), &token).await.unwrap();
            store.plan(|plan| plan.full = true);
            let prefix = async |sync: bool| {
                rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({ "sync": sync })).await
            };
            match by {
                "token" => {
                    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
                }
                "prefix, waiting" => {
                    let refused = prefix(true).await.unwrap_err().1;
                    assert!(refused.contains("it is tried again: the disk is full"), "{refused}");
                }
                _ => drop(prefix(false).await.unwrap()),
            }
            take_back(&active).await;
            assert!(stored(&active) > 0, "{kind}, {by}");
            store.plan(|plan| plan.full = false);
            rig.clock.advance(20);
            take_back(&active).await;
            assert_eq!(stored(&active), 0, "{kind}, {by}");
        }
    }
}

/// More than have one turn: whoever stands behind them has one, too, and there is an end of each look.
#[tokio::test(flavor = "multi_thread")]
async fn leases_that_cannot_end_keep_no_others_and_no_core_busy() {
    let rig = rig().await;
    let active = active(&rig);
    let token = customer(&rig, json!({"ttl": "1h"})).await;
    for number in 0..4_200 {
        // Most of the mount, and more of one token than one batch takes.
        lease(&rig, if number % 2 == 0 { &rig.root } else { &token }).await;
    }
    // And another mount, of more than one turn, too.
    rig.put("sys/mounts/other", &rig.root, json!({"type": "vending"})).await.unwrap();
    rig.put("other/role/app", &rig.root, json!({"ttl": "10m"})).await.unwrap();
    for _ in 0..2_100 {
        rig.get("other/creds/app", &rig.root).await.unwrap();
    }
    broken(&rig, "it is down").await;
    rig.put("other/fault", &rig.root, json!({"text": "it is down"})).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    rig.delete("sys/mounts/db", &rig.root).await.unwrap();
    rig.delete("sys/mounts/other", &rig.root).await.unwrap();
    take_back(&active).await;
    let failed = active.leases.view.at(active.snapshot().unwrap());
    let mut tried = 0;
    let visit = &mut |rest: &[String]| {
        let id = crate::leases::record::LeaseId::parse(&rest.join("/")).unwrap();
        let found = crate::leases::record::find(&failed, &id).unwrap().unwrap();
        tried += usize::from(found.record.failures == 1);
        true
    };
    failed.walk(&strongroom_barrier::Name::new(["lease"]).unwrap(), visit).unwrap();
    assert_eq!(tried, 6_300);
    // Nothing is looked at again until it is time.
    let before = active.snapshot().unwrap().revision();
    take_back(&active).await;
    assert_eq!(active.snapshot().unwrap().revision(), before);
}

/// One damaged record had kept all others from being taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_lease_keeps_no_other() {
    let rig = rig().await;
    let active = active(&rig);
    let token = rig.token(json!({"policies": ["root"], "ttl": "1h"})).await;
    let (first, second) = (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);
    let (third, fourth) = (lease(&rig, &token).await, lease(&rig, &token).await);
    for id in [&first, &third] {
        let name = strongroom_barrier::Name::below("lease", id).unwrap();
        let mut batch = strongroom_store::Batch::default();
        active
            .leases
            .view
            .seal(&strongroom_barrier::Write::put(name, "no record".to_owned()), &mut batch)
            .unwrap();
        active.store.commit(batch).await.unwrap();
    }
    // With its token, by its time, and by whoever waits for it.
    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 3, "the fourth is gone: {fourth}");
    let prefix =
        rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({ "sync": true })).await.unwrap_err();
    assert!(prefix.1.contains("its record is damaged"), "{}", prefix.1);
    assert_eq!(users(&rig).await.len(), 2, "the second is gone: {second}");
    let last = lease(&rig, &rig.root).await;
    rig.clock.advance(40 * 24 * 3600);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 2, "the last is gone: {last}");
}
