//! What was given is taken back.
//!
//! For each lease the engine's handler is run; its writes and the removal of the lease are one batch, so that a crash
//! leaves both or neither. Many leases share a batch, as far as none of them changes what another has read. What the engine
//! refuses, for whatever reason, keeps the lease.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use strongroom_barrier::{Minute, Name, View, Write};
use strongroom_engine::LeaseHandler;
use strongroom_store::Snapshot;
use strongroom_types::error::Kind;
use strongroom_types::id::MountId;
use strongroom_types::{Refusal, Timestamp};
use tokio::task::JoinSet;

use super::record::{self, Found, LeaseId, LeaseRecord};
use crate::active::Active;
use crate::commit::{Settled, beside};
use crate::fault::damaged;
use crate::mounts::Mount;
use crate::revocation::aside;
use crate::sweep::or_warn;
use crate::{log, perform, sweep};

/// Leases taken back by one batch.
pub const SLICE: usize = 2_000;
/// Changes made by one batch, as far as one lease's end does not need more.
const MAX_WRITES: usize = 20_000;
/// Handlers that wait for something at the same time.
const AT_ONCE: usize = 16;
/// How long one may wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// Attempts to commit the end of one lease that somebody else changes.
pub(super) const MAX_CONFLICTS: usize = 4;

/// How it went.
#[derive(Debug, Default)]
pub struct Tally {
    /// Taken back.
    pub done: usize,
    /// Kept, because the engine could not, or because there was no committing what it said.
    pub failed: usize,
    /// Those of the failed that are as they were, neither ended nor with a time to be tried again: whoever wants them to
    /// end has to come back.
    pub untouched: Vec<LeaseId>,
    /// Kept, because it is not their time.
    pub later: usize,
    /// What the engine said first.
    pub error: Option<String>,
}

impl Tally {
    /// Both together, in this.
    pub fn add(&mut self, other: Self) {
        self.done += other.done;
        self.failed += other.failed;
        self.later += other.later;
        self.untouched.extend(other.untouched);
        self.error = self.error.take().or(other.error);
    }

    fn failed(error: String) -> Self {
        Self { failed: 1, error: Some(error), ..Self::default() }
    }

    fn untouched(id: LeaseId, error: String) -> Self {
        Self { untouched: vec![id], ..Self::failed(error) }
    }

    const DONE: Self = Self { done: 1, failed: 0, untouched: Vec::new(), later: 0, error: None };
}

/// Which leases, and how.
pub trait Wanted: Sync {
    /// Whether this lease is to end.
    fn takes(&self, lease: &LeaseRecord) -> Take;

    /// Whether it is removed although its engine could not take back what it gave.
    fn forces(&self) -> bool {
        false
    }
}

/// Whether a lease is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// It is.
    Now,
    /// It is, but when it is tried again.
    Later,
    /// It is not.
    Not,
}

/// Now or not at all.
pub fn now_if(takes: bool) -> Take {
    if takes { Take::Now } else { Take::Not }
}

impl<F: Fn(&LeaseRecord) -> Take + Sync> Wanted for F {
    fn takes(&self, lease: &LeaseRecord) -> Take {
        self(lease)
    }
}

/// Takes back those of `ids` that are `wanted`.
pub async fn revoke(active: &Arc<Active>, ids: Vec<LeaseId>, wanted: &dyn Wanted) -> Result<Tally, Refusal> {
    let mut tally = Tally::default();
    let mut queue = VecDeque::from(ids);
    let mut waiting = Vec::new();
    while !queue.is_empty() {
        let begun = active.clock.reading();
        let round = aside(|| plan(active, &mut queue, wanted))?;
        waiting.extend(round.waiting);
        tally.add(round.tally);
        match beside(active, round.steps.iter().flat_map(|step| step.writes(active))).await? {
            Settled::Done => {
                active.measure_each(&active.metrics.lease_revoke, round.steps.len(), begun);
                round.steps.into_iter().for_each(|step| tally.add(step.tally));
            }
            // One of them was used or renewed at this very moment, or is to be marked as failed, which a full disk does
            // not take: it must not keep the others.
            Settled::Conflict | Settled::Full => {
                for step in round.steps {
                    tally.add(alone(active, step.id, wanted).await?);
                }
            }
        }
    }
    tally.add(wait_for(active, waiting, wanted.forces()).await?);
    Ok(tally)
}

