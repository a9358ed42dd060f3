//! Audit lines of commits, kept until the log itself is on the disk.
//!
//! A commit carries its audit line as a row of the same batch. Once the sinks have been synced, a later batch removes
//! the row. After a power cut the rows that are left are the lines that the log may have lost: they are
//! written again before anything is answered. So no effect is without its line, and no request waits for the
//! log's sync.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_audit::{Audited, Broker};
use strongroom_barrier::{Name, View, Write};
use strongroom_store::{Batch, Snapshot, Store};
use strongroom_types::Refusal;

use crate::fault;

/// Rows removed by one batch.
const SLICE: usize = 1000;

/// See the module.
pub struct Outbox {
    view: View,
    /// Committed rows whose line is not known to be synced, by ticket.
    open: Mutex<VecDeque<u64>>,
}

impl Outbox {
    /// Rows live in `view`.
    pub fn new(view: View) -> Self {
        Self { view, open: Mutex::default() }
    }

    /// Adds the line of `audited` to `batch`.
    pub fn add(&self, audited: &Audited, batch: &mut Batch) -> Result<(), Refusal> {
        let Some(row) = audited.outbox_row() else { return Ok(()) };
        let write = Write::put(name(audited.ticket())?, row);
        self.view.seal(&write, batch).map_err(fault::barrier)
    }

    /// Says that the batch with the line of `audited` has been committed.
    pub fn committed(&self, audited: &Audited) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push_back(audited.ticket());
    }

    /// Removes the rows whose lines are synced: of all tickets up to `synced`.
    pub async fn forget(&self, store: &Arc<dyn Store>, synced: u64) -> Result<(), Refusal> {
        loop {
            let done: Vec<u64> = {
                let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                let (done, rest) = open.iter().copied().partition::<Vec<_>, _>(|ticket| *ticket <= synced);
                let (now, later) = done.split_at(done.len().min(SLICE));
                *open = later.iter().copied().chain(rest).collect();
                now.to_vec()
            };
            if done.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::default();
            for ticket in done {
                self.view.seal(&Write::delete(name(ticket)?), &mut batch).map_err(fault::barrier)?;
            }
            store.commit(batch).await.map_err(fault::store)?;
        }
    }

    /// Writes the lines again that a crash may have taken from the log.
    pub fn restore(&self, broker: &Broker, snapshot: Arc<dyn Snapshot>) -> Result<(), Refusal> {
        let reader = self.view.at(snapshot);
        let root = Name::new([ROWS]).map_err(fault::damaged)?;
        let names = reader.list(&root, None, None).map_err(fault::barrier)?;
        let mut rows = Vec::with_capacity(names.len());
        for row in names {
            let at = root.child(row.as_str()).map_err(fault::damaged)?;
            if let Some(entry) = reader.get(&at).map_err(fault::barrier)? {
                rows.push(entry.value.expose().to_vec());
            }
            if let Ok(ticket) = u64::from_str_radix(&row, 16) {
                self.open.lock().unwrap_or_else(PoisonError::into_inner).push_back(ticket);
            }
        }
        let written = broker.restore(rows).map_err(fault::damaged)?;
        if written > 0 {
            crate::log::warn(format_args!("{written} audit lines were missing after a crash and were written again"));
        }
        Ok(())
    }
}

const ROWS: &str = "row";

/// A row's name: its ticket, so that they are in order.
fn name(ticket: u64) -> Result<Name, Refusal> {
    Name::new([ROWS.to_owned(), format!("{ticket:016x}")]).map_err(fault::damaged)
}
