//! What the request costs its asker: a use of a limited token.

use std::sync::Arc;

use strongroom_barrier::{View, Write};
use strongroom_store::Snapshot;
use strongroom_types::{Refusal, Request};
use tokio::sync::OwnedMutexGuard;

use super::proof::Proof;
use super::{Asker, Authenticated, Routed};
use crate::active::Active;
use crate::wrapping;

/// A request that will be paid for.
pub struct Charged {
    /// Where it goes.
    pub routed: Routed,
    /// Who asks.
    pub asker: Option<Asker>,
    /// What is stored, as this request sees it.
    pub snapshot: Arc<dyn Snapshot>,
    _proof: Proof,
}

/// What is to be paid with the commit, whether the request is granted or refused from here on.
#[derive(Default)]
pub struct Bill {
    payer: Option<Payer>,
}

struct Payer {
    /// The token's.
    key: String,
    /// Held until the commit, so that a thousand requests with one token do not make each other run again.
    _turn: OwnedMutexGuard<()>,
}

/// Waits for the turn of a token with limited uses, and looks again how many are left.
pub async fn charge(
    active: &Active,
    request: Request<Authenticated>,
    bill: &mut Bill,
) -> Result<Request<Charged>, Refusal> {
    let Request { head, stage: Authenticated { routed, mut asker, mut snapshot, .. } } = request;
    if let Some(asker) = asker.as_mut().filter(|asker| asker.known.record.num_uses > 0) {
        let key = asker.known.key.clone();
        let turn = active.use_locks.lock(&key).await;
        snapshot = active.snapshot()?;
        let reader = active.tokens.view.at(snapshot.clone());
        let again = active.tokens.find_by_key(&reader, key.clone(), active.now())?;
        asker.known = again.ok_or_else(|| wrapping::ended(&routed.target, &asker.known))?;
        bill.payer = Some(Payer { key, _turn: turn });
    }
    Ok(Request { head, stage: Charged { routed, asker, snapshot, _proof: Proof::checked() } })
}

impl Bill {
    /// Adds the payment to `writes`. Refused if the token has been revoked since.
    pub fn pay(
        &self,
        active: &Active,
        snapshot: &Arc<dyn Snapshot>,
        writes: &mut Vec<(View, Write)>,
    ) -> Result<(), Refusal> {
        match &self.payer {
            None => Ok(()),
            Some(payer) => active.tokens.spend(active, snapshot, &payer.key, writes),
        }
    }
}
