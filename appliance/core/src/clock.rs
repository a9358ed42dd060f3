//! Time that does not run backwards.
//!
//! The highest time that a commit has carried is stored (`["clock"]` in the system's view, nanoseconds, 8 bytes, at
//! most once a second) and is a floor: with a clock behind it, time stands still at the floor. So a token that has
//! expired stays expired whatever is done to the clock, and the state is reported until the clock is right again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use strongroom_barrier::{Name, Reader, Write};
use strongroom_types::{Clock, Refusal, Timestamp};

use crate::fault::{barrier, damaged};

/// A commit carries the time if the stored one is older than this.
const STORE_AFTER: i64 = 1_000_000_000;
/// How far a clock may step back without a word: time servers do that.
const TOLERATED: i64 = 5_000_000_000;

/// The clock and its floor.
pub struct Floored {
    clock: Arc<dyn Clock>,
    /// The highest time seen, in nanoseconds.
    highest: AtomicI64,
    /// The highest time known to be stored.
    stored: AtomicI64,
}

impl Floored {
    /// With the floor that is stored.
    pub fn load(clock: Arc<dyn Clock>, system: &Reader) -> Result<Self, Refusal> {
        let floor = match system.get(&name()?).map_err(barrier)? {
            None => i64::MIN,
            Some(entry) => {
                let bytes = entry.value.expose().try_into();
                i64::from_be_bytes(bytes.map_err(|_| damaged("the record of the highest time is damaged"))?)
            }
        };
        Ok(Self { clock, highest: AtomicI64::new(floor), stored: AtomicI64::new(floor) })
    }

    /// The time now, never before what it was.
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now().nanos();
        let highest = self.highest.load(Ordering::Relaxed);
        // Most requests only look: the value is shared by all cores.
        if now.saturating_sub(highest) > STORE_AFTER {
            self.highest.fetch_max(now, Ordering::Relaxed);
        }
        Timestamp::from_nanos(now.max(highest))
    }

    /// What a commit at `now` has to carry, if it has to.
    pub fn due(&self, now: Timestamp) -> Result<Option<Write>, Refusal> {
        let stored = self.stored.load(Ordering::Relaxed);
        match now.nanos().saturating_sub(stored) >= STORE_AFTER {
            true => Ok(Some(write(now)?)),
            false => Ok(None),
        }
    }

    /// Says that a commit at `now` has carried it.
    pub fn stored(&self, now: Timestamp) {
        self.stored.fetch_max(now.nanos(), Ordering::Relaxed);
    }

    /// What is wrong with the clock, for people.
    pub fn complaint(&self) -> Option<String> {
        let behind = self.highest.load(Ordering::Relaxed).saturating_sub(self.clock.now().nanos());
        (behind > TOLERATED).then(|| {
            format!(
                "the clock is {} seconds behind the latest time in the storage: set it right. Until then time stands \
                 still: nothing that has expired comes back, and nothing new expires",
                behind / 1_000_000_000
            )
        })
    }
}

/// The record of the highest time.
pub fn write(now: Timestamp) -> Result<Write, Refusal> {
    Ok(Write::put(name()?, now.nanos().to_be_bytes().to_vec()))
}

fn name() -> Result<Name, Refusal> {
    Name::new(["clock"]).map_err(damaged)
}
