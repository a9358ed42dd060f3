//! The keyring in use: made, opened, changed and wiped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use strongroom_os::Arena;
use strongroom_store::{Batch, Expect, Snapshot, Space};
use strongroom_types::id::{ClusterId, MountId, NamespaceId};
use strongroom_types::{Entropy, Secret, Timestamp};

use crate::keyring::{Keyring, Occasion};
use crate::keys::MountKeys;
use crate::purpose::Purpose;
use crate::{BarrierError, plain};

/// The keys of a cluster while it is unsealed. [`View`](crate::View)s are made from it.
///
/// Reading and writing records takes no lock here: what a view needs is derived once and kept where [`Barrier::seal`]
/// reaches it.
pub struct Barrier {
    pub(crate) cluster: ClusterId,
    pub(crate) arena: Arc<Arena>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Every key; `None` once sealed.
    pub(crate) keyring: ArcSwapOption<Keyring>,
    /// What is no secret about the keyring; stays when sealed.
    status: ArcSwap<Status>,
    /// The views' derived keys. Whoever derives, changes or wipes keys holds this lock.
    pub(crate) mounts: Mutex<Mounts>,
    /// Whether a [`Rotation`] is under way.
    changing: AtomicBool,
    /// With the newest term, as far as we have seen.
    pub(crate) encryptions: AtomicU64,
}

/// The derived keys that some view uses.
#[derive(Default)]
pub(crate) struct Mounts {
    alive: HashMap<(NamespaceId, MountId), Weak<MountKeys>>,
    /// Forget the dead ones when there are so many.
    tidy_at: usize,
}

struct Status {
    generation: u64,
    term: u32,
    installed: Timestamp,
    terms: usize,
    /// Whether every encryption with the newest term was counted: it was made since the barrier was opened.
    counted: bool,
}

/// Which data keys there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The term that new records are written with.
    pub term: u32,
    /// Since when.
    pub installed: Timestamp,
    /// How many terms there are; records of all of them can be read.
    pub terms: usize,
    /// How many records have been encrypted with it, as far as that was since the barrier was opened.
    pub encryptions: u64,
}

/// A change of the keyring that is in a batch. [`Rotation::install`] it once the batch is committed; dropped, it leaves
/// everything as it was. There is one at a time.
#[must_use = "the change is not in use before `install`"]
pub struct Rotation {
    turn: Turn,
    next: Keyring,
}

/// The right to change the keyring, until dropped: two changes of the same keyring would lose one's term.
struct Turn(Arc<Barrier>);

