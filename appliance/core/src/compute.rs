//! A few places for what computes long, such as a password's hash: beside it the reads must go on.

use strongroom_types::Refusal;
use strongroom_types::error::Kind;
use tokio::sync::Semaphore;

use crate::fault::damaged;

/// Who may wait for each place; the next one is told to come again.
const WAITING: usize = 64;

/// See the module.
pub struct Compute {
    places: Semaphore,
    waiting: Semaphore,
}

impl Compute {
    /// One place for each processor.
    pub fn new() -> Self {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        Self { places: Semaphore::new(places), waiting: Semaphore::new(places * WAITING) }
    }

    /// Runs `work` when there is a place. Refused if too many wait for one.
    pub async fn run<T>(&self, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
        let busy =
            |_| Refusal::new(Kind::TooMany, "too many requests compute at the same time: try again soon");
        let _waiting = self.waiting.try_acquire().map_err(busy)?;
        let _place = self.places.acquire().await.map_err(damaged)?;
        tokio::task::block_in_place(work)
    }
}
