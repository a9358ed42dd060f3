//! Effects under way, which an unseal waits for.
//!
//! Sealing does not wait for a commit that the store already has: the client may be told that it was sealed, and still be
//! committed. What such a commit changes in memory goes to the keys and tables of before. An unseal that read the
//! store in between would serve what was there before the commit until the next start. So each commit counts itself in,
//! and nothing is loaded while one counts.
//!
//! Nobody enters after the keys are wiped: whoever enters looks at them afterwards, and whoever waits does so after they
//! were wiped, so that one of the two sees the other.

use std::sync::Arc;
use std::time::Duration;

use strongroom_barrier::Barrier;
use strongroom_types::Refusal;
use tokio::sync::watch;

/// How long an unseal waits for what is still on its way to the disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many there are.
#[derive(Clone)]
pub struct Effects(Arc<watch::Sender<usize>>);

/// One of them, until dropped.
pub struct Effect(Arc<watch::Sender<usize>>);

impl Default for Effects {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Effects {
    /// Counts one in. Refused when the keys of `barrier` are wiped.
    pub fn enter(&self, barrier: &Barrier) -> Result<Effect, Refusal> {
        self.0.send_modify(|count| *count += 1);
        let effect = Effect(self.0.clone());
        if barrier.is_sealed() { Err(Refusal::sealed()) } else { Ok(effect) }
    }

    /// Waits until there is none; whether it came to that in time.
    pub async fn none(&self) -> bool {
        let mut count = self.0.subscribe();
        tokio::time::timeout(PATIENCE, count.wait_for(|count| *count == 0)).await.is_ok()
    }
}

impl Drop for Effect {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
