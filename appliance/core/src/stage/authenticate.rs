//! Who asks.

use std::sync::Arc;

use strongroom_engine::Caller;
use strongroom_policy::Acl;
use strongroom_store::Snapshot;
use strongroom_types::{Refusal, Request};

use super::Routed;
use super::proof::Proof;
use crate::active::Active;
use crate::tokens::Known;
use crate::wrapping;

/// A request whose asker is known.
pub struct Authenticated {
    /// Where it goes.
    pub routed: Routed,
    /// Who asks; `None` only on a route that needs no token.
    pub asker: Option<Asker>,
    /// What is stored, as this request sees it.
    pub snapshot: Arc<dyn Snapshot>,
    _proof: Proof,
}

/// A token in use.
#[derive(Clone)]
pub struct Asker {
    /// The token's record.
    pub known: Arc<Known>,
    /// What its policies allow.
    pub acl: Arc<Acl>,
    /// What engines may know.
    pub caller: Arc<Caller>,
}

/// Finds the token and its policies. Where none is needed, a wrong one is as good as none.
pub fn authenticate(active: &Active, request: Request<Routed>) -> Result<Request<Authenticated>, Refusal> {
    let snapshot = active.snapshot()?;
    let target = &request.stage.target;
    // An unknown token may be a wrapping token that is used up: said by `wrapping::nobody`, which refuses it.
    let unauthenticated = target.unauthenticated() || wrapping::opens(target);
    let asker = match request.head.token.as_ref().filter(|_| !wrapping::looks_up(target)) {
        None if wrapping::opens(target) => return Err(Refusal::denied()),
        None if unauthenticated => None,
        None => return Err(Refusal::denied()),
        Some(token) => {
            let begun = active.clock.reading();
            let known = active.tokens.find(&active.tokens.view.at(snapshot.clone()), token, active.now());
            active.measure(&active.metrics.token_lookup, begun);
            let known = known?;
            let remote = request.head.remote.map(|(address, _)| address);
            match known.filter(|known| known.record.may_come_from(remote)) {
                Some(known) => Some(Asker::new(active, known)),
                None if unauthenticated => None,
                None => return Err(Refusal::denied()),
            }
        }
    };
    Ok(request.advance(|routed| Authenticated { routed, asker, snapshot, _proof: Proof::checked() }))
}

impl Asker {
    fn new(active: &Active, known: Arc<Known>) -> Self {
        let acl = active.policies.acl(&known.record.policies);
        let caller = Caller {
            cubbyhole: (!known.record.batch).then(|| known.key.clone()),
            display_name: known.record.display_name.clone(),
            entity_id: known.record.entity().to_owned(),
        };
        Self { known, acl, caller: Arc::new(caller) }
    }

    /// The same asker as `snapshot` knows it. Refused if the token has ended meanwhile.
    pub fn again(&self, active: &Active, snapshot: &Arc<dyn Snapshot>) -> Result<Self, Refusal> {
        let reader = active.tokens.view.at(snapshot.clone());
        let known = active.tokens.find_again(&reader, &self.known, active.now())?;
        known.map(|known| Self::new(active, known)).ok_or_else(Refusal::denied)
    }
}
