//! Somebody else changes a lease in the moment in which it is renewed or taken back: what has changed is looked at again,
//! keeps nobody else, and nothing that was taken back lives again.

use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use tokio::task::JoinHandle;

use super::*;
use crate::leases::record::{LeaseId, LeaseRecord};
use crate::leases::revoke::{MAX_CONFLICTS, Tally, now_if, revoke};
use crate::testing::{ask, request};

async fn rig_with_faults() -> (Arc<FaultyStore>, Rig) {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = machine(Rig::over(store.clone()).await).await;
    (store, rig)
}

/// A lease that is taken back by an engine that waits for something: its id.
async fn slow_lease(rig: &Rig) -> String {
    let given = rig.get("db/slow/app", &rig.root).await.unwrap();
    given["lease_id"].as_str().unwrap().to_owned()
}

fn parsed(ids: &[&String]) -> Vec<LeaseId> {
    ids.iter().map(|id| LeaseId::parse(id).unwrap()).collect()
}

/// Takes back those of `ids` that end within the next half of an hour.
async fn taken_back(active: &Arc<Active>, ids: Vec<LeaseId>) -> Tally {
    let soon = active.now().plus_secs(1800);
    revoke(active, ids, &move |lease: &LeaseRecord| now_if(lease.expires <= soon)).await.unwrap()
}

