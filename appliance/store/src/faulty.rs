//! A store that fails as it is told to: for tests of what lies above the store.
//!
//! ```
//! use strongroom_store::faulty::{FaultyStore, Plan};
//! use strongroom_store::{Batch, Expect, MemoryStore, Space, Store, StoreError};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = FaultyStore::new(MemoryStore::new(), Plan { conflicts: 1, ..Plan::default() });
//! let mut batch = Batch::default();
//! batch.put(Space::Cluster, b"key".to_vec(), b"value".to_vec(), Expect::Absent);
//! assert!(matches!(store.commit(batch.clone()).await, Err(StoreError::Conflict)));
//! assert!(store.commit(batch).await.is_ok());
//! # });
//! ```

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_types::BoxFuture;
use tokio::sync::oneshot;

use crate::{Batch, Revision, Snapshot, Space, Store, StoreError, Stored};

/// What goes wrong. The default: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// So many more calls succeed, reads and commits; then the store is poisoned.
    pub fail_after: Option<u64>,
    /// So many more commits are a conflict, whatever they expect.
    pub conflicts: u64,
    /// Batches that put are refused for want of space, as below the reserve: not those that free.
    pub full: bool,
    /// Those that free are, too: nothing is left, not even of the reserve.
    pub brimful: bool,
    /// Commits are neither visible nor acknowledged until [`FaultyStore::sync`].
    pub hold: bool,
}

/// A store over another one, with faults. Only what it acknowledges, or keeps at a crash, reaches the inner one.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
    /// Commits that wait for a sync.
    held: Mutex<Vec<Held>>,
}

struct Held {
    batch: Batch,
    answer: oneshot::Sender<Result<Revision, StoreError>>,
}

/// Shared with the snapshots.
struct Faults(Mutex<Course>);

/// How it goes.
struct Course {
    plan: Plan,
    /// Why nothing works any more.
    broken: Option<&'static str>,
}

const FAILED: &str = "a planned fault";
const CRASHED: &str = "the process is gone: it crashed as planned";

impl FaultyStore {
    /// Over `inner`, with the faults of `plan`.
    pub fn new(inner: Arc<dyn Store>, plan: Plan) -> Arc<Self> {
        let faults = Arc::new(Faults(Mutex::new(Course { plan, broken: None })));
        Arc::new(Self { inner, faults, held: Mutex::default() })
    }

    /// Changes the plan from now on. What is poisoned stays so.
    pub fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.faults.lock().plan);
    }

    /// Commits what is held, in order, and acknowledges it. Returns how many batches that were.
    pub async fn sync(&self) -> usize {
        let held = self.take_held();
        let count = held.len();
        for Held { batch, answer } in held {
            // Whoever dropped its future does not want to know.
            let _ = answer.send(self.inner.commit(batch).await);
        }
        count
    }

    /// Crashes and reopens. Of what is held, the first `kept` batches had reached the disk, though nobody was told;
    /// the others are lost. This handle and its snapshots answer `Poisoned` from now on, the returned one has no faults.
    pub async fn crash(&self, kept: usize) -> Arc<Self> {
        self.faults.lock().broken = Some(CRASHED);
        for (position, Held { batch, answer }) in self.take_held().into_iter().enumerate() {
            if position < kept {
                // A conflict is no commit, before the crash as after it.
                let _ = self.inner.commit(batch).await;
            }
            let _ = answer.send(Err(StoreError::Poisoned(CRASHED.to_owned())));
        }
        Self::new(Arc::clone(&self.inner), Plan::default())
    }

    /// How many commits wait for a sync.
    pub fn held(&self) -> usize {
        self.lock_held().len()
    }

    fn lock_held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_held(&self) -> Vec<Held> {
        std::mem::take(&mut self.lock_held())
    }

    async fn try_commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        if self.faults.before_commit(&batch)? {
            let (answer, answered) = oneshot::channel();
            self.lock_held().push(Held { batch, answer });
            return answered.await.unwrap_or_else(|_| Err(StoreError::Poisoned(CRASHED.to_owned())));
        }
        self.inner.commit(batch).await
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Course> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call.
    fn call(&self) -> Result<(), StoreError> {
        self.lock().count()
    }

    /// Counts a commit. Whether it is held.
    fn before_commit(&self, batch: &Batch) -> Result<bool, StoreError> {
        let mut course = self.lock();
        course.count()?;
        let plan = &mut course.plan;
        let allowed = batch.only_deletes() || (batch.frees && !plan.brimful);
        if (plan.full || plan.brimful) && !allowed {
            return Err(StoreError::NoSpace);
        }
        if plan.conflicts > 0 {
            plan.conflicts -= 1;
            return Err(StoreError::Conflict);
        }
        Ok(plan.hold)
    }
}

