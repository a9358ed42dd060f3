//! Audit lines of commits, kept until the log itself is on the disk.
//!
//! A commit carries its audit line as a row of the same batch. Once the sinks have been synced, a later batch removes
//! the row. After a power cut the rows that are left are the lines that the log may have lost: they are
//! written again before anything is answered. So no effect is without its line, and no request waits for the
//! log's sync.

use std::sync::{Arc, Mutex, PoisonError};

use strongroom_audit::{Audited, Broker};
use strongroom_barrier::{Due, Minute, Name, View, Write};
use strongroom_store::{Batch, Snapshot, Store};
use strongroom_types::Refusal;

use crate::active::Active;
use crate::fault;

/// Rows removed by one batch.
const SLICE: usize = 1000;

/// See the module.
pub struct Outbox {
    view: View,
    /// Committed rows whose line is not known to be synced, by ticket.
    open: Mutex<Vec<u64>>,
    next_ticket: u64,
}

impl Outbox {
    /// The rows in `view`; those that are there are of a time before a crash.
    pub fn load(view: View, snapshot: Arc<dyn Snapshot>) -> Result<Self, Refusal> {
        let rows =
            view.at(snapshot).due(Minute::counted(u64::MAX), None, usize::MAX).map_err(fault::barrier)?;
        let ticket = |row: &Due| u64::from_str_radix(row.name.segments().first()?, 16).ok();
        let open: Vec<u64> = rows.iter().filter_map(ticket).collect();
        let next_ticket = open.iter().max().map_or(1, |last| last.saturating_add(1));
        Ok(Self { view, open: Mutex::new(open), next_ticket })
    }

    /// The first ticket that no row of an earlier time has.
    pub fn next_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// Adds the line of `audited` to `batch`.
    pub fn add(&self, audited: &Audited, batch: &mut Batch) -> Result<(), Refusal> {
        let Some(row) = audited.outbox_row() else { return Ok(()) };
        let (minute, name) = place(audited.ticket())?;
        self.view.seal(&Write::put(name, row).due(minute), batch).map_err(fault::barrier)
    }

    /// Says that the batch with the line of `audited` has been committed.
    pub fn committed(&self, audited: &Audited) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(audited.ticket());
    }

    /// Removes the rows whose lines are synced: of all tickets up to `synced`.
    ///
    /// A row that is not removed, because the store refuses or this future is dropped, does no harm: after the next
    /// start its line is found in the log.
    pub async fn forget(&self, store: &Arc<dyn Store>, synced: u64) -> Result<(), Refusal> {
        let mut done = Vec::new();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|ticket| {
            let is_synced = *ticket <= synced;
            if is_synced {
                done.push(*ticket);
            }
            !is_synced
        });
        for slice in done.chunks(SLICE) {
            let mut batch = Batch::default();
            for ticket in slice {
                let (minute, name) = place(*ticket)?;
                self.view.seal(&Write::delete(name).due(minute), &mut batch).map_err(fault::barrier)?;
            }
            store.commit(batch).await.map_err(fault::store)?;
        }
        Ok(())
    }

    /// Waits until every row that is open now is synced and removed.
    pub async fn settle(&self, active: &Active) -> Result<(), Refusal> {
        let last = self.open.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().max();
        let Some(last) = last else { return Ok(()) };
        let synced = active.audit.synced(last.saturating_sub(1)).await;
        self.forget(&active.store, synced).await
    }

    /// Writes the lines again that a crash may have taken from the log.
    pub fn restore(&self, broker: &Broker, snapshot: Arc<dyn Snapshot>) -> Result<(), Refusal> {
        let reader = self.view.at(snapshot);
        let mut tickets = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tickets.sort_unstable();
        let mut rows = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let (minute, name) = place(ticket)?;
            if let Some(entry) = reader.get_due(minute, &name).map_err(fault::barrier)? {
                rows.push(entry.value.expose().to_vec());
            }
        }
        let written = broker.restore(rows).map_err(fault::damaged)?;
        if written > 0 {
            crate::log::AUDIT.warn(format_args!(
                "{written} audit lines were missing after a crash and were written again"
            ));
        }
        Ok(())
    }
}

/// Where a row is: ordered by its ticket, so that new rows share the pages of the last ones, and what a batch removes
/// are whole pages. With rows all over the tree each would cost two more pages of the disk.
fn place(ticket: u64) -> Result<(Minute, Name), Refusal> {
    let name = Name::new([format!("{ticket:016x}")]).map_err(fault::damaged)?;
    Ok((Minute::counted(ticket), name))
}
