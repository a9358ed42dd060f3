//! The keys of one mount: derived when first needed, kept in the arena, wiped when the barrier is sealed.
//!
//! The arena is small and does not grow, so what is in it is bounded: of a mount the newest data key that was needed and
//! [`OLDER`] of earlier terms; and when the arena is nearly full, the other mounts give up theirs. A key that is gone is
//! derived again, in microseconds: neither the number of mounts nor that of terms stops anything.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use strongroom_os::Kept;
use strongroom_types::id::{MountId, NamespaceId};

use crate::BarrierError;
use crate::barrier::Barrier;
use crate::frame;
use crate::key::NameCipher;
use crate::purpose::{KEY_LEN, Purpose, derive};

/// Data keys that a mount keeps beside its newest.
const OLDER: usize = 3;

/// Bytes of the arena that derived keys leave free: the keyring and the seal need some, and cannot wait.
const SPARE: usize = 1024;

/// What all views of one mount share.
pub(crate) struct MountKeys {
    pub(crate) barrier: Arc<Barrier>,
    pub(crate) namespace: NamespaceId,
    pub(crate) mount: MountId,
    /// `None` before the first use, and for good once the barrier is sealed.
    derived: ArcSwapOption<Derived>,
}

/// Only whoever holds the barrier's lock of the mounts replaces it; readers look at one that does not change.
struct Derived {
    name_key: Arc<Kept>,
    /// With their terms: the newest first, then those that were needed to read, the last derived first.
    data_keys: Vec<(u32, Arc<Kept>)>,
}

impl MountKeys {
    pub(crate) fn new(barrier: Arc<Barrier>, namespace: NamespaceId, mount: MountId) -> Self {
        Self { barrier, namespace, mount, derived: ArcSwapOption::empty() }
    }

    /// The cipher of names, for one operation.
    pub(crate) fn name_cipher(&self) -> Result<NameCipher, BarrierError> {
        if let Some(derived) = &*self.derived.load() {
            return derived.name_key.with(NameCipher::new);
        }
        self.derive(None)?.name_key.with(NameCipher::new)
    }

    /// Lends the data key of `term` to `f`. A term that the keyring does not have is that of a damaged record.
    pub(crate) fn with_data_key<R>(
        &self,
        term: u32,
        f: impl FnOnce(&[u8]) -> Result<R, BarrierError>,
    ) -> Result<R, BarrierError> {
        if let Some(key) = self.derived.load().as_ref().and_then(|derived| derived.data_key(term)) {
            return key.with(f);
        }
        let derived = self.derive(Some(term))?;
        derived.data_key(term).ok_or(BarrierError::Damaged)?.with(f)
    }

    /// The term that new records are written with.
    pub(crate) fn term(&self) -> Result<u32, BarrierError> {
        let keyring = self.barrier.keyring.load();
        let last = keyring.as_ref().ok_or(BarrierError::Sealed)?.terms.last();
        last.map(|term| term.number).ok_or(BarrierError::Sealed)
    }

    /// What is authenticated with the record at `key`.
    pub(crate) fn associated(&self, term: u32, key: &[u8]) -> Vec<u8> {
        Purpose::Record.context(&[
            &[frame::VERSION],
            &self.barrier.cluster.0,
            &self.namespace.0,
            &self.mount.0,
            &term.to_be_bytes(),
            key,
        ])
    }

    /// An error once the barrier is sealed: asked between the steps of what takes long.
    pub(crate) fn check_unsealed(&self) -> Result<(), BarrierError> {
        match self.barrier.keyring.load().is_some() {
            true => Ok(()),
            false => Err(BarrierError::Sealed),
        }
    }

    /// The slow way: derives what is missing. What it returns has it, also if another mount takes it away meanwhile.
    fn derive(&self, term: Option<u32>) -> Result<Arc<Derived>, BarrierError> {
        // Held until the keys are where `Barrier::seal` finds them.
        let mounts = self.barrier.lock_mounts();
        let keyring = self.barrier.keyring.load();
        let keyring = keyring.as_ref().ok_or(BarrierError::Sealed)?;
        if self.barrier.arena.free() < SPARE {
            mounts.make_room(self);
        }
        let before = self.derived.load_full();
        let name_key = match &before {
            Some(derived) => Arc::clone(&derived.name_key),
            None => self.derive_key(&keyring.index_key, Purpose::NameKey)?,
        };
        let mut data_keys = before.as_ref().map_or_else(Vec::new, |derived| derived.data_keys.clone());
        if let Some(number) = term
            && !data_keys.iter().any(|(held, _)| *held == number)
        {
            let term = keyring.term(number).ok_or(BarrierError::Damaged)?;
            let key = self.derive_key(&term.key, Purpose::DataKey)?;
            // Every write needs the newest: it gives way to a newer one only.
            let at = usize::from(data_keys.first().is_some_and(|(newest, _)| *newest > number));
            data_keys.insert(at, (number, key));
            data_keys.truncate(1 + OLDER);
        }
        let derived = Arc::new(Derived { name_key, data_keys });
        self.derived.store(Some(Arc::clone(&derived)));
        Ok(derived)
    }

    fn derive_key(&self, from: &Kept, purpose: Purpose) -> Result<Arc<Kept>, BarrierError> {
        let context = purpose.context(&[&self.barrier.cluster.0, &self.namespace.0, &self.mount.0]);
        let key = self
            .barrier
            .arena
            .keep_with(KEY_LEN, |key| from.with(|from| derive(from, &[], &context, key)))?;
        Ok(Arc::new(key))
    }

    /// The caller holds the barrier's lock of the mounts. Whoever uses a key right now ends with it first.
    pub(crate) fn wipe(&self) {
        self.derived.store(None);
    }
}

impl Derived {
    fn data_key(&self, term: u32) -> Option<&Kept> {
        self.data_keys.iter().find(|(number, _)| *number == term).map(|(_, key)| &**key)
    }
}
