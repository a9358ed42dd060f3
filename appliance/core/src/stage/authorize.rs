//! May they.

use std::sync::Arc;

use strongroom_engine::Call;
use strongroom_policy::{Ask, Decision};
use strongroom_store::Snapshot;
use strongroom_types::error::Kind;
use strongroom_types::{JsonMap, Operation, Refusal, Request, Timestamp};

use super::proof::Proof;
use super::{Asker, CanonicalPath, Read, Target};
use crate::active::Active;
use crate::{perform, wrapping};

/// A request that may have its effect.
pub struct Authorized {
    /// Who answers; never [`Target::Nowhere`].
    pub target: Target,
    /// Who asks.
    pub asker: Option<Asker>,
    /// What the handler gets.
    pub call: Call,
    /// The fields as they came.
    pub given: Arc<JsonMap>,
    /// What is stored, as this request sees it.
    pub snapshot: Arc<dyn Snapshot>,
    /// What was asked of the access list, to ask it again.
    acl_path: CanonicalPath,
    wrap_ttl: Option<u64>,
    _proof: Proof,
}

/// Asks the access list.
pub fn authorize(active: &Active, request: Request<Read>) -> Result<Request<Authorized>, Refusal> {
    let Request { mut head, stage } = request;
    let Read { target, acl_path, asker, call, given, snapshot, .. } = stage;
    let wrap_ttl = head.wrap_ttl;
    let mut stage =
        Authorized { target, asker, call, given, snapshot, acl_path, wrap_ttl, _proof: Proof::checked() };
    if head.operation == Operation::Update && !stage.exists(active, &stage.snapshot)? {
        head.operation = Operation::Create;
        stage.call.operation = Operation::Create;
    }
    let most = stage.check(active, stage.asker.as_ref(), head.operation)?;
    if let Target::Nowhere(refusal) = stage.target {
        return Err(refusal);
    }
    if let (Some(most), Operation::List | Operation::Scan) = (most, head.operation) {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        stage.call.limit = Some(stage.call.limit.map_or(most, |limit| limit.min(most)));
    }
    Ok(Request { head, stage })
}

/// What stays to be asked of somebody whose answer goes on for long.
pub struct Standing {
    asker: Asker,
    operation: Operation,
    acl_path: CanonicalPath,
    given: Arc<JsonMap>,
    needs_sudo: bool,
}

impl Standing {
    /// Whether the token is still there, and its policies still allow what was asked. Doubt is no.
    pub fn holds(&self, active: &Active) -> bool {
        let asker = active.snapshot().and_then(|snapshot| self.asker.again(active, &snapshot));
        let ask = Ask {
            path: self.acl_path.asked(),
            operation: self.operation,
            parameters: Some(&self.given),
            wrap_ttl: None,
            needs_sudo: self.needs_sudo,
            now: active.now(),
        };
        asker.is_ok_and(|asker| matches!(asker.acl.check(&ask), Decision::Granted { .. }))
    }
}

/// In the words that clients look for.
pub(super) fn denied_by_policy() -> Refusal {
    Refusal::new(Kind::Denied, "1 error occurred:\n\t* permission denied\n\n")
}

impl Authorized {
    /// The canonical path of what is asked for.
    pub fn path(&self) -> &str {
        self.acl_path.bare()
    }

    /// Whether `sudo` is granted on what is asked for, where only some of it asks for that.
    pub fn has_sudo(&self, now: Timestamp) -> bool {
        self.asker.as_ref().is_some_and(|asker| asker.acl.has_sudo(self.acl_path.asked(), now))
    }

    /// What is asked again, time after time, of an answer that goes on. There is none without a token.
    pub fn standing(&self) -> Option<Standing> {
        Some(Standing {
            asker: self.asker.clone()?,
            operation: self.call.operation,
            acl_path: self.acl_path.clone(),
            given: self.given.clone(),
            needs_sudo: self.target.sudo(),
        })
    }

    /// Asks once more, of what `snapshot` shows: after a wait, or after something that the handler had read was changed.
    /// The token may have ended by now, its policies may say less, and what was an update may be a create, which not
    /// everybody may. Returns who asks, as [`Authorized::needed`] does.
    pub fn check_again(
        &self,
        active: &Active,
        operation: Operation,
        snapshot: &Arc<dyn Snapshot>,
    ) -> Result<Option<Asker>, Refusal> {
        let operation = match operation {
            Operation::Create | Operation::Update if self.exists(active, snapshot)? => Operation::Update,
            Operation::Create | Operation::Update => Operation::Create,
            other => other,
        };
        let needed = self.needed().map(|asker| asker.again(active, snapshot)).transpose()?;
        self.check(active, needed.as_ref().or(self.asker.as_ref()), operation)?;
        Ok(needed)
    }

    /// Who asks, if the request is theirs alone: with the end of their token it has no effect any more.
    pub fn needed(&self) -> Option<&Asker> {
        // A wrapping token ends by its use: who comes second with it is told so by its handler.
        let needs_token = !self.target.unauthenticated() && !wrapping::opens(&self.target);
        self.asker.as_ref().filter(|_| needs_token)
    }

    /// The most names that the answer to a list may have.
    fn check(
        &self,
        active: &Active,
        asker: Option<&Asker>,
        operation: Operation,
    ) -> Result<Option<u64>, Refusal> {
        if self.target.unauthenticated() {
            return Ok(None);
        }
        let asker = asker.ok_or_else(|| wrapping::nobody(&self.target, &self.call))?;
        let hidden = match &self.target {
            Target::Help { mount, .. } => !mount.is_empty() && !asker.acl.visible(mount, active.now()),
            Target::Nowhere(_) => operation == Operation::Help && !asker.acl.is_root(),
            _ => false,
        };
        if hidden {
            // The access list always grants help, which would tell what is mounted.
            return Err(denied_by_policy());
        }
        let decision = asker.acl.check(&Ask {
            path: self.acl_path.asked(),
            operation,
            parameters: Some(&self.given),
            wrap_ttl: self.wrap_ttl,
            needs_sudo: self.target.sudo(),
            now: active.now(),
        });
        match decision {
            Decision::Granted { pagination_limit, .. } => Ok(pagination_limit),
            Decision::Refused { .. } => Err(denied_by_policy()),
        }
    }

    /// Whether a write changes what is there; engines that cannot tell always update.
    fn exists(&self, active: &Active, snapshot: &Arc<dyn Snapshot>) -> Result<bool, Refusal> {
        let Target::Engine { mount, route, .. } = &self.target else { return Ok(true) };
        let Some(exists) = route.exists else { return Ok(true) };
        let caller = self.asker.as_ref().map(|asker| asker.caller.clone());
        exists(&perform::cx(active, mount, caller, snapshot.clone()), &self.call)
    }
}
