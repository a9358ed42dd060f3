//! The store on disk: one redb file, one writer thread, readers on snapshots.
//!
//! ```text
//! commit ──▶ queue ──▶ writer thread: gather (a lone batch at once, else at most 300 µs)
//!                        │  one transaction: check and apply batch by batch, write the state row
//!                        │  commit: two-phase, quick repair, synced
//!                        │  put the new snapshot in place
//!                        ▼  answer every batch
//! snapshot ──▶ the latest read transaction, shared: no lock, no I/O
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `options` | [`Options`], [`Reserve`], [`FreeSpace`] |
//! | `open` | [`OpenError`]; finding, making and checking the file |
//! | `layout` | its tables, and the bytes of a row |
//! | `writer` | the writer thread |
//! | `snapshot` | reading |
//! | `health` | panics and errors of redb become [`StoreError::Poisoned`], once and for good |
//! | `room` | the reserve of free space |

mod health;
mod layout;
mod open;
mod options;
mod room;
mod snapshot;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use strongroom_types::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use crate::{Batch, Revision, Snapshot, Store, StoreError, state};
use health::Health;
use snapshot::RedbSnapshot;
use writer::Job;

pub use open::OpenError;
pub use options::{FreeSpace, Options, Reserve, Space};

/// The store in a redb file. Closed when it and its snapshots are dropped; dropping it waits for the commit at work.
pub struct RedbStore {
    current: Arc<ArcSwap<RedbSnapshot>>,
    health: Arc<Health>,
    batch_bytes: usize,
    /// One permit for each batch that may wait or be at work.
    places: Arc<Semaphore>,
    /// None only while it is dropped.
    queue: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl RedbStore {
    async fn enqueue(&self, batch: Batch) -> Result<Revision, StoreError> {
        self.health.check()?;
        let size = state::sized(&batch, self.batch_bytes)?;
        let gone = || self.health.poison("the writer thread has ended: restart".to_owned());
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| gone())?;
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(Job { batch, size, answer, place }).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Store for RedbStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        self.health.check()?;
        Ok(self.current.load_full())
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, StoreError>> {
        Box::pin(self.enqueue(batch))
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.queue = None;
        let Some(writer) = self.writer.take() else { return };
        // The report of a poisoning may hold the last reference, on the writer's own thread.
        if writer.thread().id() != std::thread::current().id() {
            // The writer catches its panics; if one got out, there is nobody left to tell.
            let _ = writer.join();
        }
    }
}