impl Barrier {
    /// A new keyring under `root_key`. Its record goes into `batch`, which must be committed before the keyring is used;
    /// that fails if there is a keyring already.
    pub fn create(
        cluster: ClusterId,
        root_key: &Secret,
        arena: Arc<Arena>,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Arc<Self>, BarrierError> {
        let keyring = Keyring::create(cluster, root_key, &arena, &*entropy, now)?;
        batch.put(Space::Cluster, plain::KEYRING.to_vec(), keyring.record.to_vec(), Expect::Absent);
        Ok(Self::with(cluster, keyring, true, arena, entropy))
    }

    /// The stored keyring, opened with `root_key`.
    pub fn open(
        cluster: ClusterId,
        root_key: &Secret,
        snapshot: &dyn Snapshot,
        arena: Arc<Arena>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Arc<Self>, BarrierError> {
        let stored = snapshot.get(Space::Cluster, plain::KEYRING)?.ok_or(BarrierError::NoKeyring)?;
        let keyring = Keyring::open(cluster, root_key, &stored.value, &arena)?;
        Ok(Self::with(cluster, keyring, false, arena, entropy))
    }

    fn with(
        cluster: ClusterId,
        keyring: Keyring,
        is_new: bool,
        arena: Arc<Arena>,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        Arc::new(Self {
            cluster,
            arena,
            entropy,
            status: ArcSwap::from_pointee(Status::of(&keyring, is_new)),
            keyring: ArcSwapOption::from_pointee(keyring),
            mounts: Mutex::default(),
            changing: AtomicBool::new(false),
            encryptions: AtomicU64::new(0),
        })
    }

    /// HMAC-SHA256 over a slot table.
    pub fn table_mac(&self, table: &[u8]) -> Result<[u8; 32], BarrierError> {
        let keyring = self.keyring.load();
        let keyring = keyring.as_ref().ok_or(BarrierError::Sealed)?;
        let key = keyring.table_key.with(|key| hmac::Key::new(HMAC_SHA256, key));
        let tag = hmac::sign(&key, &Purpose::TableMac.context(&[&self.cluster.0, table]));
        tag.as_ref().try_into().map_err(|_| BarrierError::Crypto("HMAC-SHA256"))
    }

    /// The generation that the slot table must have.
    pub fn table_generation(&self) -> u64 {
        self.status.load().generation
    }

    /// Which data keys there are.
    pub fn key_status(&self) -> KeyStatus {
        let status = self.status.load();
        KeyStatus {
            term: status.term,
            installed: status.installed,
            terms: status.terms,
            encryptions: self.encryptions.load(Ordering::Relaxed),
        }
    }

    /// Adds a term, with which records are written from [`Rotation::install`] on. `None`, and nothing in `batch`, if the
    /// newest one has encrypted nothing: it is as good as another one, and a keyring holds only so many.
    pub fn rotate(
        self: &Arc<Self>,
        snapshot: &dyn Snapshot,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Option<Rotation>, BarrierError> {
        if self.is_unused() && !self.is_sealed() {
            return Ok(None);
        }
        let next =
            |keyring: Keyring| keyring.with_new_term(Occasion::Rotation, &self.arena, &*self.entropy, now);
        self.change(snapshot, batch, next).map(Some)
    }

    /// Whether the newest term has encrypted nothing, for certain.
    fn is_unused(&self) -> bool {
        self.status.load().counted && self.encryptions.load(Ordering::SeqCst) == 0
    }

    /// Wraps the keyring with `new_root`, says that the slot table in the same batch has this `generation`, and adds
    /// a term: whoever knew the old root key cannot read what is written from now on.
    pub fn rewrap(
        self: &Arc<Self>,
        new_root: &Secret,
        generation: u64,
        snapshot: &dyn Snapshot,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Rotation, BarrierError> {
        self.change(snapshot, batch, |keyring| {
            let keyring = keyring.under(self.cluster, new_root, &self.arena)?;
            let keyring = keyring.with_generation(generation)?;
            keyring.with_new_term(Occasion::NewRoot, &self.arena, &*self.entropy, now)
        })
    }

    /// The stored keyring must be the one in use, in `snapshot` and when `batch` is committed: a change that was committed
    /// unnoticed would otherwise be written over, and with it perhaps the only wrap that the new root key opens.
    fn change(
        self: &Arc<Self>,
        snapshot: &dyn Snapshot,
        batch: &mut Batch,
        change: impl FnOnce(Keyring) -> Result<Keyring, BarrierError>,
    ) -> Result<Rotation, BarrierError> {
        let turn = Turn::take(self)?;
        let keyring = self.keyring.load_full().ok_or(BarrierError::Sealed)?;
        let stored = snapshot.get(Space::Cluster, plain::KEYRING)?.ok_or(BarrierError::NoKeyring)?;
        if stored.value != *keyring.record {
            return Err(BarrierError::Superseded);
        }
        let next = change(Keyring::clone(&keyring))?.sealed(self.cluster, &*self.entropy)?;
        let expect = Expect::Revision(stored.revision);
        batch.put(Space::Cluster, plain::KEYRING.to_vec(), next.record.to_vec(), expect);
        Ok(Rotation { turn, next })
    }

    /// Wipes every key. From now on everything that needs one answers [`BarrierError::Sealed`], also through views and
    /// readers that still exist; a call that is under way in another thread ends first with the key it has.
    pub fn seal(&self) {
        let mut mounts = self.lock_mounts();
        self.keyring.store(None);
        for keys in mounts.alive.drain().filter_map(|(_, keys)| keys.upgrade()) {
            keys.wipe();
        }
    }

    /// Whether every key is wiped.
    pub fn is_sealed(&self) -> bool {
        self.keyring.load().is_none()
    }

    pub(crate) fn lock_mounts(&self) -> std::sync::MutexGuard<'_, Mounts> {
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rotation {
    /// Puts the committed keyring to use. Sealed in the meantime, it will be found when the barrier is opened again.
    pub fn install(self) {
        let Self { turn: Turn(barrier), next } = &self;
        let _mounts = barrier.lock_mounts();
        if barrier.keyring.load().is_some() {
            // Before the term is in use: one that has encrypted something never counts as unused.
            barrier.encryptions.store(0, Ordering::SeqCst);
            barrier.status.store(Arc::new(Status::of(next, true)));
            barrier.keyring.store(Some(Arc::new(next.clone())));
        }
    }
}

impl Turn {
    fn take(barrier: &Arc<Barrier>) -> Result<Self, BarrierError> {
        match barrier.changing.swap(true, Ordering::AcqRel) {
            true => Err(BarrierError::Busy),
            false => Ok(Self(Arc::clone(barrier))),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.changing.store(false, Ordering::Release);
    }
}

impl Status {
    fn of(keyring: &Keyring, counted: bool) -> Self {
        let (term, installed) =
            keyring.terms.last().map_or((0, Timestamp::from_nanos(0)), |term| (term.number, term.installed));
        Self { generation: keyring.generation, term, installed, terms: keyring.terms.len(), counted }
    }
}

impl Mounts {
    /// Wipes what the mounts have derived, but what `asker` has.
    pub(crate) fn make_room(&self, asker: &MountKeys) {
        let others = self.alive.values().filter_map(Weak::upgrade);
        others.filter(|keys| !std::ptr::eq(&**keys, asker)).for_each(|keys| keys.wipe());
    }

    /// The keys of a mount: those of another view if there is one.
    pub(crate) fn keys(
        &mut self,
        barrier: &Arc<Barrier>,
        namespace: NamespaceId,
        mount: MountId,
    ) -> Arc<MountKeys> {
        if let Some(keys) = self.alive.get(&(namespace, mount)).and_then(Weak::upgrade) {
            return keys;
        }
        if self.alive.len() >= self.tidy_at {
            self.alive.retain(|_, keys| keys.strong_count() > 0);
            self.tidy_at = 2 * self.alive.len() + 64;
        }
        let keys = Arc::new(MountKeys::new(Arc::clone(barrier), namespace, mount));
        self.alive.insert((namespace, mount), Arc::downgrade(&keys));
        keys
    }
}
