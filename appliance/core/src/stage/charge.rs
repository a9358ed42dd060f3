//! What the request costs its asker: a use of a limited token.

use strongroom_types::{Refusal, Request};
use tokio::sync::OwnedMutexGuard;

use super::proof::Proof;
use super::{Asker, Authenticated, Routed};
use crate::active::Active;

/// A request that is paid for.
pub struct Charged {
    /// Where it goes.
    pub routed: Routed,
    /// Who asks.
    pub asker: Option<Asker>,
    /// Held until the commit, so that a thousand requests with one token do not make each other run again.
    pub turn: Option<OwnedMutexGuard<()>>,
    _proof: Proof,
}

/// Waits for the turn of a token with limited uses, and looks again how many are left.
pub async fn charge(active: &Active, request: Request<Authenticated>) -> Result<Request<Charged>, Refusal> {
    let Request { head, stage: Authenticated { routed, mut asker, .. } } = request;
    let mut turn = None;
    if let Some(asker) = asker.as_mut().filter(|asker| asker.known.record.num_uses > 0) {
        turn = Some(active.use_locks.lock(&asker.known.key).await);
        let reader = active.tokens.view.at(active.snapshot()?);
        let again = active.tokens.find_by_key(&reader, asker.known.key.clone(), active.now())?;
        asker.known = again.ok_or_else(Refusal::denied)?;
    }
    Ok(Request { head, stage: Charged { routed, asker, turn, _proof: Proof::checked() } })
}
