//! The store of `server -dev` and of tests: nothing outlives the process.

use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use strongroom_types::BoxFuture;

use crate::sorted::{Entry, Sorted};
use crate::state::{self, State};
use crate::{Batch, MAX_BATCH, Revision, Snapshot, Space, Store, StoreError, Stored};

/// A store in memory. Readers and writers never wait for each other.
#[derive(Default)]
pub struct MemoryStore {
    current: ArcSwap<Content>,
    /// Held by the one that writes.
    writing: Mutex<()>,
}

/// The store at one moment; copies share what they have in common.
#[derive(Clone, Default)]
struct Content {
    state: State,
    cluster: Sorted,
    node: Sorted,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn apply(&self, batch: Batch) -> Result<Revision, StoreError> {
        state::sized(&batch, MAX_BATCH)?;
        // What a panic left is whole: the new content is put in place by one step.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Content::clone(&self.current.load());
        let seen = |space, key: &[u8]| Ok(next.space(space).get(key).map(|entry| entry.revision));
        if !state::holds(&batch, seen)? {
            return Err(StoreError::Conflict);
        }
        next.state = next.state.after(&batch);
        let revision = next.state.revision;
        for change in batch.changes {
            let space = match change.space {
                Space::Cluster => &mut next.cluster,
                Space::Node => &mut next.node,
            };
            match change.value {
                Some(value) => space.insert(Entry { key: change.key, value, revision }),
                None => space.remove(&change.key),
            }
        }
        self.current.store(Arc::new(next));
        Ok(revision)
    }
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(self.current.load_full())
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, StoreError>> {
        Box::pin(async { self.apply(batch) })
    }
}

impl Content {
    fn space(&self, space: Space) -> &Sorted {
        match space {
            Space::Cluster => &self.cluster,
            Space::Node => &self.node,
        }
    }
}

impl Snapshot for Content {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        Ok(self.space(space).get(key).map(stored))
    }

    fn seek(&self, space: Space, from: Bound<&[u8]>) -> Result<Option<(Vec<u8>, Stored)>, StoreError> {
        Ok(self.space(space).first(from).map(|entry| (entry.key.clone(), stored(entry))))
    }

    fn revision(&self) -> Revision {
        self.state.revision
    }

    fn accumulated(&self, space: Space) -> Result<[u8; 32], StoreError> {
        Ok(self.state.sum(space))
    }
}

fn stored(entry: &Entry) -> Stored {
    Stored { value: entry.value.clone(), revision: entry.revision }
}
