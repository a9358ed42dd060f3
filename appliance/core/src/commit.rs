//! One atomic batch: what the handler wants, the use of the token, the audit row, the time. And the smaller one of what
//! is removed beside the requests ([`beside`]).

use std::sync::Arc;
use std::time::Duration;

use strongroom_audit::Audited;
use strongroom_barrier::{View, Write};
use strongroom_store::{Batch, Revision, StoreError};
use strongroom_types::{Refusal, Reply};

use crate::active::Active;
use crate::perform::Outcome;
use crate::stage::Bill;
use crate::{census, fault};

/// How long a commit without space waits for the log's sync.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a commit ended.
pub enum Committed {
    /// Done, and this is the answer.
    Done(Result<Reply, Refusal>),
    /// Another request changed what this one had read: nothing was committed.
    Conflict,
}

/// Commits `outcome`, and does what in memory follows from it.
pub async fn commit(
    active: &Arc<Active>,
    outcome: Outcome,
    bill: &Bill,
    audited: &Audited,
) -> Result<Committed, Refusal> {
    let Outcome { answer, mut writes, sealed, asked_by, mut after, held: _held, seat, settle: _, snapshot } =
        outcome;
    after.extend(bill.pay(active, &snapshot, &mut writes)?);
    drop(snapshot);
    let frees = sealed.is_empty() && writes.iter().all(|(_, write)| write.frees);
    let changes = !writes.is_empty() || !sealed.is_empty();
    let _under_way = changes.then(|| active.effects.enter(&active.barrier)).transpose()?;
    if changes {
        let mut batch = sealed;
        for (view, write) in &writes {
            view.seal(write, &mut batch).map_err(fault::barrier)?;
        }
        active.tokens.only_if_unchanged(&asked_by, &mut batch)?;
        if frees {
            batch.frees();
        }
        let change = census::changed(active, pairs(&writes))?;
        match durable(active, batch, audited).await {
            Ok(revision) => active.census.committed(revision, change, seat.as_ref()),
            Err(StoreOrRefusal::Store(StoreError::Conflict)) => return Ok(Committed::Conflict),
            Err(StoreOrRefusal::Store(cause)) => return Err(fault::store(cause)),
            Err(StoreOrRefusal::Refusal(refusal)) => return Err(refusal),
        }
    }
    active.follow(after)?;
    Ok(Committed::Done(answer))
}

enum StoreOrRefusal {
    Store(StoreError),
    Refusal(Refusal),
}

impl From<Refusal> for StoreOrRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

/// Commits `batch` with its audit row and, now and then, the time.
///
/// When space runs out, what only takes away is still committed: from the reserve, with its audit row, which is gone again
/// after the log's sync. When that is used up too, deletes are committed without the row, after the log itself has been
/// synced: either way no effect is without its line.
async fn durable(active: &Active, batch: Batch, audited: &Audited) -> Result<Revision, StoreOrRefusal> {
    let spare = batch.only_deletes().then(|| batch.clone());
    let mut batch = batch;
    let time = active.clock.due()?;
    if let Some(time) = &time {
        active.system.seal(&time.write, &mut batch).map_err(fault::barrier)?;
    }
    active.outbox.add(audited, &mut batch)?;
    // With auditing off there is neither a row to remember nor a sync to wait for.
    let is_audited = !active.audit.sinks().is_empty();
    let begun = active.clock.reading();
    let committed = active.store.commit(batch).await;
    active.measure(&active.metrics.commit, begun);
    match (committed, spare) {
        (Ok(revision), _) => {
            if is_audited {
                active.outbox.committed(audited);
            }
            if let Some(time) = &time {
                time.stored();
            }
            Ok(revision)
        }
        (Err(StoreError::NoSpace), Some(spare)) => {
            let synced = async {
                if is_audited {
                    active.audit.synced(audited.ticket().saturating_sub(1)).await;
                }
            };
            match tokio::time::timeout(PATIENCE, synced).await {
                Ok(()) => active.store.commit(spare).await.map_err(StoreOrRefusal::Store),
                Err(_) => Err(StoreOrRefusal::Store(StoreError::NoSpace)),
            }
        }
        (Err(cause), _) => Err(StoreOrRefusal::Store(cause)),
    }
}

/// How a commit beside the requests ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done.
    Done,
    /// Somebody else has changed something of it: nothing was committed.
    Conflict,
    /// It does not only take away, and there is no room: nothing was committed.
    Full,
}

impl Settled {
    /// Whether it is done, and no conflict, where without room nothing can go on.
    pub fn is_done(self) -> Result<bool, Refusal> {
        match self {
            Self::Done => Ok(true),
            Self::Conflict => Ok(false),
            Self::Full => Err(fault::store(StoreError::NoSpace)),
        }
    }
}

/// Commits `writes` as one batch beside the requests. It has no line in the audit log, and an unseal need not wait for
/// it: it changes none of the tables that an unseal loads.
pub async fn beside<'a>(
    active: &Active,
    writes: impl Iterator<Item = (&'a View, &'a Write)>,
) -> Result<Settled, Refusal> {
    let (mut batch, mut frees) = (Batch::default(), true);
    let writes: Vec<_> = writes.collect();
    for (view, write) in &writes {
        view.seal(write, &mut batch).map_err(fault::barrier)?;
        frees &= write.frees;
    }
    if batch.is_empty() {
        return Ok(Settled::Done);
    }
    if frees {
        batch.frees();
    }
    let change = census::changed(active, writes.into_iter())?;
    match active.store.commit(batch).await {
        Ok(revision) => {
            active.census.committed(revision, change, None);
            Ok(Settled::Done)
        }
        Err(StoreError::Conflict) => Ok(Settled::Conflict),
        Err(StoreError::NoSpace | StoreError::TooLarge) => Ok(Settled::Full),
        Err(cause) => Err(fault::store(cause)),
    }
}

/// As [`beside`] takes them.
pub fn pairs(writes: &[(View, Write)]) -> impl Iterator<Item = (&View, &Write)> {
    writes.iter().map(|(view, write)| (view, write))
}