impl Course {
    fn count(&mut self) -> Result<(), StoreError> {
        match &mut self.plan.fail_after {
            Some(0) => self.broken = self.broken.or(Some(FAILED)),
            Some(left) => *left -= 1,
            None => {}
        }
        self.broken.map_or(Ok(()), |cause| Err(StoreError::Poisoned(cause.to_owned())))
    }
}

impl Store for FaultyStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.faults.call()?;
        Ok(Arc::new(FaultySnapshot { inner: self.inner.snapshot()?, faults: Arc::clone(&self.faults) }))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, StoreError>> {
        Box::pin(self.try_commit(batch))
    }
}

struct FaultySnapshot {
    inner: Arc<dyn Snapshot>,
    faults: Arc<Faults>,
}

impl Snapshot for FaultySnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        self.faults.call()?;
        self.inner.get(space, key)
    }

    fn seek(&self, space: Space, from: Bound<&[u8]>) -> Result<Option<(Vec<u8>, Stored)>, StoreError> {
        self.faults.call()?;
        self.inner.seek(space, from)
    }

    fn revision(&self) -> Revision {
        self.inner.revision()
    }

    fn accumulated(&self, space: Space) -> Result<[u8; 32], StoreError> {
        self.faults.call()?;
        self.inner.accumulated(space)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expect, MemoryStore};

    const SPACE: Space = Space::Cluster;

    fn put(key: &[u8]) -> Batch {
        let mut batch = Batch::default();
        batch.put(SPACE, key.to_vec(), b"value".to_vec(), Expect::Any);
        batch
    }

    fn has(store: &FaultyStore, key: &[u8]) -> bool {
        store.snapshot().unwrap().get(SPACE, key).unwrap().is_some()
    }

    #[tokio::test]
    async fn fails_after_so_many_calls_and_for_good() {
        let store = FaultyStore::new(MemoryStore::new(), Plan { fail_after: Some(3), ..Plan::default() });
        store.commit(put(b"a")).await.unwrap();
        let snapshot = store.snapshot().unwrap();
        snapshot.get(SPACE, b"a").unwrap();
        assert!(matches!(snapshot.get(SPACE, b"a"), Err(StoreError::Poisoned(_))));
        store.plan(|plan| plan.fail_after = None);
        assert!(matches!(snapshot.seek(SPACE, Bound::Unbounded), Err(StoreError::Poisoned(_))));
        assert!(matches!(snapshot.accumulated(SPACE), Err(StoreError::Poisoned(_))));
        assert!(matches!(store.commit(put(b"b")).await, Err(StoreError::Poisoned(_))));
        assert!(matches!(store.snapshot(), Err(StoreError::Poisoned(_))));
    }

    #[tokio::test]
    async fn refuses_space_for_puts_that_do_not_free() {
        let store = FaultyStore::new(MemoryStore::new(), Plan::default());
        store.commit(put(b"a")).await.unwrap();
        store.plan(|plan| plan.full = true);
        assert!(matches!(store.commit(put(b"b")).await, Err(StoreError::NoSpace)));
        let mut delete = Batch::default();
        delete.delete(SPACE, b"a".to_vec(), Expect::Any);
        store.commit(delete.clone()).await.unwrap();
        assert!(!has(&store, b"a"));
        let mut ends = put(b"ended");
        ends.frees();
        store.commit(ends.clone()).await.unwrap();
        assert!(has(&store, b"ended"));
        store.plan(|plan| plan.brimful = true);
        assert!(matches!(store.commit(ends).await, Err(StoreError::NoSpace)));
        store.commit(delete).await.unwrap();
    }

    #[tokio::test]
    async fn a_crash_loses_what_was_not_synced() {
        let store = FaultyStore::new(MemoryStore::new(), Plan { hold: true, ..Plan::default() });
        let (first, synced) = tokio::join!(store.commit(put(b"a")), store.sync());
        assert_eq!((first.unwrap(), synced), (Revision(1), 1));

        let mut kept = store.commit(put(b"kept"));
        let mut lost = store.commit(put(b"lost"));
        tokio::select! {
            biased;
            _ = &mut kept => panic!("acknowledged before the sync"),
            _ = &mut lost => panic!("acknowledged before the sync"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(store.held(), 2);
        assert!(!has(&store, b"kept"), "visible before the sync");
        let snapshot = store.snapshot().unwrap();

        let reopened = store.crash(1).await;
        assert!(matches!(kept.await, Err(StoreError::Poisoned(_))));
        assert!(matches!(lost.await, Err(StoreError::Poisoned(_))));
        assert!(matches!(snapshot.get(SPACE, b"a"), Err(StoreError::Poisoned(_))));
        assert!(store.snapshot().is_err());
        assert!(has(&reopened, b"a") && has(&reopened, b"kept") && !has(&reopened, b"lost"));
        assert_eq!(reopened.snapshot().unwrap().revision(), Revision(2));
    }
}
