//! Uninitialised, sealed, active; and the ways between them.
//!
//! ```text
//! uninitialised ──init──▶ sealed ──shares, devices──▶ active
//!                           ▲                            │
//!                           └─────────── seal ───────────┘
//! ```
//!
//! Three records stand in the store in clear, because they are needed before any key is there: the keyslot table
//! (hostile bytes until the root key has opened; see [`strongroom_seal::table`]), the keyring (encrypted under the
//! root key) and the cluster's name. Init writes them and everything else in one batch that demands their absence.
//! If any of the three is there, the appliance counts as initialised: a damaged store is never initialised over.

pub(crate) mod init;
pub(crate) mod slots;
mod unseal;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use strongroom_barrier::plain;
use strongroom_seal::{SealError, SlotTable, StoredTable, TableError, Unsealing};
use strongroom_store::{Snapshot, Space, StoreError};
use strongroom_types::id::ClusterId;
use strongroom_types::{Entropy, Refusal, Timestamp};
use tokio::sync::watch;

use crate::active::Active;
use crate::{Core, Parts, log};

pub(crate) use init::kind;
pub use init::{InitWish, Initialised};
pub use unseal::{Sealed, SealedStatus};

/// Where the appliance is.
pub enum State {
    /// Nothing is stored.
    Uninitialised,
    /// Waiting for a keyslot to open.
    Sealed(Arc<Sealed>),
    /// Answering requests.
    Active(Arc<Active>),
}

/// Why the appliance cannot even start.
#[derive(Debug)]
pub enum StartError {
    /// The store does not answer.
    Store(StoreError),
    /// There is no randomness.
    Seal(SealError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(cause) => cause.fmt(f),
            Self::Seal(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(cause) => Some(cause),
            Self::Seal(cause) => Some(cause),
        }
    }
}

impl From<StoreError> for StartError {
    fn from(cause: StoreError) -> Self {
        Self::Store(cause)
    }
}

impl From<SealError> for StartError {
    fn from(cause: SealError) -> Self {
        Self::Seal(cause)
    }
}

impl State {
    /// What the store says.
    pub(crate) fn at_start(parts: &Parts) -> Result<Self, StartError> {
        let snapshot = parts.store.snapshot()?;
        if is_initialised(snapshot.as_ref())? {
            return Ok(Self::Sealed(Arc::new(Sealed::at_start(parts, snapshot.as_ref())?)));
        }
        Ok(Self::Uninitialised)
    }
}

