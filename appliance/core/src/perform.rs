//! Runs the handler that a request was routed to.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use strongroom_barrier::{Rotation, View, Write};
use strongroom_engine::{Call, Caller, Cx, Handler};
use strongroom_store::{Batch, Snapshot};
use strongroom_types::id::MountId;
use strongroom_types::reply::Logical;
use strongroom_types::{BoxFuture, Operation, Refusal, Reply, Request, Timestamp};

use crate::active::Active;
use crate::census::Seat;
use crate::ceremony::End;
use crate::clock::Era;
use crate::leases::{self, Held, Settle};
use crate::lifecycle::SealFacts;
use crate::metrics::births::Birth;
use crate::mounts::Mount;
use crate::revocation::aside;
use crate::stage::{Authorized, Target};
use crate::sys::loggers::Levels;
use crate::sys::remount::Moved;
use crate::tokens::Known;
use crate::turn::Turn;
use crate::{logins, wrapping};

/// How an endpoint of core's own tables runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// Changes nothing that others depend on.
    Free(SystemHandler),
    /// The same, which looks through much: beside the threads that answer other requests.
    Blocking(SystemHandler),
    /// Changes the system's own tables: one at a time.
    Alone(SystemHandler),
    /// The same, where no token is needed: whoever the first refuses does not even wait.
    AskedFirst(fn(&Scene<'_>) -> Result<(), Refusal>, SystemHandler),
    /// Makes a child of a token: not while tokens are being revoked.
    Bearing(SystemHandler),
    /// Revokes tokens: not while a child is being made.
    Revoking(SystemHandler),
    /// Opens a wrapped answer: one at a time for each.
    Unwrapping(SystemHandler),
    /// Asks an engine, which may wait for something.
    Waiting(WaitingHandler),
}

/// A handler of core's own: a function from what is to what is to be done.
pub type SystemHandler = fn(&Scene<'_>) -> Result<Work, Refusal>;

/// The same for one that may wait.
pub type WaitingHandler = for<'a> fn(&'a Scene<'a>) -> BoxFuture<'a, Result<Work, Refusal>>;

/// What a handler of core's own is lent.
pub struct Scene<'a> {
    /// The unsealed appliance.
    pub active: &'a Arc<Active>,
    /// The request.
    pub request: &'a Request<Authorized>,
    /// What is stored.
    pub snapshot: Arc<dyn Snapshot>,
    /// The time of this request.
    pub now: Timestamp,
}

/// What is to be done: committed as one batch, then answered.
pub struct Work {
    /// The answer.
    pub reply: Reply,
    /// Changes, each to a record of its view.
    pub writes: Vec<(View, Write)>,
    /// Changes that are encrypted already: a new term of the keyring.
    pub sealed: Batch,
    /// What in memory follows from them.
    pub after: Vec<After>,
    /// Answered instead, although the rest is done.
    pub withheld: Option<Refusal>,
    /// Held until the commit.
    pub held: Option<Held>,
    /// The place of a lease that is made.
    pub seat: Option<Seat>,
    /// Waited for after the commit, before the answer.
    pub settle: Option<Settle>,
}

/// What in memory has to follow a commit.
pub enum After {
    /// A mount has changed.
    Mount(MountId),
    /// A mount has been moved.
    Moved(Moved),
    /// A setting of `sys/config/` has changed.
    Rules,
    /// A quota has changed.
    Quotas,
    /// The log's levels are to change.
    Levels(Levels),
    /// The policy of this name has changed.
    Policy(String),
    /// A new term is there.
    Rotated(Rotation),
    /// The keyslot table has changed.
    Slots(SealFacts),
    /// Custodians have decided.
    Ceremony(End),
    /// An alias of a mount is locked out no more.
    Unlocked(MountId, String),
    /// A token has been made.
    Born(Birth),
    /// There is something to sweep.
    Sweep,
    /// The clock has been accepted as it is.
    Era(Arc<Era>),
    /// There are leases to take back.
    Leases,
    /// Everything is to be sealed.
    Seal,
}

impl Work {
    /// An answer that changes nothing.
    pub fn reply(reply: Reply) -> Self {
        Self {
            reply,
            writes: Vec::new(),
            sealed: Batch::default(),
            after: Vec::new(),
            withheld: None,
            held: None,
            seat: None,
            settle: None,
        }
    }

    /// 204 after `writes`.
    pub fn done(writes: Vec<(View, Write)>) -> Self {
        Self { writes, ..Self::reply(Reply::Empty) }
    }

    /// The same, with what follows in memory.
    pub fn then(mut self, after: impl IntoIterator<Item = After>) -> Self {
        self.after.extend(after);
        self
    }
}

/// A run of the handler, ready to be committed.
pub struct Outcome {
    /// The answer; with a refusal there are no writes.
    pub answer: Result<Reply, Refusal>,
    /// See [`Work::writes`].
    pub writes: Vec<(View, Write)>,
    /// See [`Work::sealed`].
    pub sealed: Batch,
    /// The asker's token and its ancestors: if one of them has been revoked by the time of the commit, there is none.
    pub asked_by: Vec<Arc<Known>>,
    /// See [`Work::after`].
    pub after: Vec<After>,
    /// See [`Work::held`].
    pub held: Option<Held>,
    /// See [`Work::seat`].
    pub seat: Option<Seat>,
    /// See [`Work::settle`].
    pub settle: Option<Settle>,
    /// What the handler has seen.
    pub snapshot: Arc<dyn Snapshot>,
}

/// Runs the handler on what is stored. The first attempt sees what the checks have seen. One that had to wait, or a later
/// one, sees what is stored by then, and is checked once more: token, policies, create or update.
pub async fn perform(
    active: &Arc<Active>,
    checked: &Result<Request<Authorized>, Refusal>,
    turn: &Turn<'_>,
    attempt: usize,
) -> Result<Outcome, Refusal> {
    let request = match checked {
        Ok(request) => request,
        Err(refusal) => return Ok(Outcome::refused(refusal.clone(), active.snapshot()?)),
    };
    let is_later = turn.has_waited() || attempt > 0;
    let snapshot = match is_later {
        false => request.stage.snapshot.clone(),
        true => active.snapshot()?,
    };
    // As any refusal, one from here on costs a use.
    let done = checked_again_and_run(active, request, turn, is_later, &snapshot).await;
    Ok(done.unwrap_or_else(|refusal| Outcome::refused(refusal, snapshot)))
}

async fn checked_again_and_run(
    active: &Arc<Active>,
    request: &Request<Authorized>,
    turn: &Turn<'_>,
    is_later: bool,
    snapshot: &Arc<dyn Snapshot>,
) -> Result<Outcome, Refusal> {
    let asker = match is_later {
        false => request.stage.needed().cloned(),
        true => request.stage.check_again(active, request.head.operation, snapshot)?,
    };
    let work = run(active, request, turn, snapshot.clone()).await?;
    let Work { reply, mut writes, sealed, after, withheld, held, seat, settle } = work;
    let answer = match withheld.map_or_else(|| finish(request, reply), Err) {
        Ok(reply) => Ok(wrapping::wrapped(active, request, reply, &mut writes)?),
        Err(refusal) => Err(refusal),
    };
    let changes = !writes.is_empty() || !sealed.is_empty();
    let asked_by = match asker.filter(|_| changes) {
        Some(asker) => {
            active.tokens.line(&active.tokens.view.at(snapshot.clone()), &asker.known, active.now())?
        }
        None => Vec::new(),
    };
    let snapshot = snapshot.clone();
    Ok(Outcome { answer, writes, sealed, asked_by, after, held, seat, settle, snapshot })
}

impl Outcome {
    /// Whether nothing is to be committed, and nothing to be waited for.
    pub fn is_only_an_answer(&self) -> bool {
        self.writes.is_empty() && self.sealed.is_empty() && self.after.is_empty() && self.settle.is_none()
    }

    /// A refusal: nothing is written but what it costs.
    pub fn refused(refusal: Refusal, snapshot: Arc<dyn Snapshot>) -> Self {
        Self {
            answer: Err(refusal),
            writes: Vec::new(),
            sealed: Batch::default(),
            asked_by: Vec::new(),
            after: Vec::new(),
            held: None,
            seat: None,
            settle: None,
            snapshot,
        }
    }
}

async fn run(
    active: &Arc<Active>,
    request: &Request<Authorized>,
    turn: &Turn<'_>,
    snapshot: Arc<dyn Snapshot>,
) -> Result<Work, Refusal> {
    let stage = &request.stage;
    match &stage.target {
        Target::System { endpoint, .. } => {
            let scene = Scene { active, request, snapshot, now: active.now() };
            match endpoint.run {
                Run::Waiting(handler) => handler(&scene).await,
                Run::Blocking(handler) => aside(|| handler(&scene)),
                Run::Free(handler)
                | Run::Alone(handler)
                | Run::AskedFirst(_, handler)
                | Run::Bearing(handler)
                | Run::Revoking(handler)
                | Run::Unwrapping(handler) => handler(&scene),
            }
        }
        Target::Engine { mount, endpoint, .. } => {
            let caller = stage.asker.as_ref().map(|asker| asker.caller.clone());
            let remote = request.head.remote.map(|(address, _)| address);
            let cx = Cx { remote, ..cx(active, mount, caller, snapshot.clone()) };
            // Who waits may have given out something by the time it is known to be one too many.
            let waits = matches!(endpoint.run, Handler::Async(_)) && !mount.engine.secrets.is_empty();
            let seat = if waits { active.seat(stage.path(), "")? } else { None };
            let outcome = match endpoint.run {
                Handler::Inline(handler) => handler(&cx, &stage.call),
                Handler::Blocking(handler) => tokio::task::block_in_place(|| handler(&cx, &stage.call)),
                Handler::Async(handler) => handler(&cx, &stage.call).await,
                Handler::Compute(handler) => active.compute.run(remote, || handler(&cx, &stage.call)).await,
                Handler::Login(handler) => {
                    let door = turn.door()?;
                    let login = door.opened(active, mount, cx.now, || handler(&cx, &stage.call))?;
                    return logins::admitted(active, request, mount, (door, login), &cx, &snapshot);
                }
                Handler::SlowLogin(handler) => {
                    let door = turn.door()?;
                    door.is_open(active, mount, cx.now)?;
                    let proof = || handler(&cx, &stage.call);
                    let login =
                        active.compute.run(remote, || door.opened(active, mount, cx.now, proof)).await?;
                    return logins::admitted(active, request, mount, (door, login), &cx, &snapshot);
                }
            };
            let mut outcome = outcome?;
            match outcome.lease.take() {
                None => Ok(of_mount(&mount.view, outcome)),
                Some(wish) => {
                    let work = of_mount(&mount.view, outcome);
                    leases::issued(active, request, mount, wish, Work { seat, ..work }).await
                }
            }
        }
        Target::Help { body, .. } => Ok(Work::reply(Reply::Json { status: 200, body: Value::clone(body) })),
        Target::Nowhere(_) => Err(Refusal::not_found()),
    }
}

/// An engine's outcome: its writes are all its own mount's.
pub fn of_mount(view: &View, outcome: strongroom_engine::Outcome) -> Work {
    let writes = outcome.writes.into_iter().map(|write| (view.clone(), write)).collect();
    Work { writes, ..Work::reply(outcome.reply) }
}

/// What an engine is lent.
pub fn cx(active: &Active, mount: &Mount, caller: Option<Arc<Caller>>, snapshot: Arc<dyn Snapshot>) -> Cx {
    let (now, eras) = active.clock.now_of_era();
    Cx {
        view: mount.view.at(snapshot),
        mount: mount.info.clone(),
        caller,
        remote: None,
        now,
        eras,
        entropy: active.entropy.clone(),
    }
}

/// Nothing found is 404; what was sent and not used is warned of.
fn finish(request: &Request<Authorized>, reply: Reply) -> Result<Reply, Refusal> {
    let operation = request.head.operation;
    let is_list = matches!(operation, Operation::List | Operation::Scan);
    let call = &request.stage.call;
    let is_cut = is_list && (call.after.is_some() || call.limit.is_some());
    let reply = if is_cut { page(call, reply) } else { reply };
    match reply {
        Reply::Logical(logical) if is_list && lists_nothing(&logical) => Err(Refusal::not_found()),
        Reply::Empty if is_list || operation == Operation::Read => Err(Refusal::not_found()),
        reply => Ok(match &request.stage.target {
            Target::Engine { route, .. } => route.warn_about(&request.stage.given, reply),
            Target::System { route, .. } => route.warn_about(&request.stage.given, reply),
            Target::Help { .. } | Target::Nowhere(_) => reply,
        }),
    }
}

/// What is asked for of a list: after `after`, at most `limit`. One that its handler has cut stays as it is; those that are
/// short, or have to be read whole, are cut only here.
fn page(call: &Call, mut reply: Reply) -> Reply {
    let limit = call.limit.unwrap_or(usize::MAX);
    let is_wanted = |key: &str| call.after.as_deref().is_none_or(|after| key > after);
    let Reply::Logical(logical) = &mut reply else { return reply };
    let Some(data) = logical.data.as_mut().and_then(|data| data.as_object_mut()) else { return reply };
    // Some lists bear their keys under two names.
    for keys in data.values_mut().filter_map(|value| value.as_array_mut()) {
        keys.retain(|key| key.as_str().is_none_or(is_wanted));
        keys.truncate(limit);
    }
    let kept = data.get("keys").and_then(|keys| keys.as_array()).into_iter().flatten();
    let kept: BTreeSet<String> = kept.filter_map(|key| key.as_str().map(str::to_owned)).collect();
    if let Some(about) = data.get_mut("key_info").and_then(|about| about.as_object_mut()) {
        about.retain(|name, _| kept.contains(name));
    }
    reply
}

fn lists_nothing(logical: &Logical) -> bool {
    let Some(data) = logical.data.as_ref().and_then(|data| data.as_object()) else { return true };
    let no_keys = data.get("keys").is_some_and(|keys| keys.as_array().is_some_and(Vec::is_empty));
    no_keys && data.len() == 1 && logical.warnings.is_empty()
}