/// Until `count` commits are held.
async fn held(store: &FaultyStore, count: usize) {
    for _ in 0..10_000 {
        if store.held() == count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    panic!("{count} commits do not come");
}

/// Begins `what`, whose first commit comes only after what happens `meanwhile`.
async fn overtaken<T>(
    store: &FaultyStore,
    what: impl FnOnce() -> JoinHandle<T>,
    meanwhile: impl AsyncFnOnce(),
) -> T {
    store.plan(|plan| plan.hold = true);
    let late = what();
    held(store, 1).await;
    store.plan(|plan| plan.hold = false);
    meanwhile().await;
    assert_eq!(store.sync().await, 1);
    late.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_renewed_while_it_is_taken_back_lives_on_and_keeps_no_other() {
    let (store, rig) = rig_with_faults().await;
    let active = active(&rig);
    for slow in [false, true] {
        let renewed = if slow { slow_lease(&rig).await } else { lease(&rig, &rig.root).await };
        let others = [lease(&rig, &rig.root).await, lease(&rig, &rig.root).await];
        // A slow one is asked for when the others have ended, each of these in a commit of its own.
        let of_slow = slow.then(|| parsed(&[&renewed]));
        let ids = of_slow.unwrap_or_else(|| parsed(&[&others[0], &renewed, &others[1]]));
        let begin = || {
            let active = active.clone();
            tokio::spawn(async move { taken_back(&active, ids).await })
        };
        let tally = overtaken(&store, begin, async || {
            renew(&rig, &renewed, 3000).await.unwrap();
        });
        let tally = tally.await;
        match slow {
            // It is looked at again, and is not wanted any more.
            false => assert_eq!((tally.done, tally.failed, tally.untouched.len()), (2, 0, 0)),
            // Its engine has waited, and is not asked twice: whoever wanted it to end comes back.
            true => assert_eq!((tally.failed, tally.untouched), (1, parsed(&[&renewed]))),
        }
        let seen = look_up(&rig, &renewed).await.unwrap()["data"].clone();
        assert_eq!((&seen["ttl"], &seen["renewable"]), (&json!(3000), &json!(true)), "{seen}");
        assert!(seen["revoke_error"].is_null(), "no engine has refused anything: {seen}");
        rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
        assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_again_and_again_is_left_as_it_was_for_whoever_wants_it_to_end() {
    let (store, rig) = rig_with_faults().await;
    let active = active(&rig);
    let (first, second) = (lease(&rig, &rig.root).await, lease(&rig, &rig.root).await);

    // The common commit, and every attempt for the first one alone; the second one is not kept by it.
    store.plan(|plan| plan.conflicts = 1 + MAX_CONFLICTS as u64);
    let tally = taken_back(&active, parsed(&[&first, &second])).await;
    assert_eq!((tally.done, tally.failed, tally.later), (1, 1, 0));
    assert_eq!(
        (tally.untouched, tally.error.as_deref()),
        (parsed(&[&first]), Some("it is being changed: try again"))
    );
    assert_eq!(users(&rig).await.len(), 1);
    renew(&rig, &first, 0).await.unwrap();

    // One conflict less, and the last attempt counts.
    store.plan(|plan| plan.conflicts = MAX_CONFLICTS as u64);
    let tally = taken_back(&active, parsed(&[&first])).await;
    assert_eq!((tally.done, tally.failed), (1, 0));
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));

    // Of one that waits the engine is asked anew, and finds done what it has done.
    let slow = slow_lease(&rig).await;
    store.plan(|plan| plan.conflicts = 1);
    assert_eq!(taken_back(&active, parsed(&[&slow])).await.untouched, parsed(&[&slow]));
    assert_eq!(users(&rig).await.len(), 1);
    assert_eq!(taken_back(&active, parsed(&[&slow])).await.done, 1);
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}

/// What is to end although nobody has renewed it keeps the job that says so, however long it is being changed.
#[tokio::test(flavor = "multi_thread")]
async fn c17_a_conflict_does_not_lose_the_job_that_ends_a_lease() {
    for kind in ["creds", "slow"] {
        for by in ["token", "prefix"] {
            let (store, rig) = rig_with_faults().await;
            let active = active(&rig);
            let token = customer(&rig, json!({"ttl": "1h"})).await;
            rig.get(&format!("db/{kind}/app"), &token).await.unwrap();
            let without_end = |plan: &mut Plan| plan.conflicts = 1 + MAX_CONFLICTS as u64;
            match by {
                "token" => {
                    rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
                    store.plan(without_end);
                    look(&active).await.unwrap();
                }
                _ => {
                    let asked = request(
                        strongroom_types::Operation::Update,
                        "sys/leases/revoke-prefix/db",
                        &rig.root,
                        Some(json!({})),
                    );
                    let core = rig.core.clone();
                    let revoked = overtaken(
                        &store,
                        || tokio::spawn(async move { ask(&core, asked).await }),
                        async || store.plan(without_end),
                    );
                    let refused = revoked.await.unwrap_err().1;
                    assert!(refused.contains("it is being changed"), "{refused}");
                }
            }
            assert!(stored(&active) > 0 && users(&rig).await.len() == 1, "{kind}, {by}");
            store.plan(|plan| plan.conflicts = 0);
            rig.clock.advance(20);
            take_back(&active).await;
            assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0), "{kind}, {by}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_was_overtaken_is_made_anew_or_not_at_all() {
    let (store, rig) = rig_with_faults().await;
    let active = active(&rig);
    let late = |id: &str, increment: i64| {
        let body = json!({"lease_id": id, "increment": increment});
        let asked = request(strongroom_types::Operation::Update, "sys/leases/renew", &rig.root, Some(body));
        let core = rig.core.clone();
        move || tokio::spawn(async move { ask(&core, asked).await })
    };

    // By another renewal: the later one counts, within what the role says by then.
    let id = lease(&rig, &rig.root).await;
    let renewed = overtaken(&store, late(&id, 3000), async || {
        renew(&rig, &id, 1200).await.unwrap();
        rig.put("db/role/app", &rig.root, json!({"ttl": "10m", "max_ttl": "40m"})).await.unwrap();
    });
    assert_eq!(renewed.await.unwrap()["lease_duration"], 2400);
    assert_eq!(look_up(&rig, &id).await.unwrap()["data"]["ttl"], 2400);

    // By its end, for one reason or the other: it does not live again.
    for by in ["revoke", "revoke-prefix/db", "revoke-force/db"] {
        let id = lease(&rig, &rig.root).await;
        let renewed = overtaken(&store, late(&id, 1200), async || {
            let body = if by == "revoke" { json!({ "lease_id": id }) } else { json!({}) };
            rig.put(&format!("sys/leases/{by}"), &rig.root, body).await.unwrap();
        });
        assert_eq!(renewed.await.unwrap_err().1, "lease not found", "{by}");
        take_back(&active).await;
        rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
        assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0), "{by}");
    }

    // By the end of the token that it belongs to: whatever it was told, it ends with it.
    let token = customer(&rig, json!({"ttl": "1h"})).await;
    let id = lease(&rig, &token).await;
    let renewed = overtaken(&store, late(&id, 1200), async || {
        rig.put("auth/token/revoke", &rig.root, json!({ "token": token })).await.unwrap();
    });
    drop(renewed.await);
    take_back(&active).await;
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
}