fn is_initialised(snapshot: &dyn Snapshot) -> Result<bool, StoreError> {
    for key in [plain::SLOT_TABLE, plain::KEYRING, plain::CLUSTER] {
        if snapshot.get(Space::Cluster, key)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The keyslot table as it is stored, not verified; the error says what is wrong with it.
fn stored_table(snapshot: &dyn Snapshot) -> Result<Result<StoredTable, TableError>, StoreError> {
    let stored = snapshot.get(Space::Cluster, plain::SLOT_TABLE)?;
    Ok(stored
        .map_or(Err(TableError::Malformed("beginning: it is missing")), |held| SlotTable::parse(&held.value)))
}

/// The cluster, in clear: its id and name are shown to anybody who may see the seal's status.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// Bound into every record of the barrier.
    pub id: ClusterId,
    /// For people.
    pub name: String,
    /// When init was.
    pub created: Timestamp,
}

/// What `sys/seal-status` shows of a keyslot table.
#[derive(Clone, Debug)]
pub struct SealFacts {
    /// See [`strongroom_seal::kind`].
    pub kind: String,
    /// Shares needed.
    pub t: usize,
    /// Shares there are.
    pub n: usize,
    /// Whether devices open the first slot, and people, if any, another one.
    pub recovery: bool,
    /// Keyslots whose keys have been replaced and still open, until the new ones have.
    pub replaced: Vec<String>,
}

impl SealFacts {
    fn of(table: &SlotTable, entropy: &dyn Entropy) -> Result<Self, SealError> {
        let progress = Unsealing::new(table, "", entropy)?.progress();
        let first = table.slots().first().map(|slot| slot.groups.as_slice()).unwrap_or_default();
        let custodians =
            first.iter().flat_map(|group| &group.holders).any(|holder| holder.device().is_none());
        Ok(Self {
            kind: strongroom_seal::kind(table),
            t: progress.t,
            n: progress.n,
            recovery: !custodians && progress.n > 0,
            replaced: table.slots().iter().filter_map(|slot| slot.replaced().map(str::to_owned)).collect(),
        })
    }

    /// For the operator: keys that should have gone.
    pub fn complaints(&self) -> Vec<String> {
        let complaint = |name: &String| {
            format!(
                "the keys that the keyslot \"{name}\" had before they were replaced still open it, until it has been \
                 opened once with the new ones"
            )
        };
        self.replaced.iter().map(complaint).collect()
    }
}

/// Signals between requests and [`Core::run`].
pub(crate) struct Switch {
    seal: AtomicBool,
    changed: watch::Sender<u64>,
}

impl Default for Switch {
    fn default() -> Self {
        Self { seal: AtomicBool::new(false), changed: watch::Sender::new(0) }
    }
}

impl Switch {
    /// A request asks to seal.
    pub(crate) fn wish_seal(&self) {
        self.seal.store(true, Ordering::SeqCst);
        self.notify();
    }

    /// Whether one has, once.
    pub(crate) fn take_seal_wish(&self) -> bool {
        // Looked at first, so that requests do not fight for the cache line.
        self.seal.load(Ordering::SeqCst) && self.seal.swap(false, Ordering::SeqCst)
    }

    /// The state has changed, or there is something to do.
    pub(crate) fn notify(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// For waiting until [`Switch::notify`].
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

impl Core {
    /// Whether every key is wiped, or there never was one.
    pub fn is_sealed(&self) -> bool {
        !matches!(*self.state(), State::Active(_))
    }

    /// Whether init has been.
    pub fn is_initialised(&self) -> bool {
        !matches!(*self.state(), State::Uninitialised)
    }

    /// From `before` to `next`, if nobody was faster.
    pub(crate) fn become_from(&self, before: &Arc<State>, next: State) -> bool {
        let found = self.state.compare_and_swap(before, Arc::new(next));
        Arc::ptr_eq(&found, before)
    }

    /// Wipes every key. New requests are refused from here on; those under way fail at their next record. Devices
    /// do not unseal again until the next start, because whoever seals does not want that.
    pub fn seal(&self) {
        let before = self.state();
        let State::Active(active) = &*before else { return };
        let sealed = self
            .parts
            .store
            .snapshot()
            .map_err(StartError::from)
            .and_then(|snapshot| Sealed::by_hand(&self.parts, snapshot.as_ref()));
        let sealed = sealed.unwrap_or_else(|cause| Sealed::broken(cause.to_string()));
        // Whoever else has sealed meanwhile has done it to the same keys; what was unsealed since is not meant.
        if !self.become_from(&before, State::Sealed(Arc::new(sealed))) {
            return;
        }
        active.barrier.seal();
        active.ceremonies.forget();
        // Said first: it is the last line that those see who follow the log.
        log::SEAL.info(format_args!("sealed: every key is wiped"));
        self.switch.notify();
    }
}

/// A fault of the seal that the client of init or unseal is told in full: it is an operator, and has to act.
pub(crate) fn seal_fault(cause: &SealError) -> Refusal {
    use strongroom_types::error::Kind;
    let kind = match cause {
        SealError::Plan(_) => Kind::BadRequest,
        SealError::DeviceMissing { .. } | SealError::DeviceLogin { .. } => Kind::Unavailable,
        _ => Kind::Internal,
    };
    Refusal::new(kind, cause.to_string())
}
