//! How much memory the bodies of all requests under way may take together.
//!
//! Small ones do not ask: [`Limits::requests`](crate::Limits::requests) limits those. A large one waits until there is room
//! for all of it, so that no two wait for each other with a half each.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use strongroom_types::request::BodyError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bytes that every body may have without asking.
pub(crate) const FREE: usize = 64 * 1024;

/// Bytes of one permit: a semaphore counts no more than 4 billion of them at once.
const UNIT: usize = 1024;

/// A budget of `bytes`.
pub(crate) fn of(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(units(bytes) as usize))
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// What one body takes of the budget: given back when the last copy is dropped.
#[derive(Clone)]
pub(crate) struct Claim {
    budget: Arc<Semaphore>,
    taken: Arc<OnceLock<OwnedSemaphorePermit>>,
}

impl Claim {
    /// Nothing taken yet.
    pub(crate) fn on(budget: &Arc<Semaphore>) -> Self {
        Self { budget: budget.clone(), taken: Arc::default() }
    }

    /// Takes room for `bytes`, once; waits for it, but not for longer than `patience`.
    pub(crate) async fn take(&self, bytes: usize, patience: Duration) -> Result<(), BodyError> {
        if bytes <= FREE {
            return Ok(());
        }
        let permit = timeout(patience, self.budget.clone().acquire_many_owned(units(bytes))).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(BodyError::Crowded)?;
        // There is one reader, which asks once; were there another claim, it would be the one that is kept.
        let _ = self.taken.set(permit);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 10 * FREE;
    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn small_bodies_take_nothing_and_large_ones_wait_for_room_but_not_for_ever() {
        let budget = of(2 * LARGE);
        let take = async |bytes| {
            let claim = Claim::on(&budget);
            claim.take(bytes, PATIENCE).await.map(|()| claim)
        };
        let (first, second) = (take(LARGE).await.unwrap(), take(LARGE).await.unwrap());
        assert_eq!(budget.available_permits(), 0);
        assert!(take(FREE).await.is_ok(), "a small one is not concerned");
        assert_eq!(take(FREE + 1).await.err(), Some(BodyError::Crowded));
        let copy = second.clone();
        drop(second);
        assert_eq!(budget.available_permits(), 0, "its bytes are still somewhere");
        let third = take(LARGE);
        drop(copy);
        assert!(third.await.is_ok());
        drop(first);
        assert_eq!(budget.available_permits(), 2 * LARGE / UNIT);
    }
}
