//! What has changed is stored a moment later: at most once a second, whatever is guessed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use strongroom_barrier::Write;
use strongroom_store::Batch;
use strongroom_types::Refusal;

use super::{CountRecord, Key, Lockouts, name_of, rules};
use crate::active::Active;
use crate::fault::{self, barrier, damaged};
use crate::order::{Rank, ranked};
use crate::{Finish, log};

/// Between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at what has run out.
const TIDY: Duration = Duration::from_secs(60);
/// Counts stored by one batch.
const SLICE: usize = 1000;

/// Stores what changes, for ever.
pub async fn run(active: &Arc<Active>) {
    loop {
        tokio::select! {
            () = active.lockouts.wake.notified() => {}
            () = tokio::time::sleep(TIDY) => tidy(active),
        }
        tokio::time::sleep(PAUSE).await;
        if let Err(cause) = flush(active).await {
            let why = cause.cause.as_deref().unwrap_or(&cause.message);
            log::warn(format_args!("failed logins are counted, but cannot be stored now: {why}"));
        }
    }
}

/// Forgets what has run out.
fn tidy(active: &Active) {
    let mounts = active.mounts.load_full();
    let rules_of = |id| mounts.by_id(id).and_then(|mount| rules(&active.settings, mount));
    active.lockouts.tidy(&rules_of, active.now());
}

/// Stores all that has changed. Whoever unlocks an alias waits meanwhile, so that its count does not come back.
pub async fn flush(active: &Arc<Active>) -> Result<(), Refusal> {
    while !active.lockouts.changed.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        // To its end: what is no longer marked as changed must come to be stored.
        let own = active.clone();
        Finish::new(async move {
            let _alone = ranked(Rank::Changes, own.changes.lock()).await;
            let keys = own.lockouts.take_changed();
            let stored = store(&own, &keys).await;
            if stored.is_err() {
                own.lockouts.changed.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
            }
            stored
        })
        .await?;
    }
    Ok(())
}

async fn store(active: &Active, keys: &[Key]) -> Result<(), Refusal> {
    let _under_way = active.effects.enter(&active.barrier)?;
    let lockouts = &active.lockouts;
    let mut batch = Batch::default();
    for key in keys {
        let count = lockouts.part(key).get(key).filter(|count| count.is_known).map(|count| CountRecord {
            v: 1,
            failures: count.failures,
            last: count.last,
        });
        let write = match count {
            Some(record) => Write::put(name_of(key)?, serde_json::to_vec(&record).map_err(damaged)?),
            None => Write::delete(name_of(key)?),
        };
        lockouts.view.seal(&write, &mut batch).map_err(barrier)?;
    }
    active.store.commit(batch).await.map(drop).map_err(fault::store)
}

impl Lockouts {
    /// A slice of what is to be stored, no longer marked.
    fn take_changed(&self) -> Vec<Key> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let slice: Vec<Key> = changed.iter().take(SLICE).cloned().collect();
        for key in &slice {
            changed.remove(key);
        }
        slice
    }
}
