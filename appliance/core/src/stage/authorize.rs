//! May they.

use std::borrow::Cow;

use strongroom_engine::{Call, Cx};
use strongroom_policy::{Ask, Decision};
use strongroom_types::error::Kind;
use strongroom_types::{Operation, Refusal, Request};
use tokio::sync::OwnedMutexGuard;

use super::proof::Proof;
use super::{Asker, Read, Target};
use crate::active::Active;
use crate::perform;

/// A request that may have its effect.
pub struct Authorized {
    /// Who answers; never [`Target::Nowhere`].
    pub target: Target,
    /// Who asks.
    pub asker: Option<Asker>,
    /// What the handler gets.
    pub call: Call,
    _turn: Option<OwnedMutexGuard<()>>,
    _proof: Proof,
}

/// Asks the access list.
pub fn authorize(active: &Active, mut request: Request<Read>) -> Result<Request<Authorized>, Refusal> {
    if request.head.operation == Operation::Update && !exists(active, &request)? {
        request.head.operation = Operation::Create;
        request.stage.call.operation = Operation::Create;
    }
    let Request { head, stage } = request;
    if !stage.target.unauthenticated() {
        let asker = stage.asker.as_ref().ok_or_else(Refusal::denied)?;
        let decision = asker.acl.check(&Ask {
            path: &stage.acl_path,
            operation: head.operation,
            parameters: Some(&stage.given),
            wrap_ttl: head.wrap_ttl,
            needs_sudo: stage.target.sudo(),
            now: active.now(),
        });
        if let Decision::Refused { .. } = decision {
            return Err(Refusal::new(Kind::Denied, DENIED_BY_POLICY));
        }
    }
    if let Target::Nowhere(refusal) = stage.target {
        return Err(refusal);
    }
    if head.wrap_ttl.is_some() {
        return Err(Refusal::bad_request("response wrapping is not available"));
    }
    let Read { target, asker, call, turn, .. } = stage;
    Ok(Request { head, stage: Authorized { target, asker, call, _turn: turn, _proof: Proof::checked() } })
}

const DENIED_BY_POLICY: Cow<'static, str> = Cow::Borrowed("1 error occurred:\n\t* permission denied\n\n");

/// Whether a write changes what is there; engines that cannot tell always update.
fn exists(active: &Active, request: &Request<Read>) -> Result<bool, Refusal> {
    let stage = &request.stage;
    let Target::Engine { mount, route, .. } = &stage.target else { return Ok(true) };
    let Some(exists) = route.exists else { return Ok(true) };
    let caller = stage.asker.as_ref().map(|asker| asker.caller.clone());
    let cx: Cx = perform::cx(active, mount, caller, active.snapshot()?);
    exists(&cx, &stage.call)
}
