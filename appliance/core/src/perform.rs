//! Runs the handler that a request was routed to.

use std::sync::Arc;

use strongroom_barrier::{View, Write};
use strongroom_engine::{Caller, Cx, Handler, Outcome};
use strongroom_store::Snapshot;
use strongroom_types::{Refusal, Reply, Request, Timestamp};
use tokio::sync::MutexGuard;

use crate::active::Active;
use crate::mounts::Mount;
use crate::stage::{Authorized, Target};

/// How an endpoint of core's own tables runs.
#[derive(Clone, Copy)]
pub enum Run {
    /// Changes nothing that others depend on.
    Free(SystemHandler),
    /// Changes the system's own tables: one at a time.
    Alone(SystemHandler),
}

/// A handler of core's own: a function from what is to what is to be done.
pub type SystemHandler = fn(&Scene<'_>) -> Result<Work, Refusal>;

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
    /// What in memory follows from them.
    pub after: Vec<After>,
}

/// What in memory has to follow a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The mount table has changed.
    Mounts,
    /// A policy has changed.
    Policies,
    /// Everything is to be sealed.
    Seal,
}

impl Work {
    /// An answer that changes nothing.
    pub fn reply(reply: Reply) -> Self {
        Self { reply, writes: Vec::new(), after: Vec::new() }
    }
}

/// Waits until no other change of the system's own tables is under way, if this request is one.
pub async fn turn<'a>(active: &'a Active, request: &Request<Authorized>) -> Option<MutexGuard<'a, ()>> {
    match &request.stage.target {
        Target::System { endpoint, .. } if matches!(endpoint.run, Run::Alone(_)) => {
            Some(active.changes.lock().await)
        }
        _ => None,
    }
}

/// Runs the handler on `snapshot`.
pub async fn perform(
    active: &Arc<Active>,
    request: &Request<Authorized>,
    snapshot: Arc<dyn Snapshot>,
) -> Result<Work, Refusal> {
    let stage = &request.stage;
    match &stage.target {
        Target::System { endpoint, .. } => {
            let (Run::Free(handler) | Run::Alone(handler)) = endpoint.run;
            handler(&Scene { active, request, snapshot, now: active.now() })
        }
        Target::Engine { mount, endpoint, .. } => {
            let caller = stage.asker.as_ref().map(|asker| asker.caller.clone());
            let cx = cx(active, mount, caller, snapshot);
            let outcome = match endpoint.run {
                Handler::Inline(handler) => handler(&cx, &stage.call),
                Handler::Blocking(handler) => tokio::task::block_in_place(|| handler(&cx, &stage.call)),
                Handler::Async(handler) => handler(&cx, &stage.call).await,
            };
            outcome.map(|outcome| of_mount(&mount.view, outcome))
        }
        Target::Nowhere(_) => Err(Refusal::not_found()),
    }
}

/// An engine's outcome: its writes are all its own mount's.
pub fn of_mount(view: &View, outcome: Outcome) -> Work {
    let writes = outcome.writes.into_iter().map(|write| (view.clone(), write)).collect();
    Work { reply: outcome.reply, writes, after: Vec::new() }
}

/// What an engine is lent.
pub fn cx(active: &Active, mount: &Mount, caller: Option<Arc<Caller>>, snapshot: Arc<dyn Snapshot>) -> Cx {
    Cx {
        view: mount.view.at(snapshot),
        mount: mount.info.clone(),
        caller,
        now: active.now(),
        entropy: active.entropy.clone(),
    }
}
