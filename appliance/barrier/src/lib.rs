//! The barrier: the one place that encrypts.
//!
//! ```text
//! root key ── HKDF(cluster) ──▶ keyring key
//!                                 │ encrypts, as a record
//!                                 ▼
//! keyring   index key · table key · term 1 … n
//!             │           │           └─ HKDF(cluster, namespace, mount) ──▶ data key ── HKDF(salt) ──▶ record key
//!             │           └─ HMAC-SHA256 over the slot table
//!             └─ HKDF(cluster, namespace, mount) ──▶ name key ── AES-256-GCM-SIV ──▶ names in storage keys
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`barrier`](Barrier) | the keyring in use: made, opened, rotated, wrapped anew, wiped |
//! | `keyring` | the keyring as it is stored |
//! | `purpose` | every derivation, in one list |
//! | `frame` | the frame of a record |
//! | [`name`](Name) | names in clear |
//! | `key` | keys in the store, and how names are encrypted in them |
//! | [`plain`] | the few keys that are read while sealed |
//! | [`due`](Minute) | when something falls due |
//! | `keys` | the keys of a mount, derived once |
//! | [`view`](View), [`reader`](Reader) | writing and reading the records of one mount |
//!
//! # A record
//!
//! ```text
//! ┌─────────────┬──────────────┬──────────┬────────────┬─────────┐
//! │ version = 1 │ term, u32 BE │ salt, 24 │ ciphertext │ tag, 16 │
//! └─────────────┴──────────────┴──────────┴────────────┴─────────┘
//! ```
//!
//! AES-256-GCM with a nonce of zeros under the record key, which is used once: HKDF-SHA256 of the data key with the
//! salt. Authenticated with it: version, cluster, namespace id, mount id, term, storage key. Ids, never paths, so that
//! to move a mount re-encrypts nothing; and no record can be moved, renamed or brought from another cluster.
//!
//! # A storage key
//!
//! ```text
//! plain    0 │ text
//! record   1 │ namespace id, 16 │ mount id, 16 │ segment …
//! due      2 │ namespace id, 16 │ mount id, 16 │ minute, u32 BE │ segment …
//!
//! segment  ┌────────────────────┬────────────────────────────────────────┬─────────┐
//!          │ blocks b, 1 to 251 │ encrypted (text ‖ 0x80 ‖ zeros), 16·b  │ tag, 16 │
//!          └────────────────────┴────────────────────────────────────────┴─────────┘
//!          before the last one of a name with a rank: 0xFE │ rank, u32 BE
//! ```
//!
//! AES-256-GCM-SIV with the name key, a nonce of zeros, and all bytes before the ciphertext as associated data:
//! deterministic, so that a name can be looked up, and different for the same segment elsewhere. The disk shows the
//! shape of the tree, counts, lengths in steps of 16, the ids, and of ordered records the minute, and ranks. The name
//! key derives from the index key, which a rotation leaves alone.
//!
//! # The keyring
//!
//! A record at [`plain::KEYRING`] with term 0, whose data key is the keyring key and whose associated data are version,
//! cluster and storage key. In it:
//!
//! ```text
//! version = 1 │ generation of the slot table, u64 │ index key, 32 │ table key, 32 │ term …
//! term        number, u32 │ installed, i64 in ns since the epoch │ key, 32
//! ```
//!
//! # A derivation
//!
//! HKDF-SHA256; associated data have the same form, with a purpose of their own: [`strongroom_types::purpose`] draws it.
//!
//! # Where keys lie
//!
//! The keyring and what derives from it for a mount lie in the [`Arena`] and are reached by closure. For one operation
//! the library holds the expanded key of one record and of a mount's names in heap memory, and wipes it at the end; no
//! expanded key is kept. [`Barrier::seal`] drops, and thereby wipes, all of the arena's; a call under way in another
//! thread ends with the key it has, any later one answers [`BarrierError::Sealed`].
//!
//! ```
//! # use std::sync::Arc;
//! # use strongroom_barrier::{Arena, Barrier, Name, Protection, View, Write};
//! # use strongroom_store::Batch;
//! # use strongroom_types::id::{ClusterId, MountId, NamespaceId};
//! # use strongroom_types::{Entropy, NoEntropy, Secret, Timestamp};
//! # struct System;
//! # impl Entropy for System {
//! #     fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> { aws_lc_rs::rand::fill(out).map_err(|_| NoEntropy) }
//! # }
//! # let entropy = Arc::new(System);
//! # let now = Timestamp::from_secs(0);
//! let arena = Arena::new(64 * 1024, Protection::BestEffort)?;
//! let root_key = Secret::copy_of(&[7; 32]);
//! let mut batch = Batch::default();
//! let barrier = Barrier::create(ClusterId([1; 16]), &root_key, arena, entropy, now, &mut batch)?;
//!
//! let view = View::new(&barrier, NamespaceId::ROOT, MountId([2; 16]));
//! view.seal(&Write::put(Name::new(["team", "db"])?, "hunter2".to_owned()), &mut batch)?;
//! // Committed, the batch is the keyring and one record.
//! assert_eq!(batch.changes.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod barrier;
mod due;
mod error;
mod frame;
mod key;
mod keyring;
mod keys;
mod name;
pub mod plain;
mod purpose;
mod reader;
mod view;

pub use barrier::{Barrier, KeyStatus, Rotation};
pub use due::{Due, Minute};
pub use error::BarrierError;
pub use name::{MAX_NAME, MAX_SEGMENT, MAX_SEGMENTS, Name, NameError};
pub use reader::Reader;
pub use strongroom_os::{Arena, ArenaError, Backing, Protection};
pub use view::{Entry, View, Write};
