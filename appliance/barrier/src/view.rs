//! A handle on the records of one mount: it cannot reach any other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use strongroom_store::{Batch, Expect, Revision, Snapshot, Space};
use strongroom_types::Secret;
use strongroom_types::id::{MountId, NamespaceId};

use crate::keys::MountKeys;
use crate::{Barrier, BarrierError, Minute, Name, Reader, frame, key};

/// The records of one mount. Cheap to clone.
#[derive(Clone)]
pub struct View {
    keys: Arc<MountKeys>,
}

/// A decrypted record.
pub struct Entry {
    /// What was written.
    pub value: Secret,
    /// For the precondition of a later write.
    pub revision: Revision,
}

/// A change to one record, in clear.
pub struct Write {
    /// Which record.
    pub name: Name,
    /// The minute under which the record is ordered; `None` for an ordinary record, which is another one even if the
    /// name is the same.
    pub due: Option<Minute>,
    /// The new value; `None` deletes.
    pub value: Option<Secret>,
    /// The precondition.
    pub expect: Expect,
    /// See [`Write::frees`].
    pub frees: bool,
}

impl Write {
    /// A put without precondition.
    pub fn put(name: Name, value: impl Into<Secret>) -> Self {
        Self { name, due: None, value: Some(value.into()), expect: Expect::Any, frees: false }
    }

    /// A delete without precondition.
    pub fn delete(name: Name) -> Self {
        Self { name, due: None, value: None, expect: Expect::Any, frees: true }
    }

    /// The same, but of the record that is ordered under `minute`: see [`Reader::due`].
    pub fn due(mut self, minute: Minute) -> Self {
        self.due = Some(minute);
        self
    }

    /// The same, but it takes something away, though by writing: a mark that something has ended, or a record with less
    /// in it than before. A batch of nothing else is committed on a full disk, too: see [`Batch::frees`]. A delete
    /// always is one of these.
    pub fn frees(mut self) -> Self {
        self.frees = true;
        self
    }

    /// The same, but only if the record is still as it was when `seen` was read (`None`: still absent).
    pub fn if_unchanged(mut self, seen: Option<&Entry>) -> Self {
        self.expect = seen.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
        self
    }
}

impl View {
    /// The records of `mount`. Views of the same mount share their keys.
    pub fn new(barrier: &Arc<Barrier>, namespace: NamespaceId, mount: MountId) -> Self {
        Self { keys: barrier.lock_mounts().keys(barrier, namespace, mount) }
    }

    /// Whose records these are.
    pub fn mount(&self) -> MountId {
        self.keys.mount
    }

    /// This view at `snapshot`.
    pub fn at(&self, snapshot: Arc<dyn Snapshot>) -> Reader {
        Reader { keys: Arc::clone(&self.keys), snapshot }
    }

    /// Encrypts `value` as the record `name` would be, for somebody else to keep: nothing is stored. `name` must be one
    /// that no record has.
    pub fn seal_apart(&self, name: &Name, value: &[u8]) -> Result<Vec<u8>, BarrierError> {
        let keys = &self.keys;
        let term = keys.term()?;
        let key = store_key(keys, None, name)?.ok_or(BarrierError::NoName)?;
        let associated = keys.associated(term, &key);
        let entropy = &*keys.barrier.entropy;
        let sealed =
            keys.with_data_key(term, |data_key| frame::seal(data_key, term, &associated, value, entropy))?;
        keys.barrier.encryptions.fetch_add(1, Ordering::Relaxed);
        Ok(sealed)
    }

    /// What [`View::seal_apart`] has encrypted under the same name; anything else is [`BarrierError::Damaged`].
    pub fn open_apart(&self, name: &Name, sealed: &[u8]) -> Result<Secret, BarrierError> {
        let keys = &self.keys;
        let key = store_key(keys, None, name)?.ok_or(BarrierError::NoName)?;
        let frame = frame::Frame::parse(sealed)?;
        let associated = keys.associated(frame.term, &key);
        keys.with_data_key(frame.term, |data_key| frame.open(data_key, &associated))
    }

    /// Adds to `batch` that it happens only if the record `name` is still as it was when `seen` was read.
    pub fn only_if_unchanged(
        &self,
        name: &Name,
        seen: &Entry,
        batch: &mut Batch,
    ) -> Result<(), BarrierError> {
        let key = store_key(&self.keys, None, name)?.ok_or(BarrierError::NoName)?;
        batch.only_if(Space::Cluster, key, Expect::Revision(seen.revision));
        Ok(())
    }

    /// Encrypts `write` into `batch`.
    pub fn seal(&self, write: &Write, batch: &mut Batch) -> Result<(), BarrierError> {
        let keys = &self.keys;
        let term = keys.term()?;
        let key = store_key(keys, write.due, &write.name)?.ok_or(BarrierError::NoName)?;
        let Some(value) = &write.value else {
            batch.delete(Space::Cluster, key, write.expect);
            return Ok(());
        };
        let associated = keys.associated(term, &key);
        let entropy = &*keys.barrier.entropy;
        let record = keys.with_data_key(term, |data_key| {
            frame::seal(data_key, term, &associated, value.expose(), entropy)
        })?;
        keys.barrier.encryptions.fetch_add(1, Ordering::Relaxed);
        batch.put(Space::Cluster, key, record, write.expect);
        Ok(())
    }
}

/// Where the record lies; `None` for the root, which is no record.
pub(crate) fn store_key(
    keys: &MountKeys,
    due: Option<Minute>,
    name: &Name,
) -> Result<Option<Vec<u8>>, BarrierError> {
    if name.segments().is_empty() {
        return keys.check_unsealed().map(|()| None);
    }
    let prefix = match due {
        None => key::record_prefix(keys.namespace, keys.mount),
        Some(minute) => key::due_at(keys.namespace, keys.mount, minute),
    };
    keys.name_cipher()?.key(prefix, name).map(Some)
}
