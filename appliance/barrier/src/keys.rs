//! The keys of one mount: derived when first needed, kept in the arena, wiped when the barrier is sealed.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use strongroom_os::Kept;
use strongroom_types::id::{MountId, NamespaceId};

use crate::BarrierError;
use crate::barrier::Barrier;
use crate::frame;
use crate::key::NameCipher;
use crate::purpose::{KEY_LEN, Purpose, derive};

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
    /// By term, in order: the newest, and those that were needed to read.
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
        self.derive(None)?;
        let derived = self.derived.load();
        derived.as_ref().ok_or(BarrierError::Sealed)?.name_key.with(NameCipher::new)
    }

    /// Lends the data key of `term` to `f`. A term that the keyring does not have is that of a damaged record.
    pub(crate) fn with_data_key<R>(
        &self,
        term: u32,
        f: impl FnOnce(&[u8]) -> Result<R, BarrierError>,
    ) -> Result<R, BarrierError> {
        let mut derived = self.derived.load();
        if find(&derived, term).is_none() {
            self.derive(Some(term))?;
            derived = self.derived.load();
        }
        find(&derived, term).ok_or(BarrierError::Sealed)?.with(f)
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

    /// The slow way, once for a mount and once for each term: derives what is missing.
    fn derive(&self, term: Option<u32>) -> Result<(), BarrierError> {
        // Held until the keys are where `Barrier::seal` finds them.
        let _mounts = self.barrier.lock_mounts();
        let keyring = self.barrier.keyring.load();
        let keyring = keyring.as_ref().ok_or(BarrierError::Sealed)?;
        let before = self.derived.load();
        let name_key = match &*before {
            Some(derived) => Arc::clone(&derived.name_key),
            None => self.derive_key(&keyring.index_key, Purpose::NameKey)?,
        };
        let mut data_keys = before.as_ref().map_or_else(Vec::new, |derived| derived.data_keys.clone());
        if let Some(number) = term
            && let Err(at) = data_keys.binary_search_by_key(&number, |(number, _)| *number)
        {
            let term = keyring.term(number).ok_or(BarrierError::Damaged)?;
            data_keys.insert(at, (number, self.derive_key(&term.key, Purpose::DataKey)?));
        }
        self.derived.store(Some(Arc::new(Derived { name_key, data_keys })));
        Ok(())
    }

    fn derive_key(&self, from: &Kept, purpose: Purpose) -> Result<Arc<Kept>, BarrierError> {
        let context = purpose.context(&[&self.barrier.cluster.0, &self.namespace.0, &self.mount.0]);
        let key = self
            .barrier
            .arena
            .keep_with(KEY_LEN, |key| from.with(|from| derive(from, &[], &context, key)))?;
        Ok(Arc::new(key))
    }

    /// The caller holds the barrier's lock of the mounts.
    pub(crate) fn wipe(&self) {
        self.derived.store(None);
    }
}

fn find(derived: &Guard<Option<Arc<Derived>>>, term: u32) -> Option<&Kept> {
    let data_keys = &derived.as_ref()?.data_keys;
    let at = data_keys.binary_search_by_key(&term, |(number, _)| *number).ok()?;
    data_keys.get(at).map(|(_, key)| &**key)
}
