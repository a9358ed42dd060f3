//! Uses of tokens that have only so many.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use strongroom_barrier::{View, Write};
use strongroom_types::Refusal;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{Known, Tokens, name};
use crate::active::Active;
use crate::fault::damaged;

/// One lock per few tokens with limited uses.
pub struct UseLocks {
    locks: Vec<Arc<Mutex<()>>>,
}

impl Default for UseLocks {
    fn default() -> Self {
        Self { locks: (0..64).map(|_| Arc::default()).collect() }
    }
}

impl UseLocks {
    /// Waits for the turn of the token with this key.
    pub async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let count = self.locks.len().max(1) as u64;
        let at = usize::try_from(hasher.finish() % count).unwrap_or(0);
        match self.locks.get(at) {
            Some(lock) => lock.clone().lock_owned().await,
            None => Arc::new(Mutex::new(())).lock_owned().await,
        }
    }
}

impl Tokens {
    /// Adds the use of `known` to `writes`, if its uses are counted; the last one revokes it and its children.
    ///
    /// Nothing is added when `writes` removes the token anyway.
    pub fn spend(&self, active: &Active, known: &Known, writes: &mut Vec<(View, Write)>) -> Result<(), Refusal> {
        if known.record.num_uses == 0 {
            return Ok(());
        }
        let at = name(&["id", &known.key])?;
        if writes.iter().any(|(_, write)| write.name == at && write.value.is_none()) {
            return Ok(());
        }
        if known.record.num_uses == 1 {
            writes.extend(active.revoke(&self.view.at(active.snapshot()?), known)?);
            return Ok(());
        }
        let mut record = known.record.clone();
        record.num_uses -= 1;
        let body = serde_json::to_vec(&record).map_err(damaged)?;
        // Last, so that it wins over a renewal in the same request; the use lock keeps others away.
        writes.retain(|(_, write)| write.name != at);
        writes.push((self.view.clone(), Write::put(at, body)));
        Ok(())
    }
}