/// The end of one lease, ready to be committed.
struct Step {
    id: LeaseId,
    /// What the engine writes, and where.
    of_engine: Vec<Write>,
    mount: Option<Arc<Mount>>,
    /// What becomes of the lease.
    own: Vec<Write>,
    tally: Tally,
}

#[derive(Default)]
struct Round {
    steps: Vec<Step>,
    waiting: Vec<(Found, Arc<Mount>)>,
    /// Of those that no step is for.
    tally: Tally,
}

/// Runs the handlers of the first leases of `queue`, as many as fit into one batch.
fn plan(active: &Active, queue: &mut VecDeque<LeaseId>, wanted: &dyn Wanted) -> Result<Round, Refusal> {
    let snapshot = active.snapshot()?;
    let reader = active.leases.view.at(snapshot.clone());
    let mut mounts = Mounts { active, snapshot: &snapshot, known: HashMap::new() };
    let (mut round, mut touched, mut count) = (Round::default(), HashSet::new(), 0);
    while count < MAX_WRITES
        && round.steps.len() < SLICE
        && let Some(id) = queue.pop_front()
    {
        let found = match record::find(&reader, &id) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            // A damaged record must not keep the others.
            Err(cause) => {
                let cause = or_warn(format_args!("the lease {}", id.as_str()), Err(cause), DAMAGED)?;
                round.tally.add(Tally::untouched(id, cause.to_owned()));
                continue;
            }
        };
        match wanted.takes(&found.record) {
            Take::Now => {}
            Take::Later => {
                round.tally.later += 1;
                continue;
            }
            Take::Not => continue,
        }
        let mount = mounts.find(found.record.mount)?;
        let kind = mount.as_ref().and_then(|mount| mount.engine.secret(&found.record.kind));
        let said = match (kind.map(|kind| &kind.revoke), mount) {
            (Some(LeaseHandler::Inline(run)), Some(mount)) => {
                run(&perform::cx(active, &mount, None, snapshot.clone()), &found.leased(0))
                    .map(|writes| (writes, Some(mount)))
            }
            (Some(LeaseHandler::Async(_)), Some(mount)) => {
                round.waiting.push((found, mount));
                continue;
            }
            _ => Err(gone()),
        };
        let step = Step::new(&found, said, wanted.forces(), active.clock.reading())?;
        // What another lease of this batch changes was read as it was before: this one has to see it as it is then.
        if step.touches().any(|one| touched.contains(&one)) {
            queue.push_front(id);
            break;
        }
        touched.extend(step.touches());
        count += step.own.len() + step.of_engine.len();
        round.steps.push(step);
    }
    Ok(round)
}

fn gone() -> Refusal {
    Refusal::bad_request("nobody takes this back: its mount is gone, or this build has not got its engine")
}

type Said = Result<(Vec<Write>, Option<Arc<Mount>>), Refusal>;

impl Step {
    /// What follows from what the engine has `said`. An error is the lease's own only if it is not the whole appliance's.
    fn new(found: &Found, said: Said, force: bool, now: Timestamp) -> Result<Self, Refusal> {
        let id = found.id.clone();
        match said {
            Ok((of_engine, mount)) => {
                Ok(Self { id, of_engine, mount, own: found.remove()?, tally: Tally::DONE })
            }
            Err(refusal) if refusal.kind == Kind::Sealed => Err(refusal),
            Err(Refusal { message, cause, .. }) => {
                if let Some(cause) = cause {
                    log::error(format_args!("a lease cannot be taken back: {cause}"));
                }
                let error = message.into_owned();
                let (own, tally) = match force {
                    true => (found.remove()?, Tally::DONE),
                    false => {
                        let failed = found.record.clone().failed(error.clone(), now);
                        (found.change(&failed)?, Tally::failed(error))
                    }
                };
                Ok(Self { id, of_engine: Vec::new(), mount: None, own, tally })
            }
        }
    }

    fn touches(&self) -> impl Iterator<Item = (MountId, Option<Minute>, Name)> {
        let mount = self.mount.as_ref().map(|mount| mount.record.id);
        let of_engine = self.of_engine.iter();
        of_engine.filter_map(move |write| Some((mount?, write.due, write.name.clone())))
    }

