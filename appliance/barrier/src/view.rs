//! A handle on the records of one mount: it cannot reach any other.

use std::sync::Arc;

use strongroom_store::{Batch, Expect, Revision, Snapshot};
use strongroom_types::Secret;

use crate::Name;

/// The records of one mount. Cheap to clone.
#[derive(Clone)]
pub struct View {}

/// A view at one snapshot.
pub struct Reader {}

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
    /// The new value; `None` deletes.
    pub value: Option<Secret>,
    /// The precondition.
    pub expect: Expect,
}

impl Write {
    /// A put without precondition.
    pub fn put(name: Name, value: impl Into<Secret>) -> Self {
        Self { name, value: Some(value.into()), expect: Expect::Any }
    }

    /// A delete without precondition.
    pub fn delete(name: Name) -> Self {
        Self { name, value: None, expect: Expect::Any }
    }

    /// The same, but only if the record is still as it was when `seen` was read (`None`: still absent).
    pub fn if_unchanged(mut self, seen: Option<&Entry>) -> Self {
        self.expect = seen.map_or(Expect::Absent, |entry| Expect::Revision(entry.revision));
        self
    }
}

/// Why the barrier did not do it.
#[derive(Debug)]
pub enum BarrierError {
    /// The keys have been wiped.
    Sealed,
    /// A record does not decrypt: changed, moved, cut or foreign. Never ignored.
    Damaged,
    /// The store's error.
    Store(strongroom_store::StoreError),
}

impl View {
    /// This view at `snapshot`.
    pub fn at(&self, _snapshot: Arc<dyn Snapshot>) -> Reader {
        todo!()
    }

    /// Encrypts `write` into `batch`.
    pub fn seal(&self, _write: &Write, _batch: &mut Batch) -> Result<(), BarrierError> {
        todo!()
    }
}

impl Reader {
    /// The record `name`.
    pub fn get(&self, _name: &Name) -> Result<Option<Entry>, BarrierError> {
        todo!()
    }

    /// The names directly below `parent`, in order of their bytes; a name that has others below it ends in `/`, and stands
    /// beside the same name without one if that is a record too. Only those greater than `after`, at most `limit`.
    pub fn list(&self, _parent: &Name, _after: Option<&str>, _limit: Option<usize>) -> Result<Vec<String>, BarrierError> {
        todo!()
    }

    /// All records below `parent`, as the segments that follow it, in no particular order, to `visit`, which may stop by `false`.
    pub fn walk(&self, _parent: &Name, _visit: &mut dyn FnMut(&[String]) -> bool) -> Result<(), BarrierError> {
        todo!()
    }
}
