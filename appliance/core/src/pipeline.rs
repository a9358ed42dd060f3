//! The path of every request, on one screen.
//!
//! Each step takes what only the step before can make (see [`crate::stage`]), so that a step which is left out does
//! not compile. Nothing below commits: a handler returns an outcome, and [`commit`] makes it one atomic batch.

use std::sync::Arc;

use strongroom_types::{Received, Refusal, Reply, Request};

use crate::active::Active;
use crate::audit_trail::Trail;
use crate::commit::{Committed, commit};
use crate::stage::{Admitted, Authorized, admit, authenticate, authorize, charge, read, route};
use crate::{Core, always, perform};

/// How often a handler runs again because another request changed what it had read.
const MAX_CONFLICTS: usize = 64;

/// Answers one request.
pub async fn handle(core: &Arc<Core>, request: Request<Received>) -> Result<Reply, Refusal> {
    let (active, request) = match admit(core, request)? {
        Admitted::Always(request) => return always::answer(core, request).await,
        Admitted::Active(active, request) => (active, request),
    };
    let mut trail = Trail::begin(&active, &request);
    let checked = check(&active, request, &mut trail).await;
    let audited = trail.before(&checked)?;
    let answer = match checked {
        Ok(request) => effect(&active, request, &audited).await,
        Err(refusal) => Err(refusal),
    };
    trail.after(&audited, &answer)?;
    answer
}

/// Everything that can refuse a request before it has an effect.
async fn check(
    active: &Arc<Active>,
    request: Request<Received>,
    trail: &mut Trail,
) -> Result<Request<Authorized>, Refusal> {
    let request = trail.routed(route(active, request)?);
    let request = trail.authenticated(authenticate(active, request)?);
    let request = charge(active, request).await?;
    let request = trail.read(read(active, request).await?);
    authorize(active, request)
}

/// Performs and commits; again, if what the handler had read was changed meanwhile.
async fn effect(
    active: &Arc<Active>,
    request: Request<Authorized>,
    audited: &strongroom_audit::Audited,
) -> Result<Reply, Refusal> {
    let _one_at_a_time = perform::turn(active, &request).await;
    for _ in 0..MAX_CONFLICTS {
        let snapshot = active.snapshot()?;
        let outcome = perform::perform(active, &request, snapshot).await;
        match commit(active, &request, outcome, audited).await? {
            Committed::Done(answer) => return answer,
            Committed::Conflict => {}
        }
    }
    Err(crate::fault::store(strongroom_store::StoreError::Conflict))
}
