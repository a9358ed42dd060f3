//! Who asks.

use std::sync::Arc;

use strongroom_engine::Caller;
use strongroom_policy::Acl;
use strongroom_types::{Refusal, Request};

use super::Routed;
use super::proof::Proof;
use crate::active::Active;
use crate::tokens::Known;

/// A request whose asker is known.
pub struct Authenticated {
    /// Where it goes.
    pub routed: Routed,
    /// Who asks; `None` only on a route that needs no token.
    pub asker: Option<Asker>,
    _proof: Proof,
}

/// A token in use.
pub struct Asker {
    /// The token's record.
    pub known: Known,
    /// What its policies allow.
    pub acl: Arc<Acl>,
    /// What engines may know.
    pub caller: Arc<Caller>,
}

/// Finds the token and its policies. A wrong token is refused even where none is needed.
pub fn authenticate(active: &Active, request: Request<Routed>) -> Result<Request<Authenticated>, Refusal> {
    let asker = match &request.head.token {
        None if request.stage.target.unauthenticated() => None,
        None => return Err(Refusal::denied()),
        Some(token) => {
            let reader = active.tokens.view.at(active.snapshot()?);
            let known = active.tokens.find(&reader, token, active.now())?;
            match known {
                Some(known) => Some(Asker::new(active, known)),
                None if request.stage.target.unauthenticated() => None,
                None => return Err(Refusal::denied()),
            }
        }
    };
    Ok(request.advance(|routed| Authenticated { routed, asker, _proof: Proof::checked() }))
}

impl Asker {
    fn new(active: &Active, known: Known) -> Self {
        let acl = active.policies.acl(&known.record.policies);
        let caller = Caller {
            cubbyhole: Some(known.key.clone()),
            display_name: known.record.display_name.clone(),
            entity_id: String::new(),
        };
        Self { known, acl, caller: Arc::new(caller) }
    }
}
