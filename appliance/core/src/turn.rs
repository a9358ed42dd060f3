//! What a request waits for before it is performed, and holds until its commit: nothing is under way then that it must not
//! meet. Which of these locks may be waited for by whom is said in [`crate::order`].

use std::sync::Arc;

use strongroom_engine::Handler;
use strongroom_types::{Refusal, Request};
use tokio::sync::{MutexGuard, OwnedMutexGuard, RwLockReadGuard, RwLockWriteGuard};

use crate::active::Active;
use crate::logins::{self, Door};
use crate::order::{Rank, Ranked, ranked};
use crate::perform::{Run, Scene};
use crate::stage::{Authorized, Target};
use crate::wrapping;

/// Held from before the handler looks until after the commit.
#[allow(dead_code)] // most are held, never looked at
pub enum Turn<'a> {
    /// Nothing has to wait.
    Free,
    /// See [`Run::Alone`].
    Alone(Ranked<MutexGuard<'a, ()>>),
    /// See [`Run::Bearing`].
    Bearing(Ranked<RwLockReadGuard<'a, ()>>),
    /// See [`Run::Revoking`].
    Revoking(Ranked<RwLockWriteGuard<'a, ()>>),
    /// See [`Run::Unwrapping`]; `None` where the asker's own turn is enough.
    Unwrapping(Option<Ranked<OwnedMutexGuard<()>>>),
    /// A login, and what is used up by it.
    Login(Door),
}

impl Turn<'_> {
    /// Whether something may have changed since the checks.
    pub fn has_waited(&self) -> bool {
        match self {
            Self::Free => false,
            Self::Login(door) => door.has_waited(),
            _ => true,
        }
    }

    /// Where somebody has knocked who wants to log in.
    pub fn door(&self) -> Result<&Door, Refusal> {
        match self {
            Self::Login(door) => Ok(door),
            _ => Err(Refusal::fault("a login without a door")),
        }
    }
}

/// Refuses whom [`Run::AskedFirst`] refuses: they do not even wait.
pub fn ask_first(active: &Arc<Active>, request: &Request<Authorized>) -> Result<(), Refusal> {
    let Target::System { endpoint, .. } = &request.stage.target else { return Ok(()) };
    let Run::AskedFirst(may, _) = endpoint.run else { return Ok(()) };
    may(&Scene { active, request, snapshot: request.stage.snapshot.clone(), now: active.now() })
}

/// Waits until nothing is under way that this request must not meet.
pub async fn turn<'a>(active: &'a Active, checked: &Result<Request<Authorized>, Refusal>) -> Turn<'a> {
    let Ok(request) = checked else { return Turn::Free };
    let endpoint = match &request.stage.target {
        Target::System { endpoint, .. } => endpoint,
        Target::Engine { mount, endpoint, .. } => {
            return match endpoint.run {
                Handler::Login(_) | Handler::SlowLogin(_) => {
                    Turn::Login(logins::knock(active, request, mount).await)
                }
                _ => Turn::Free,
            };
        }
        _ => return Turn::Free,
    };
    let family = &active.tokens.family;
    match endpoint.run {
        Run::Free(_) | Run::Blocking(_) | Run::Waiting(_) => Turn::Free,
        Run::Alone(_) | Run::AskedFirst(..) => {
            Turn::Alone(ranked(Rank::Changes, active.changes.lock()).await)
        }
        Run::Bearing(_) => Turn::Bearing(ranked(Rank::Family, family.read()).await),
        Run::Revoking(_) => Turn::Revoking(ranked(Rank::Family, family.write()).await),
        Run::Unwrapping(_) => Turn::Unwrapping(wrapping::turn(active, request).await),
    }
}

/// Waits for the others of this path that run again. Of a hundred who change one record together, one succeeds with each commit:
/// if the others all ran again at once, some would never be that one.
pub async fn line_up(
    active: &Active,
    checked: &Result<Request<Authorized>, Refusal>,
) -> Option<Ranked<OwnedMutexGuard<()>>> {
    let path = checked.as_ref().ok()?.stage.path();
    Some(active.crowds.lock(Rank::Crowd, path).await)
}
