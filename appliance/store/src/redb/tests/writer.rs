//! Group commit, limits and the reserve.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::disk::Disk;
use super::load::wait;
use super::options::Space as FreeBytes;
use super::*;

/// A file system whose space the test owns.
#[derive(Clone)]
struct Free(Arc<AtomicU64>);

impl FreeSpace for Free {
    fn now(&self) -> io::Result<FreeBytes> {
        Ok(FreeBytes { free: self.0.load(Ordering::SeqCst), total: 100 << 20 })
    }
}

#[test]
fn below_the_reserve_only_deletes_go_on_and_what_frees() {
    let free = Free(Arc::new(AtomicU64::new(50 << 20)));
    let reserve = Reserve { percent: 5, at_least: 1 << 20 };
    let free_space = Some(Box::new(free.clone()) as Box<dyn FreeSpace>);
    let store =
        RedbStore::behind(Disk::default(), Options { reserve, free_space, ..Options::default() }).unwrap();
    wait(store.commit(put(b"a", &[1; 1000]))).unwrap();
    wait(store.commit(put(b"b", &[1; 1000]))).unwrap();
    free.0.store(5 << 20, Ordering::SeqCst);
    // What was free when it was last asked is used up first.
    let refused =
        (0..40).any(|_| wait(store.commit(put(b"c", &vec![1; 1 << 20]))) == Err(StoreError::NoSpace));
    assert!(refused);
    let before = store.snapshot().unwrap().revision();
    assert_eq!(wait(store.commit(put(b"d", &vec![1; 1 << 20]))), Err(StoreError::NoSpace));
    assert_eq!(store.snapshot().unwrap().revision(), before);
    assert!(store.snapshot().unwrap().get(Space::Cluster, b"a").unwrap().is_some());
    let mut delete = Batch::default();
    delete.delete(Space::Cluster, b"a".to_vec(), Expect::Any);
    delete.accumulate(Space::Cluster, [1; 32]);
    wait(store.commit(delete)).unwrap();
    assert!(store.snapshot().unwrap().get(Space::Cluster, b"a").unwrap().is_none());
    // The mark of something that has ended is written, as long as the disk is not really full.
    let mut mark = put(b"ended", &[1; 100]);
    mark.frees();
    wait(store.commit(mark.clone())).unwrap();
    assert!(store.snapshot().unwrap().get(Space::Cluster, b"ended").unwrap().is_some());
    let mut large = put(b"large", &vec![1; 4 << 20]);
    large.frees();
    assert_eq!(wait(store.commit(large)), Err(StoreError::NoSpace), "the last quarter is for deletes");
    free.0.store(1 << 20, Ordering::SeqCst);
    let refused = (0..4 << 20).step_by(1 << 20).any(|_| {
        let mut mark = put(b"ended", &vec![1; 1 << 20]);
        mark.frees();
        wait(store.commit(mark)) == Err(StoreError::NoSpace)
    });
    assert!(refused, "a full disk is full");
    wait(store.commit(delete_of(b"ended"))).unwrap();
    free.0.store(50 << 20, Ordering::SeqCst);
    wait(store.commit(put(b"d", &vec![1; 1 << 20]))).unwrap();
}

fn delete_of(key: &[u8]) -> Batch {
    let mut batch = Batch::default();
    batch.delete(Space::Cluster, key.to_vec(), Expect::Any);
    batch
}

/// Polls all of `futures` once, in order, so that they are queued in that order.
async fn commit_together(store: &RedbStore, batches: Vec<Batch>) -> Vec<Result<Revision, StoreError>> {
    let mut futures: Vec<_> = batches.into_iter().map(|batch| store.commit(batch)).collect();
    let mut answers: Vec<Option<Result<Revision, StoreError>>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *answer = Some(done);
            }
        }
        if answers.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

#[test]
fn two_batches_of_one_transaction_are_told_apart() {
    let store = RedbStore::behind(Disk::default(), options()).unwrap();
    let absent = |value: &[u8]| {
        let mut batch = Batch::default();
        batch.put(Space::Cluster, b"key".to_vec(), value.to_vec(), Expect::Absent);
        batch
    };
    let revision = |expect| {
        let mut batch = Batch::default();
        batch.put(Space::Cluster, b"key".to_vec(), b"third".to_vec(), Expect::Revision(Revision(expect)));
        batch
    };
    // Whether or not they share a transaction, each has its own revision, and a refused one has none.
    let answers = wait(commit_together(
        &store,
        vec![
            absent(b"first"),
            put(b"key", b"second"),
            absent(b"no"),
            revision(1),
            revision(2),
            put(b"other", b""),
        ],
    ));
    let expected = [
        Ok(Revision(1)),
        Ok(Revision(2)),
        Err(StoreError::Conflict),
        Err(StoreError::Conflict),
        Ok(Revision(3)),
        Ok(Revision(4)),
    ];
    assert_eq!(answers, expected);
    let stored = store.snapshot().unwrap().get(Space::Cluster, b"key").unwrap().unwrap();
    assert_eq!((stored.value.as_slice(), stored.revision), (b"third".as_slice(), Revision(3)));
}

#[test]
fn a_queue_of_one_place_still_serves_everybody() {
    let store = RedbStore::behind(Disk::default(), Options { queue: 1, ..options() }).unwrap();
    let batches = (0..40_u8).map(|n| put(&[n], b"value")).collect();
    assert!(wait(commit_together(&store, batches)).into_iter().all(|answer| answer.is_ok()));
    // Those who give up while they wait for the place leave it to others.
    let mut first = store.commit(put(b"a", b""));
    let mut second = store.commit(put(b"b", b""));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let _ = first.as_mut().poll(&mut context);
    let _ = second.as_mut().poll(&mut context);
    drop((first, second));
    wait(store.commit(put(b"c", b""))).unwrap();
}

#[test]
fn many_batches_share_a_sync() {
    let disk = Disk::default();
    let store =
        RedbStore::behind(disk.clone(), Options { gather: Duration::from_millis(50), ..options() }).unwrap();
    for _ in 0..5 {
        let batches = (0..100_u8).map(|n| put(&[n], b"value")).collect();
        assert!(wait(commit_together(&store, batches)).into_iter().all(|answer| answer.is_ok()));
    }
    assert!(disk.syncs() < 100, "{} syncs for 500 batches", disk.syncs());
}

#[test]
fn the_limit_of_a_batch_is_a_parameter() {
    let store = RedbStore::behind(Disk::default(), Options { batch_bytes: 1000, ..options() }).unwrap();
    assert_eq!(wait(store.commit(put(b"key", &[0; 1000]))), Err(StoreError::TooLarge));
    wait(store.commit(put(b"key", &[0; 500]))).unwrap();
}
