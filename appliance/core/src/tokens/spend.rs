//! Uses of tokens that have only so many.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use strongroom_barrier::{View, Write};
use strongroom_store::Snapshot;
use strongroom_types::Refusal;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Known, TokenRecord, Tokens, record_name};
use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::leases;
use crate::order::{Rank, Ranked, ranked};
use crate::perform::After;

/// A lock for each token with limited uses that is being used.
#[derive(Default)]
pub struct UseLocks {
    locks: StdMutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// Locks that nobody holds are thrown away when there are so many.
const TIDY_AT: usize = 1024;

impl UseLocks {
    /// Waits for the turn of the token with this key, or of whatever else is used up by it.
    pub async fn lock(&self, rank: Rank, key: &str) -> Ranked<OwnedMutexGuard<()>> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            if locks.len() >= TIDY_AT {
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            locks.entry(key.to_owned()).or_default().clone()
        };
        ranked(rank, lock.lock_owned()).await
    }
}

impl Tokens {
    /// Adds one use of the token with this key to `writes`; the last one revokes it, and what is leased to it ends. Refused if
    /// it is gone.
    pub fn spend(
        &self,
        active: &Active,
        snapshot: &Arc<dyn Snapshot>,
        key: &str,
        writes: &mut Vec<(View, Write)>,
    ) -> Result<Option<After>, Refusal> {
        let at = record_name(key)?;
        let own = |write: &Write| write.due.is_none() && write.name == at;
        if writes.iter().any(|(_, write)| own(write) && write.value.is_none()) {
            // The request revokes its own token.
            return Ok(None);
        }
        let reader = self.view.at(snapshot.clone());
        let entry = reader.get(&at).map_err(barrier)?.ok_or_else(Refusal::denied)?;
        let record: TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
        if record.num_uses == 1 {
            // Neither a renewal nor something for the cubbyhole outlives it.
            writes.retain(|(_, write)| {
                !own(write) && write.name.segments().first().is_none_or(|first| first != key)
            });
            let known = Known { key: key.to_owned(), record, entry: Some(entry) };
            let leases = active.leases.view.at(snapshot.clone());
            let leases = leases::end_with_token(active, &leases, key, writes)?;
            writes.extend(active.revoke(snapshot, &known)?.writes);
            writes.extend(leases.map(|write| (active.leases.view.clone(), write)));
            return Ok(Some(After::Leases));
        }
        // A renewal in the same request has written the record already.
        let renewed =
            writes.iter().position(|(_, write)| own(write)).map(|position| writes.swap_remove(position).1);
        let mut record = match renewed.and_then(|write| write.value) {
            Some(body) => serde_json::from_slice(body.expose()).map_err(damaged)?,
            None => record,
        };
        record.num_uses = record.num_uses.saturating_sub(1);
        let body = serde_json::to_vec(&record).map_err(damaged)?;
        writes.push((self.view.clone(), Write::put(at, body).if_unchanged(Some(&entry)).frees()));
        Ok(None)
    }
}
