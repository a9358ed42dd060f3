//! What every [`Store`] promises, as tests that any of them can run: `conformance::run(&|| …)`.
//!
//! Each function is one promise and takes an empty store. A broken promise is a panic.
#![allow(clippy::unwrap_used, reason = "a test suite: what fails shall panic")]

use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::{Batch, Expect, MAX_BATCH, Revision, Snapshot, Space, Store, StoreError};

const SPACES: [Space; 2] = [Space::Cluster, Space::Node];
const AT: Space = Space::Cluster;

/// Every promise, each on a fresh, empty store.
pub fn run(fresh: &dyn Fn() -> Arc<dyn Store>) {
    let promises: [fn(&dyn Store); 19] = [
        an_empty_store_is_empty,
        a_put_is_found_and_a_delete_takes_it_away,
        a_batch_happens_wholly_or_not_at_all,
        absent_is_checked,
        a_revision_is_checked,
        every_accepted_batch_has_the_next_revision,
        the_later_change_of_a_key_counts,
        preconditions_are_of_the_state_before_the_batch,
        a_condition_on_another_key_is_checked_and_changes_nothing,
        deleting_what_is_absent_is_no_error,
        spaces_are_apart,
        seek_is_in_order_and_keeps_its_bounds,
        a_snapshot_stays_as_it_was,
        sums_wrap_and_commute,
        keys_and_values_may_be_anything,
        a_batch_has_a_limit,
        a_batch_that_frees_is_like_any_other,
        a_dropped_future_leaves_the_store_well,
        a_future_that_is_never_polled_does_nothing,
    ];
    for promise in promises {
        promise(&*fresh());
    }
    no_update_is_lost(fresh());
    a_conflict_does_not_fail_its_neighbours(fresh());
}

/// Runs a future to its end.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn put(key: &[u8], value: &[u8], expect: Expect) -> Batch {
    let mut batch = Batch::default();
    batch.put(AT, key.to_vec(), value.to_vec(), expect);
    batch
}

fn delete(key: &[u8], expect: Expect) -> Batch {
    let mut batch = Batch::default();
    batch.delete(AT, key.to_vec(), expect);
    batch
}

fn value(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
    store.snapshot().unwrap().get(AT, key).unwrap().map(|stored| stored.value)
}

fn commit(store: &dyn Store, batch: Batch) -> Revision {
    wait(store.commit(batch)).unwrap()
}

fn conflicts(store: &dyn Store, batch: Batch) {
    let before = store.snapshot().unwrap().revision();
    assert!(matches!(wait(store.commit(batch)), Err(StoreError::Conflict)));
    assert_eq!(store.snapshot().unwrap().revision(), before, "a conflict is no commit");
}

fn number(n: u64) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.iter_mut().zip(n.to_le_bytes()).for_each(|(to, byte)| *to = byte);
    sum
}

fn accumulate(space: Space, delta: [u8; 32]) -> Batch {
    let mut batch = Batch::default();
    batch.accumulate(space, delta);
    batch
}

fn an_empty_store_is_empty(store: &dyn Store) {
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.revision(), Revision(0));
    for space in SPACES {
        assert_eq!(snapshot.get(space, b"key").unwrap(), None);
        assert_eq!(snapshot.seek(space, Unbounded).unwrap(), None);
        assert_eq!(snapshot.accumulated(space).unwrap(), [0; 32]);
    }
}

fn a_put_is_found_and_a_delete_takes_it_away(store: &dyn Store) {
    let revision = commit(store, put(b"key", b"value", Expect::Any));
    let stored = store.snapshot().unwrap().get(AT, b"key").unwrap().unwrap();
    assert_eq!((stored.value.as_slice(), stored.revision), (b"value".as_slice(), revision));
    commit(store, put(b"key", b"other", Expect::Any));
    assert_eq!(value(store, b"key").unwrap(), b"other");
    commit(store, delete(b"key", Expect::Any));
    assert_eq!(value(store, b"key"), None);
}

