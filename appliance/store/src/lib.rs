//! The store: an ordered map from keys to ciphertext, in two spaces, changed by atomic batches.
//!
//! It sees ciphertext only. Nothing writes in any other way than by a [`Batch`], and nothing in a batch's
//! effect depends on the clock, on randomness or on the node: the same batch is what a cluster replicates.

// The tests' load is shared with the tests beside `src`.
#[cfg(test)]
extern crate self as strongroom_store;

mod batch;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod faulty;
mod memory;
pub mod redb;
mod sorted;
mod state;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Change, Expect, Revision, Space};
pub use memory::MemoryStore;
pub use redb::{OpenError, Options, RedbStore, Reserve};
pub use state::MAX_BATCH;

use std::ops::Bound;
use std::sync::Arc;

use strongroom_types::BoxFuture;

/// An ordered store. See the crate's conformance suite for what every one of them promises.
pub trait Store: Send + Sync {
    /// What is committed now. Cheap: no lock that a writer holds, no I/O.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;

    /// All of `batch` or nothing, durable when the future is done. A dropped future leaves it undecided.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, StoreError>>;
}

/// The store at one moment.
pub trait Snapshot: Send + Sync {
    /// The value at `key`.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Stored>, StoreError>;

    /// The first key within the bound `from` and what it holds; prefixes are the caller's business.
    fn seek(&self, space: Space, from: Bound<&[u8]>) -> Result<Option<(Vec<u8>, Stored)>, StoreError>;

    /// The commit that this is the result of.
    fn revision(&self) -> Revision;

    /// The sum of all that was ever accumulated into `space` (see [`Batch::accumulate`]).
    fn accumulated(&self, space: Space) -> Result<[u8; 32], StoreError>;
}

/// A value and the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Ciphertext.
    pub value: Vec<u8>,
    /// Which commit wrote it: what a precondition names.
    pub revision: Revision,
}

/// Why the store did not do it, by who is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A precondition did not hold: read again and try again. Nothing was changed.
    Conflict,
    /// Less free space than the reserve. Nothing was changed; reads and deletes go on.
    NoSpace,
    /// The batch is larger than the store takes. Nothing was changed.
    TooLarge,
    /// Damaged, or an I/O error: whether the last commit happened is unknown. Final: the process must end, and
    /// the cause says what to restore.
    Poisoned(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Conflict => f.write_str("another request changed the same record"),
            Self::NoSpace => {
                f.write_str("the disk's free space is below the reserve: free some, or make it larger")
            }
            Self::TooLarge => f.write_str("the batch is too large"),
            Self::Poisoned(cause) => write!(f, "the store is damaged or its disk fails: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}