    fn writes<'a>(&'a self, active: &'a Active) -> impl Iterator<Item = (&'a View, &'a Write)> {
        let of_engine =
            self.mount.iter().flat_map(|mount| self.of_engine.iter().map(|write| (&mount.view, write)));
        of_engine.chain(self.own.iter().map(|write| (&active.leases.view, write)))
    }
}

/// Takes back one lease, in a batch of its own.
async fn alone(active: &Arc<Active>, id: LeaseId, wanted: &dyn Wanted) -> Result<Tally, Refusal> {
    for _ in 0..MAX_CONFLICTS {
        let round = aside(|| plan(active, &mut VecDeque::from([id.clone()]), wanted))?;
        let Some(step) = round.steps.into_iter().next() else {
            let mut tally = wait_for(active, round.waiting, wanted.forces()).await?;
            tally.add(round.tally);
            return Ok(tally);
        };
        match beside(active, step.writes(active)).await? {
            Settled::Done => return Ok(step.tally),
            // It stays due, or its job does.
            Settled::Full => {
                return Ok(Tally::untouched(id, step.tally.error.unwrap_or_else(|| FULL.to_owned())));
            }
            Settled::Conflict => {}
        }
    }
    Ok(Tally::untouched(id, CHANGED.to_owned()))
}

const DAMAGED: &str = "its record is damaged";
const FULL: &str = "the disk is full";
const CHANGED: &str = "it is being changed: try again";

/// Takes back leases whose engines wait for something: a few at the same time, each in a batch of its own.
async fn wait_for(
    active: &Arc<Active>,
    waiting: Vec<(Found, Arc<Mount>)>,
    force: bool,
) -> Result<Tally, Refusal> {
    let mut tally = Tally::default();
    // Dropped, as it is when the appliance is sealed, it ends all of them.
    let mut running = JoinSet::new();
    for (found, mount) in waiting {
        if running.len() >= AT_ONCE
            && let Some(ended) = running.join_next().await
        {
            tally.add(ended.map_err(damaged)??);
        }
        running.spawn(waited(active.clone(), found, mount, force));
    }
    while let Some(ended) = running.join_next().await {
        tally.add(ended.map_err(damaged)??);
    }
    Ok(tally)
}

async fn waited(active: Arc<Active>, found: Found, mount: Arc<Mount>, force: bool) -> Result<Tally, Refusal> {
    let begun = active.clock.reading();
    let kind = mount.engine.secret(&found.record.kind);
    let said = match kind {
        None => Err(gone()),
        Some(kind) => {
            let (cx, leased) = (perform::cx(&active, &mount, None, active.snapshot()?), found.leased(0));
            let running = tokio::time::timeout(PATIENCE, kind.revoke.run(&cx, &leased)).await;
            running.unwrap_or_else(|_| Err(Refusal::new(Kind::Unavailable, "the engine waited too long")))
        }
    };
    let step = Step::new(&found, said.map(|writes| (writes, Some(mount))), force, active.clock.reading())?;
    let settled = beside(&active, step.writes(&active)).await?;
    active.measure(&active.metrics.lease_revoke, begun);
    match settled {
        Settled::Done => Ok(step.tally),
        // What was given is taken back, and will be once more: what is gone already is no error.
        Settled::Conflict => Ok(Tally::untouched(step.id, CHANGED.to_owned())),
        Settled::Full => Ok(Tally::untouched(step.id, FULL.to_owned())),
    }
}

/// The mounts of a round's leases: those that there are, and those that are gone but for their leases.
struct Mounts<'a> {
    active: &'a Active,
    snapshot: &'a Arc<dyn Snapshot>,
    known: HashMap<MountId, Option<Arc<Mount>>>,
}

impl Mounts<'_> {
    fn find(&mut self, id: MountId) -> Result<Option<Arc<Mount>>, Refusal> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let there = self.active.mounts.load().by_id(id).cloned();
        let mount = match there {
            Some(mount) => Some(mount),
            None => sweep::doomed_mount(self.active, self.snapshot, id)?,
        };
        self.known.insert(id, mount.clone());
        Ok(mount)
    }
}