fn a_batch_happens_wholly_or_not_at_all(store: &dyn Store) {
    commit(store, put(b"there", b"1", Expect::Any));
    let mut batch = put(b"a", b"1", Expect::Absent);
    batch.put(Space::Node, b"a".to_vec(), b"1".to_vec(), Expect::Any);
    batch.delete(AT, b"there".to_vec(), Expect::Any);
    batch.accumulate(AT, number(5));
    let mut refused = batch.clone();
    refused.put(AT, b"there".to_vec(), b"2".to_vec(), Expect::Absent);
    conflicts(store, refused);
    let snapshot = store.snapshot().unwrap();
    assert_eq!((value(store, b"a"), value(store, b"there")), (None, Some(b"1".to_vec())));
    assert_eq!(snapshot.get(Space::Node, b"a").unwrap(), None);
    assert_eq!(snapshot.accumulated(AT).unwrap(), [0; 32]);

    let revision = commit(store, batch);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(AT, b"a").unwrap().unwrap().revision, revision);
    assert_eq!(snapshot.get(Space::Node, b"a").unwrap().unwrap().revision, revision);
    assert_eq!(snapshot.get(AT, b"there").unwrap(), None);
    assert_eq!(snapshot.accumulated(AT).unwrap(), number(5));
}

fn absent_is_checked(store: &dyn Store) {
    commit(store, delete(b"key", Expect::Absent));
    commit(store, put(b"key", b"1", Expect::Absent));
    conflicts(store, put(b"key", b"2", Expect::Absent));
    conflicts(store, delete(b"key", Expect::Absent));
    commit(store, delete(b"key", Expect::Any));
    commit(store, put(b"key", b"3", Expect::Absent));
    assert_eq!(value(store, b"key").unwrap(), b"3");
}

fn a_revision_is_checked(store: &dyn Store) {
    conflicts(store, put(b"key", b"0", Expect::Revision(Revision(0))));
    let first = commit(store, put(b"key", b"1", Expect::Any));
    let second = commit(store, put(b"key", b"2", Expect::Revision(first)));
    conflicts(store, put(b"key", b"3", Expect::Revision(first)));
    conflicts(store, delete(b"key", Expect::Revision(first)));
    let last = commit(store, put(b"other", b"1", Expect::Any));
    conflicts(store, put(b"key", b"3", Expect::Revision(last)));
    commit(store, delete(b"key", Expect::Revision(second)));
    conflicts(store, put(b"key", b"3", Expect::Revision(second)));
    // Written again, even with the same value, is not as it was.
    commit(store, put(b"key", b"2", Expect::Absent));
    conflicts(store, put(b"key", b"3", Expect::Revision(second)));
}

fn every_accepted_batch_has_the_next_revision(store: &dyn Store) {
    let batches = [
        put(b"key", b"1", Expect::Any),
        delete(b"key", Expect::Any),
        delete(b"absent", Expect::Any),
        accumulate(AT, number(1)),
        Batch::default(),
        put(b"key", b"1", Expect::Absent),
    ];
    for (expected, batch) in (1..).zip(batches) {
        assert_eq!(commit(store, batch), Revision(expected));
        assert_eq!(store.snapshot().unwrap().revision(), Revision(expected));
        conflicts(store, put(b"never", b"", Expect::Revision(Revision(1))));
    }
}

fn the_later_change_of_a_key_counts(store: &dyn Store) {
    let mut batch = put(b"a", b"1", Expect::Any);
    batch.put(AT, b"a".to_vec(), b"2".to_vec(), Expect::Any);
    batch.put(AT, b"b".to_vec(), b"1".to_vec(), Expect::Any);
    batch.delete(AT, b"b".to_vec(), Expect::Any);
    batch.delete(AT, b"c".to_vec(), Expect::Any);
    batch.put(AT, b"c".to_vec(), b"3".to_vec(), Expect::Any);
    commit(store, batch);
    assert_eq!(value(store, b"a").unwrap(), b"2");
    assert_eq!(value(store, b"b"), None);
    assert_eq!(value(store, b"c").unwrap(), b"3");
}

