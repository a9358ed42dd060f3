//! The keyslot table of an unsealed appliance: believed only with its MAC, and changed only together with the keyring.
//!
//! Each change draws another root key and adds a term, and is one batch: either both records are the old ones, or both are
//! the new ones. What a keyslot that is gone could open is a copy from before, and nothing of it opens the store of
//! today.

use std::sync::Arc;

use strongroom_barrier::{Barrier, BarrierError, Rotation, plain};
use strongroom_seal::{Slot, SlotTable, new_root_key, replace_root_key};
use strongroom_store::{Batch, Expect, Snapshot, Space, Stored};
use strongroom_types::{Entropy, Refusal, Timestamp};

use super::{SealFacts, seal_fault, stored_table};
use crate::fault;

/// Why the table is not believed, for the operator.
pub(crate) struct Untrusted(pub(crate) String);

impl Untrusted {
    pub(crate) fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

/// The stored table, if it is the one that the keyring of `barrier` knows.
pub(crate) fn trusted(snapshot: &dyn Snapshot, barrier: &Barrier) -> Result<SlotTable, Untrusted> {
    let table = stored_table(snapshot).map_err(Untrusted::new)?.map_err(Untrusted::new)?;
    let mut mac = Mac::new(barrier);
    let table = table.verify(|bytes| mac.of(bytes));
    mac.worked().map_err(Untrusted::new)?;
    let table = table.map_err(Untrusted::new)?;
    if table.generation() != barrier.table_generation() {
        let (stored, known) = (table.generation(), barrier.table_generation());
        return Err(Untrusted(format!(
            "the keyslot table is of generation {stored} and the keyring knows {known}: an older table was put back. \
             Restore the storage"
        )));
    }
    Ok(table)
}

/// The bytes of `table` with its MAC.
pub(crate) fn sealed_bytes(table: &SlotTable, barrier: &Barrier) -> Result<Vec<u8>, Refusal> {
    let mut mac = Mac::new(barrier);
    let bytes = table.seal_bytes(|bytes| mac.of(bytes));
    mac.worked().map_err(fault::barrier)?;
    bytes.map_err(|cause| seal_fault(&cause.into()))
}

/// The MAC of a table, where only bytes can be returned.
struct Mac<'a> {
    barrier: &'a Barrier,
    failed: Option<BarrierError>,
}

impl<'a> Mac<'a> {
    fn new(barrier: &'a Barrier) -> Self {
        Self { barrier, failed: None }
    }

    fn of(&mut self, bytes: &[u8]) -> [u8; 32] {
        self.barrier.table_mac(bytes).unwrap_or_else(|cause| {
            self.failed = Some(cause);
            [0; 32]
        })
    }

    fn worked(self) -> Result<(), BarrierError> {
        self.failed.map_or(Ok(()), Err)
    }
}

/// A change of the table, ready to be committed.
pub(crate) struct Change {
    /// Both records.
    pub batch: Batch,
    /// To be installed once they are committed.
    pub rotation: Rotation,
    /// What the new table says of itself.
    pub facts: SealFacts,
}

/// The table with `slots`, and another root key in each of them.
pub(crate) fn change(
    barrier: &Arc<Barrier>,
    table: &SlotTable,
    slots: Vec<Slot>,
    snapshot: &dyn Snapshot,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Change, Refusal> {
    let refused = |cause| seal_fault(&cause);
    let root_key = new_root_key(entropy).map_err(refused)?;
    let table = table.with_slots(slots).map_err(|cause| seal_fault(&cause.into()))?;
    let next = replace_root_key(&table, &root_key, entropy).map_err(refused)?;
    let stored = snapshot.get(Space::Cluster, plain::SLOT_TABLE).map_err(fault::store)?;
    let expect = stored.map_or(Expect::Absent, |Stored { revision, .. }| Expect::Revision(revision));
    let mut batch = Batch::default();
    batch.put(Space::Cluster, plain::SLOT_TABLE.to_vec(), sealed_bytes(&next, barrier)?, expect);
    let rotation = barrier.rewrap(&root_key, next.generation(), snapshot, now, &mut batch);
    let rotation = rotation.map_err(fault::barrier)?;
    Ok(Change { batch, rotation, facts: SealFacts::of(&next, entropy).map_err(refused)? })
}
