//! The store: an ordered map from keys to ciphertext, in two spaces, changed by atomic batches.
//!
//! It sees ciphertext only. Nothing writes in any other way than by a [`Batch`], and nothing in a batch's
//! effect depends on the clock, on randomness or on the node: the same batch is what a cluster replicates.
//!
//! | module | holds |
//! |---|---|
//! | `batch` | [`Batch`]: changes with preconditions, and deltas to the sums |
//! | [`redb`] | [`RedbStore`]: on disk, in a redb file |
//! | `memory` | [`MemoryStore`]: for `server -dev` and tests |
//! | [`faulty`] | [`faulty::FaultyStore`]: fails as it is told to |
//! | `conformance` | what each of them promises, as tests (feature `testing`) |
//!
//! # The file, format 1
//!
//! A redb file of mode 0600 with three tables. Integers are little-endian.
//!
//! ```text
//! table "meta"      text ─▶ bytes
//!   "format"        version u32                                         1
//!   "state"         revision u64 ‖ sum of cluster 32 ‖ sum of node 32 ‖ crc u32
//!
//! table "cluster"   key ─▶ record        the space that is replicated
//! table "node"      key ─▶ record        this board's own
//!
//! record            revision u64 ‖ crc u32 ‖ value
//! ```
//!
//! The CRC-32 of a record covers the letter `c` or `n` of its space, the revision, the key and the value; that of the
//! state what stands before it. For example `key` = `value` in cluster, written by commit 258:
//!
//! ```text
//! 02 01 00 00 00 00 00 00  33 2f bc 74  76 61 6c 75 65
//! ```
//!
//! # What it notices
//!
//! | | found |
//! |---|---|
//! | a record that the disk has changed or moved | when it is read, by its checksum |
//! | pages that make no sense, redb's panics, I/O errors | when it happens; the store is poisoned for good |
//! | a record that is no longer found | not here, unless [`Options::verify`] checks the file at open: by the barrier's digest |
//! | what somebody forged, or an older file | not here: by the barrier and the epoch |

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

pub use batch::{Batch, Change, Condition, Expect, Revision, Space};
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
    /// Less free space than the reserve. Nothing was changed; reads, deletes and what [frees](Batch::frees) go on.
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