fn a_condition_on_another_key_is_checked_and_changes_nothing(store: &dyn Store) {
    let seen = commit(store, put(b"other", b"1", Expect::Any));
    let only_if = |space, expect| {
        let mut batch = put(b"key", b"2", Expect::Any);
        batch.only_if(space, b"other".to_vec(), expect);
        batch
    };
    let on_other = |expect| only_if(AT, expect);
    for wrong in [Expect::Absent, Expect::Revision(Revision(seen.0 + 1))] {
        conflicts(store, on_other(wrong));
    }
    conflicts(store, only_if(Space::Node, Expect::Revision(seen)));
    assert_eq!(value(store, b"key"), None);
    commit(store, on_other(Expect::Revision(seen)));
    // It still holds: who asks is not who changes.
    commit(store, on_other(Expect::Revision(seen)));
    commit(store, delete(b"other", Expect::Any));
    conflicts(store, on_other(Expect::Revision(seen)));
    commit(store, on_other(Expect::Absent));
    assert_eq!(value(store, b"other"), None);
}

fn preconditions_are_of_the_state_before_the_batch(store: &dyn Store) {
    let mut batch = put(b"a", b"1", Expect::Absent);
    batch.put(AT, b"a".to_vec(), b"2".to_vec(), Expect::Absent);
    let first = commit(store, batch);
    let mut batch = delete(b"a", Expect::Revision(first));
    batch.put(AT, b"a".to_vec(), b"3".to_vec(), Expect::Revision(first));
    let second = commit(store, batch);
    let mut batch = delete(b"a", Expect::Revision(second));
    batch.put(AT, b"a".to_vec(), b"4".to_vec(), Expect::Absent);
    conflicts(store, batch);
    assert_eq!(value(store, b"a").unwrap(), b"3");
}

fn deleting_what_is_absent_is_no_error(store: &dyn Store) {
    commit(store, delete(b"key", Expect::Any));
    commit(store, delete(b"key", Expect::Absent));
    conflicts(store, delete(b"key", Expect::Revision(Revision(1))));
}

fn spaces_are_apart(store: &dyn Store) {
    commit(store, put(b"key", b"cluster", Expect::Any));
    let mut batch = Batch::default();
    batch.put(Space::Node, b"key".to_vec(), b"node".to_vec(), Expect::Absent);
    batch.accumulate(Space::Node, number(9));
    commit(store, batch);
    commit(store, delete(b"key", Expect::Any));
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(AT, b"key").unwrap(), None);
    assert_eq!(snapshot.seek(AT, Unbounded).unwrap(), None);
    assert_eq!(snapshot.get(Space::Node, b"key").unwrap().unwrap().value, b"node");
    assert_eq!(snapshot.accumulated(AT).unwrap(), [0; 32]);
    assert_eq!(snapshot.accumulated(Space::Node).unwrap(), number(9));
}

fn seek_is_in_order_and_keeps_its_bounds(store: &dyn Store) {
    // In order of bytes: a key comes before those that it begins.
    let keys: [&[u8]; 7] = [b"", b"\0", b"a", b"a\0", b"aa", b"b", b"\xff\xff"];
    let mut batch = Batch::default();
    keys.iter().rev().for_each(|key| batch.put(AT, key.to_vec(), key.to_vec(), Expect::Any));
    commit(store, batch);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(walk(&*snapshot, AT), keys);
    let first = |from| snapshot.seek(AT, from).unwrap().map(|(key, stored)| (key, stored.value));
    let found = |key: &[u8]| Some((key.to_vec(), key.to_vec()));
    assert_eq!(first(Included(b"a")), found(b"a"));
    assert_eq!(first(Excluded(b"a")), found(b"a\0"));
    assert_eq!(first(Included(b"a\0\0")), found(b"aa"));
    assert_eq!(first(Excluded(b"")), found(b"\0"));
    assert_eq!(first(Included(b"")), found(b""));
    assert_eq!(first(Included(b"c")), found(b"\xff\xff"));
    assert_eq!(first(Excluded(b"\xff\xff")), None);
    assert_eq!(first(Included(b"\xff\xff\0")), None);
}

fn walk(snapshot: &dyn Snapshot, space: Space) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = Vec::new();
    while let Some((key, _)) =
        snapshot.seek(space, keys.last().map_or(Unbounded, |key| Excluded(key))).unwrap()
    {
        keys.push(key);
    }
    keys
}

