//! The writer thread: the only one that changes the file.

use std::mem;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use redb::{Database, ReadableTable, Table, WriteTransaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::health::{Careful, Fault, Health, caught};
use super::layout::{self, CLUSTER, META, NODE, RECORD_HEAD, STATE, read_record, write_record};
use super::room::Room;
use super::snapshot::RedbSnapshot;
use crate::state::{self, State};
use crate::{Batch, Revision, Space, StoreError};

/// Most batches in one transaction: bounds how long the first one waits for the last.
const MOST_BATCHES: usize = 1024;

/// A batch that waits for the writer.
pub(super) struct Job {
    pub(super) batch: Batch,
    /// By [`state::sized`].
    pub(super) size: usize,
    pub(super) answer: oneshot::Sender<Result<Revision, StoreError>>,
    /// Its place in the queue, free again when it is answered.
    pub(super) place: OwnedSemaphorePermit,
}

/// See the module.
pub(super) struct Writer {
    pub(super) database: Arc<Careful<Database>>,
    pub(super) health: Arc<Health>,
    pub(super) current: Arc<ArcSwap<RedbSnapshot>>,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) places: Arc<Semaphore>,
    /// How many places there are.
    pub(super) capacity: usize,
    /// See [`super::Options::gather`].
    pub(super) gather: Duration,
    /// Most bytes in one transaction, unless one batch alone has more.
    pub(super) most_bytes: usize,
    pub(super) room: Room,
    pub(super) state: State,
    /// How many batches are likely to come: those that were waiting or just answered after the last commit.
    pub(super) likely: usize,
}

/// What becomes of a batch when the transaction is committed.
type Verdict = Result<Revision, StoreError>;

/// A transaction with its tables open.
struct Open<'txn> {
    cluster: Table<'txn, &'static [u8], &'static [u8]>,
    node: Table<'txn, &'static [u8], &'static [u8]>,
}

impl Writer {
    /// Until the store is dropped. After a poisoning it only answers.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.queue.recv() {
            let jobs = self.gathered(first);
            let verdicts = match self.transact(&jobs) {
                Ok(verdicts) => verdicts,
                Err(poisoned) => vec![Err(poisoned); jobs.len()],
            };
            self.likely = self.capacity.saturating_sub(self.places.available_permits());
            for (Job { answer, place, .. }, verdict) in jobs.into_iter().zip(verdicts) {
                drop(place);
                // Whoever dropped its future does not want to know.
                let _ = answer.send(verdict);
            }
        }
    }

    /// `first` and what is waiting. Callers that were just answered are likely to come back at once: waiting for
    /// them a little makes one sync do for all of them.
    fn gathered(&self, first: Job) -> Vec<Job> {
        let mut bytes = first.size;
        let mut jobs = vec![first];
        let mut until = None;
        while jobs.len() < MOST_BATCHES && bytes < self.most_bytes {
            let next = self.queue.try_recv().ok().or_else(|| {
                if jobs.len() >= self.likely {
                    return None;
                }
                let until = *until.get_or_insert_with(|| Instant::now() + self.gather);
                self.queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
            });
            let Some(next) = next else { break };
            bytes += next.size;
            jobs.push(next);
        }
        jobs
    }

    /// Commits `jobs` in one transaction, puts the new snapshot in place, and tells what became of each. An error is
    /// that the store is poisoned: nothing is known of any of them.
    ///
    /// Conflicts are answered after the commit too: what they conflict with may be in it, and is to be seen when
    /// the caller reads again.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Verdict>, StoreError> {
        self.health.check()?;
        let Self { database, health, room, .. } = self;
        let begun = caught(|| {
            let mut transaction = database.get()?.begin_write()?;
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(true);
            Ok(transaction)
        });
        let transaction = begun.map_err(|fault| health.poison(fault.to_string()))?;
        match apply_all(&transaction, jobs, self.state, room) {
            Ok((state, verdicts)) => {
                self.finish(transaction, state)?;
                Ok(verdicts)
            }
            Err(fault) => {
                // See `caught`.
                mem::forget(transaction);
                Err(health.poison(fault.to_string()))
            }
        }
    }

    fn finish(&mut self, transaction: WriteTransaction, state: State) -> Result<(), StoreError> {
        let Self { database, health, .. } = self;
        if state == self.state {
            return health.guard(|| Ok(transaction.abort()?));
        }
        let snapshot = health.guard(|| {
            transaction.commit()?;
            RedbSnapshot::take(database, state, health)
        })?;
        self.current.store(Arc::new(snapshot));
        self.state = state;
        Ok(())
    }
}

/// Applies `jobs` one after the other, each to what those before it left.
fn apply_all(
    transaction: &WriteTransaction,
    jobs: &[Job],
    mut state: State,
    room: &mut Room,
) -> Result<(State, Vec<Verdict>), Fault> {
    let before = state;
    // Outside of the calls that may panic, so as to be leaked and not dropped then.
    let mut open = caught(|| {
        Ok(Open { cluster: transaction.open_table(CLUSTER)?, node: transaction.open_table(NODE)? })
    })?;
    let applied = caught(|| {
        let verdicts =
            jobs.iter().map(|job| open.apply(job, &mut state, room)).collect::<Result<_, Fault>>()?;
        if state != before {
            transaction.open_table(META)?.insert(STATE, layout::write_state(&state).as_slice())?;
        }
        Ok(verdicts)
    });
    match applied {
        Ok(verdicts) => {
            let Open { cluster, node } = open;
            let close = |table| {
                caught(|| {
                    drop(table);
                    Ok(())
                })
            };
            // Both, whatever becomes of the first.
            let closed = [close(cluster), close(node)];
            closed.into_iter().collect::<Result<(), Fault>>()?;
            Ok((state, verdicts))
        }
        Err(fault) => {
            mem::forget(open);
            Err(fault)
        }
    }
}

impl<'txn> Open<'txn> {
    fn table(&mut self, space: Space) -> &mut Table<'txn, &'static [u8], &'static [u8]> {
        match space {
            Space::Cluster => &mut self.cluster,
            Space::Node => &mut self.node,
        }
    }

    /// All of `job` or nothing.
    fn apply(&mut self, job: &Job, state: &mut State, room: &mut Room) -> Result<Verdict, Fault> {
        let batch = &job.batch;
        let newest = state.revision;
        let seen = |space, key: &[u8]| match self.table(space).get(key)? {
            Some(row) => Ok(Some(read_record(row.value(), space, key, newest)?.0)),
            None => Ok(None),
        };
        if !state::holds::<Fault>(batch, seen)? {
            return Ok(Err(StoreError::Conflict));
        }
        if !batch.only_deletes() && !room.allows(job.size, batch.frees) {
            return Ok(Err(StoreError::NoSpace));
        }
        *state = state.after(batch);
        for change in &batch.changes {
            let (space, key) = (change.space, change.key.as_slice());
            let table = self.table(space);
            match &change.value {
                Some(value) => {
                    let mut row = table.insert_reserve(key, RECORD_HEAD + value.len())?;
                    write_record(row.as_mut(), space, key, state.revision, value);
                }
                None => drop(table.remove(key)?),
            }
        }
        Ok(Ok(state.revision))
    }
}
