//! Many leases at once.

use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::error::Kind;

use super::*;
use crate::leases::testing::MOST_AT_ONCE;

async fn revoke_prefix(rig: &Rig, path: &str, sync: bool) -> Value {
    rig.put(&format!("sys/leases/revoke-prefix/{path}"), &rig.root, json!({ "sync": sync })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_takes_what_is_below_it_and_nothing_else() {
    let rig = rig().await;
    let active = active(&rig);
    rig.put("db/role/app2", &rig.root, json!({})).await.unwrap();
    let kept = rig.get("db/creds/app2", &rig.root).await.unwrap()["lease_id"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        lease(&rig, &rig.root).await;
    }
    assert_eq!(revoke_prefix(&rig, "db/creds/app", true).await, Value::Null);
    assert_eq!(users(&rig).await.len(), 1);
    look_up(&rig, &kept).await.unwrap();
    // One lease is a prefix, too.
    let (one, other) = (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);
    revoke_prefix(&rig, &one, true).await;
    assert_eq!(look_up(&rig, &one).await.unwrap_err().1, "invalid lease");
    look_up(&rig, &other).await.unwrap();
    // What comes after the word is not meant by it.
    assert_eq!(revoke_prefix(&rig, "db", false).await["status"], 202);
    rig.clock.advance(1);
    let later = lease(&rig, &rig.root).await;
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 1);
    look_up(&rig, &later).await.unwrap();
    revoke_prefix(&rig, "none/such", true).await;
}

/// Batches, not one commit for each: and each commit is one of a constant number for thousands.
#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_leases_end_in_a_few_commits() {
    let rig = rig().await;
    let active = active(&rig);
    for _ in 0..5_000 {
        lease(&rig, &rig.root).await;
    }
    let before = active.snapshot().unwrap().revision().0;
    revoke_prefix(&rig, "db", true).await;
    let commits = active.snapshot().unwrap().revision().0 - before;
    assert!(commits < 10, "{commits}");
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}

/// Each end of a lease changes what the next one reads.
#[tokio::test(flavor = "multi_thread")]
async fn leases_that_share_a_record_end_one_after_the_other() {
    let rig = rig().await;
    let active = active(&rig);
    for _ in 0..20 {
        rig.get("db/shared/app", &rig.root).await.unwrap();
    }
    revoke_prefix(&rig, "db", true).await;
    assert_eq!(stored(&active), 0);
    assert_eq!(rig.get("db/shared/app", &rig.root).await.unwrap()["data"]["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_that_wait_are_asked_a_few_at_the_same_time() {
    let rig = rig().await;
    let active = active(&rig);
    let mut id = String::new();
    for _ in 0..40 {
        let given = rig.get("db/slow/app", &rig.root).await.unwrap();
        given["lease_id"].as_str().unwrap().clone_into(&mut id);
    }
    assert_eq!(renew(&rig, &id, 60).await.unwrap()["lease_duration"], 60);
    revoke_prefix(&rig, "db", true).await;
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
    let most = MOST_AT_ONCE.load(std::sync::atomic::Ordering::SeqCst);
    assert!((1..=16).contains(&most), "{most}");
}

/// A restart reads nothing of the leases: it costs the same however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn an_unseal_costs_the_same_however_many_leases_there_are() {
    let mut costs = Vec::new();
    for leases in [0, 800] {
        let store = FaultyStore::new(MemoryStore::new(), Plan::default());
        let mut rig = machine(Rig::over(store.clone()).await).await;
        // What is beside them in the store, as rows of the audit log, is as much either way.
        for number in 0..800 {
            match number < leases {
                true => drop(lease(&rig, &rig.root).await),
                false => drop(rig.put("db/role/app", &rig.root, json!({"ttl": "10m"})).await.unwrap()),
            }
        }
        rig.restart();
        store.plan(|plan| plan.fail_after = Some(1_000_000));
        rig.unseal().await;
        take_back(&active(&rig)).await;
        let mut left = 0;
        store.plan(|plan| left = plan.fail_after.take().unwrap());
        costs.push(1_000_000 - left);
    }
    assert!(costs[1] <= costs[0] + 10, "calls of the store: {costs:?}");
}

/// Whoever revokes and whoever sweeps at the same time do not get in each other's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_hands_take_back_each_lease_once() {
    let rig = rig().await;
    let active = active(&rig);
    for _ in 0..200 {
        lease(&rig, &rig.root).await;
        rig.get("db/shared/app", &rig.root).await.unwrap();
    }
    rig.clock.advance(660);
    let sweeping = {
        let active = active.clone();
        tokio::spawn(async move { take_back(&active).await })
    };
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let (core, root) = (rig.core.clone(), rig.root.clone());
            tokio::spawn(async move {
                let operation = strongroom_types::Operation::Update;
                let path = "sys/leases/revoke-prefix/db";
                crate::testing::ask(&core, crate::testing::request(operation, path, &root, Some(json!({}))))
                    .await
            })
        })
        .collect();
    for asked in asked {
        // Whoever loses each race is told so, and that it goes on.
        if let Err((kind, text)) = asked.await.unwrap() {
            assert_eq!(kind, Kind::BadRequest, "{text}");
        }
    }
    sweeping.await.unwrap();
    take_back(&active).await;
    revoke_prefix(&rig, "db", true).await;
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
    rig.put("db/role/app", &rig.root, json!({})).await.unwrap();
    assert_eq!(rig.get("db/shared/app", &rig.root).await.unwrap()["data"]["count"], 1);
}