fn a_snapshot_stays_as_it_was(store: &dyn Store) {
    let mut batch = put(b"a", b"1", Expect::Any);
    batch.put(AT, b"b".to_vec(), b"1".to_vec(), Expect::Any);
    batch.accumulate(AT, number(1));
    let revision = commit(store, batch);
    let old = store.snapshot().unwrap();
    for round in 0..50_u8 {
        let mut batch = put(b"a", &[round], Expect::Any);
        batch.put(AT, vec![round], vec![round; 1000], Expect::Any);
        batch.delete(AT, b"b".to_vec(), Expect::Any);
        batch.accumulate(AT, number(1));
        commit(store, batch);
    }
    assert_eq!(old.revision(), revision);
    assert_eq!(walk(&*old, AT), [b"a", b"b"]);
    assert_eq!(old.get(AT, b"a").unwrap().unwrap().value, b"1");
    assert_eq!(old.accumulated(AT).unwrap(), number(1));
    let new = store.snapshot().unwrap();
    assert_eq!((new.accumulated(AT).unwrap(), walk(&*new, AT).len()), (number(51), 51));
}

fn sums_wrap_and_commute(store: &dyn Store) {
    let minus_one = [0xff; 32];
    let mut batch = accumulate(AT, number(7));
    batch.accumulate(AT, minus_one);
    batch.accumulate(Space::Node, number(u64::MAX));
    batch.accumulate(Space::Node, number(1));
    commit(store, batch);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.accumulated(AT).unwrap(), number(6));
    let mut carried = [0; 32];
    carried[8] = 1;
    assert_eq!(snapshot.accumulated(Space::Node).unwrap(), carried);
    // The same deltas in another order and other batches.
    commit(store, accumulate(AT, minus_one));
    commit(store, accumulate(AT, number(7)));
    assert_eq!(store.snapshot().unwrap().accumulated(AT).unwrap(), number(12));
    for _ in 0..12 {
        commit(store, accumulate(AT, minus_one));
    }
    assert_eq!(store.snapshot().unwrap().accumulated(AT).unwrap(), [0; 32]);
    commit(store, accumulate(AT, minus_one));
    assert_eq!(store.snapshot().unwrap().accumulated(AT).unwrap(), minus_one);
}

fn keys_and_values_may_be_anything(store: &dyn Store) {
    let mut batch = put(b"empty", b"", Expect::Any);
    batch.put(AT, vec![0xfe; 12_000], b"long key".to_vec(), Expect::Any);
    batch.put(AT, b"large".to_vec(), (0..=255).cycle().take(5 << 20).collect(), Expect::Any);
    commit(store, batch);
    assert_eq!(value(store, b"empty").unwrap(), b"");
    assert_eq!(value(store, &[0xfe; 12_000]).unwrap(), b"long key");
    assert!(value(store, b"large").unwrap().into_iter().eq((0..=255).cycle().take(5 << 20)));
    commit(store, put(b"large", b"small", Expect::Any));
    assert_eq!(value(store, b"large").unwrap(), b"small");
}

fn a_batch_has_a_limit(store: &dyn Store) {
    let batch = put(b"key", &vec![0; MAX_BATCH], Expect::Any);
    assert!(matches!(wait(store.commit(batch)), Err(StoreError::TooLarge)));
    assert_eq!(value(store, b"key"), None);
    assert_eq!(store.snapshot().unwrap().revision(), Revision(0));
}

/// To free is a wish about space: it makes no precondition weaker, and no batch larger.
fn a_batch_that_frees_is_like_any_other(store: &dyn Store) {
    let freeing = |mut batch: Batch| {
        batch.frees();
        batch
    };
    assert_eq!(commit(store, freeing(put(b"key", b"1", Expect::Absent))), Revision(1));
    conflicts(store, freeing(put(b"key", b"2", Expect::Absent)));
    assert_eq!(value(store, b"key").unwrap(), b"1");
    let large = freeing(put(b"large", &vec![0; MAX_BATCH], Expect::Any));
    assert!(matches!(wait(store.commit(large)), Err(StoreError::TooLarge)));
}

