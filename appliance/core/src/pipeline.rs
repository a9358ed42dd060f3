//! The path of every request, on one screen.
//!
//! Each step takes what only the step before can make (see [`crate::stage`]), so that a step which is left out does
//! not compile. Nothing below commits: a handler returns an outcome, and [`commit`] makes it one atomic batch.
//!
//! A client that goes away drops this future at any point where it waits. Until the audit log has accepted the
//! request that is harmless: nothing has happened. From there on the rest is brought to its end by [`Finish`], because
//! between the commit, what in memory follows from it, and the second line of the log nothing may be left
//! out.

use std::sync::Arc;

use strongroom_engine::Handler;
use strongroom_types::id::MountId;
use strongroom_types::{Operation, Received, Refusal, Reply, Request};

use crate::active::{Active, SYSTEM, TOKENS};
use crate::audit_trail::Trail;
use crate::commit::{Committed, commit};
use crate::leases::settled;
use crate::order::watched;
use crate::perform::{Outcome, Run, perform};
use crate::stage::{
    Admitted, Authorized, Bill, Target, admit, authenticate, authorize, charge, charge_login, misspelt, read,
    route,
};
use crate::turn::{Turn, ask_first, line_up, turn};
use crate::{Core, Finish, always, fault, wrapping};

/// How often a handler runs again because another request changed what it had read. From the second time on those of the same
/// path run one after the other: only who comes anew can get in the way.
const MAX_CONFLICTS: usize = 64;

/// Answers one request.
pub async fn handle(core: &Arc<Core>, request: Request<Received>) -> Result<Reply, Refusal> {
    watched(answer(core, request)).await
}

async fn answer(core: &Arc<Core>, request: Request<Received>) -> Result<Reply, Refusal> {
    let (active, request) = match admit(core, request)? {
        Admitted::Always(request) => return always::answer(core, request).await,
        Admitted::Active(active, request) => (active, request),
    };
    let begun = active.clock.reading();
    let mut trail = Trail::begin(&active, &request);
    let mut bill = Bill::default();
    let mut checked = check(&active, request, &mut trail, &mut bill).await;
    let asked = active.audit.now();
    let routed = checked.as_ref().ok().and_then(routed);
    let begun_route = active.clock.reading();
    let headers = bill.take_headers();
    let is_login = bill.is_login;
    let measured = active.clone();
    let finished = async move {
        let first = match only_asks(&checked) {
            true => perform(&active, &checked, &Turn::Free, 0).await.ok(),
            false => None,
        };
        let first = match first {
            Some(outcome) if outcome.is_only_an_answer() && bill.is_empty() => {
                trail.both(asked, &checked, &outcome.answer)?;
                return outcome.answer;
            }
            first => first,
        };
        let audited = trail.before(&mut checked)?;
        // What the log has turned into a refusal is not done, even if it has been tried.
        let first = first.filter(|_| checked.is_ok());
        let answer = effect(&active, checked, first, &bill, &audited).await;
        trail.after(&audited, &answer)?;
        answer
    };
    let answer = Finish::new(watched(finished)).await;
    let metrics = &measured.metrics;
    if let Some((mount, operation)) = routed {
        measured.measure_route(mount, operation, begun_route);
    }
    measured.measure(if is_login { &metrics.handle_login } else { &metrics.handle_request }, begun);
    match answer {
        Ok(reply) => Ok(reply.with_headers(headers)),
        Err(refusal) => Err(refusal.with_headers(headers)),
    }
}

/// Who answers, and what is asked: for the metrics.
fn routed(request: &Request<Authorized>) -> Option<(MountId, Operation)> {
    let mount = match &request.stage.target {
        Target::Engine { mount, .. } => mount.record.id,
        Target::System { .. } if request.head.path.as_str().starts_with("auth/token") => TOKENS,
        Target::System { .. } => SYSTEM,
        Target::Help { .. } | Target::Nowhere(_) => return None,
    };
    Some((mount, request.head.operation))
}

/// Whether a request is performed before its first line is written: it is refused, or its handler is a function of what
/// is stored that is usually asked for an answer and nothing else. Of that no trace is left unless it is committed, and
/// for that the line comes first, as with all others.
fn only_asks(checked: &Result<Request<Authorized>, Refusal>) -> bool {
    let Ok(request) = checked else { return true };
    let reads = matches!(
        request.head.operation,
        Operation::Read | Operation::Head | Operation::List | Operation::Scan | Operation::Help
    );
    reads
        && match &request.stage.target {
            Target::Engine { endpoint, .. } => {
                matches!(endpoint.run, Handler::Inline(_) | Handler::Blocking(_))
            }
            Target::System { endpoint, .. } => matches!(endpoint.run, Run::Free(_) | Run::Blocking(_)),
            Target::Help { .. } | Target::Nowhere(_) => true,
        }
}

/// Everything that can refuse a request before it has an effect.
async fn check(
    active: &Arc<Active>,
    request: Request<Received>,
    trail: &mut Trail,
    bill: &mut Bill,
) -> Result<Request<Authorized>, Refusal> {
    let misspelt = misspelt(&request.head);
    let request = trail.routed(route(active, request)?);
    let begun = active.clock.reading();
    let request = authenticate(active, request).map_err(|refusal| misspelt.clone().unwrap_or(refusal))?;
    let request = trail.authenticated(request);
    active.measure(&active.metrics.fetch_acl, begun);
    let request = charge(active, request, bill).await?;
    if let Some(refusal) = misspelt {
        return Err(refusal);
    }
    let request = read(active, request).await;
    let request = trail.read(charge_login(active, request, bill)?);
    let begun = active.clock.reading();
    let request = trail.authorized(authorize(active, request)?);
    active.measure(&active.metrics.check_token, begun);
    wrapping::can_wrap(&request)?;
    ask_first(active, &request)?;
    Ok(request)
}

/// Performs, unless that has been done, and commits; again, if what the handler had read was changed meanwhile. A refusal
/// costs a use of the token, too.
async fn effect(
    active: &Arc<Active>,
    checked: Result<Request<Authorized>, Refusal>,
    mut first: Option<Outcome>,
    bill: &Bill,
    audited: &strongroom_audit::Audited,
) -> Result<Reply, Refusal> {
    let turn = turn(active, &checked).await;
    let mut in_line = None;
    for attempt in 0..MAX_CONFLICTS {
        let mut outcome = match first.take() {
            Some(outcome) => outcome,
            None => perform(active, &checked, &turn, attempt).await?,
        };
        let settle = outcome.settle.take();
        match (commit(active, outcome, bill, audited).await?, settle) {
            (Committed::Done(Ok(answer)), Some(wait)) => {
                drop((turn, in_line));
                return settled(active, wait).await.map(|()| answer);
            }
            (Committed::Done(answer), _) => return answer,
            (Committed::Conflict, _) if in_line.is_none() => in_line = line_up(active, &checked).await,
            (Committed::Conflict, _) => {}
        }
    }
    let crowded = fault::store(strongroom_store::StoreError::Conflict);
    match commit(active, Outcome::refused(crowded.clone(), active.snapshot()?), bill, audited).await? {
        Committed::Done(answer) => answer,
        Committed::Conflict => Err(crowded),
    }
}
