//! Reading.

use std::ops::Bound;
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase};

use super::health::{Careful, Fault, Health};
use super::layout::{CLUSTER, NODE, read_record};
use crate::state::State;
use crate::{Revision, Snapshot, Space, StoreError, Stored};

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A read transaction with its tables open. It keeps the pages it shows, and the file, from being reused or closed.
pub(super) struct RedbSnapshot {
    tables: Careful<(Table, Table)>,
    state: State,
    health: Arc<Health>,
    /// Dropped last.
    _database: Arc<Careful<Database>>,
}

impl RedbSnapshot {
    /// What is committed now: `state` is what the commit left.
    pub(super) fn take(
        database: &Arc<Careful<Database>>,
        state: State,
        health: &Arc<Health>,
    ) -> Result<Self, Fault> {
        let transaction = database.get()?.begin_read()?;
        let tables = Careful::new((transaction.open_table(CLUSTER)?, transaction.open_table(NODE)?));
        Ok(Self { tables, state, health: Arc::clone(health), _database: Arc::clone(database) })
    }

    fn table(&self, space: Space) -> Result<&Table, Fault> {
        let (cluster, node) = self.tables.get()?;
        Ok(match space {
            Space::Cluster => cluster,
            Space::Node => node,
        })
    }

    fn stored(&self, space: Space, key: &[u8], row: &[u8]) -> Result<Stored, Fault> {
        let (revision, value) = read_record(row, space, key, self.state.revision)?;
        Ok(Stored { value: value.to_vec(), revision })
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        self.health.guard(|| match self.table(space)?.get(key)? {
            Some(row) => self.stored(space, key, row.value()).map(Some),
            None => Ok(None),
        })
    }

    fn seek(&self, space: Space, from: Bound<&[u8]>) -> Result<Option<(Vec<u8>, Stored)>, StoreError> {
        self.health.guard(|| {
            let mut rows = self.table(space)?.range::<&[u8]>((from, Bound::Unbounded))?;
            let Some(found) = rows.next() else { return Ok(None) };
            let (key, row) = found?;
            let key = key.value();
            let within = match from {
                Bound::Unbounded => true,
                Bound::Included(from) => key >= from,
                Bound::Excluded(from) => key > from,
            };
            if !within {
                return Err(Fault::Damaged("keys out of order".to_owned()));
            }
            Ok(Some((key.to_vec(), self.stored(space, key, row.value())?)))
        })
    }

    fn revision(&self) -> Revision {
        self.state.revision
    }

    fn accumulated(&self, space: Space) -> Result<[u8; 32], StoreError> {
        self.health.check()?;
        Ok(self.state.sum(space))
    }
}