fn a_dropped_future_leaves_the_store_well(store: &dyn Store) {
    let mut context = Context::from_waker(Waker::noop());
    for round in 0..20_u8 {
        // Whether it happens is undecided; that it happens wholly is not.
        let mut batch = put(&[round], b"1", Expect::Absent);
        batch.put(Space::Node, vec![round], b"1".to_vec(), Expect::Absent);
        let mut future = store.commit(batch);
        let _ = future.as_mut().poll(&mut context);
        drop(future);
    }
    commit(store, put(b"after", b"1", Expect::Absent));
    let snapshot = store.snapshot().unwrap();
    for round in 0..20 {
        assert_eq!(
            snapshot.get(AT, &[round]).unwrap().is_some(),
            snapshot.get(Space::Node, &[round]).unwrap().is_some()
        );
    }
}

fn a_future_that_is_never_polled_does_nothing(store: &dyn Store) {
    drop(store.commit(put(b"key", b"1", Expect::Any)));
    assert_eq!(commit(store, put(b"other", b"1", Expect::Any)), Revision(1));
    assert_eq!(value(store, b"key"), None);
}

const WRITERS: u64 = 8;
const ROUNDS: u64 = 40;

/// Adds 1 to the counter at `key`, as often as a conflict asks for it.
async fn count_up(store: &dyn Store, key: &[u8]) -> Revision {
    loop {
        let seen = store.snapshot().unwrap().get(AT, key).unwrap();
        let (count, expect) = match &seen {
            Some(stored) => (
                u64::from_le_bytes(stored.value.as_slice().try_into().unwrap()),
                Expect::Revision(stored.revision),
            ),
            None => (0, Expect::Absent),
        };
        let mut batch = put(key, &(count + 1).to_le_bytes(), expect);
        batch.accumulate(AT, number(1));
        match store.commit(batch).await {
            Ok(revision) => {
                let now = store.snapshot().unwrap().revision();
                assert!(now >= revision, "what was acknowledged is visible");
                return revision;
            }
            Err(error) => assert!(matches!(error, StoreError::Conflict), "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

/// Runs `task` for each writer, each on a thread of its own.
fn writers<T: Send>(task: impl Fn(u64) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let task = &task;
        let all: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || task(writer))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn no_update_is_lost(store: Arc<dyn Store>) {
    let revisions =
        writers(|_| (0..ROUNDS).map(|_| wait(count_up(&*store, b"counter"))).collect::<Vec<Revision>>());
    let count = value(&*store, b"counter").unwrap();
    assert_eq!(u64::from_le_bytes(count.try_into().unwrap()), WRITERS * ROUNDS);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.accumulated(AT).unwrap(), number(WRITERS * ROUNDS));
    assert_eq!(snapshot.revision(), Revision(WRITERS * ROUNDS));
    let mut revisions = revisions.concat();
    revisions.sort_unstable();
    assert!(
        revisions.into_iter().eq((1..=WRITERS * ROUNDS).map(Revision)),
        "each commit has a revision of its own"
    );
}

fn a_conflict_does_not_fail_its_neighbours(store: Arc<dyn Store>) {
    commit(&*store, put(b"taken", b"1", Expect::Any));
    let won = writers(|writer| {
        let mut won = 0;
        for round in 0..ROUNDS {
            let own = format!("own/{writer}/{round}");
            let contested = format!("contested/{round}");
            let (own, contested, taken) = wait(async {
                tokio::join!(
                    store.commit(put(own.as_bytes(), b"1", Expect::Absent)),
                    store.commit(put(contested.as_bytes(), &writer.to_le_bytes(), Expect::Absent)),
                    store.commit(put(b"taken", b"2", Expect::Absent)),
                )
            });
            own.unwrap();
            assert!(matches!(taken, Err(StoreError::Conflict)));
            won += u64::from(contested.is_ok());
        }
        won
    });
    assert_eq!(won.iter().sum::<u64>(), ROUNDS, "of those who want one key, one gets it");
    assert_eq!(store.snapshot().unwrap().revision(), Revision(1 + WRITERS * ROUNDS + ROUNDS));
    assert_eq!(value(&*store, b"taken").unwrap(), b"1");
}
