//! Time that does not run backwards.
//!
//! The highest time that a commit has carried is stored and is a floor: with a clock behind it, time stands still at the
//! floor. Then nobody can tell what has ended: whatever has an end is refused, and nothing new that has one is made,
//! until the clock is right again. What never ends goes on being used.
//!
//! A clock that was once far ahead has left a floor that was never true. An operator who accepts the clock as it is
//! (`sys/clock`) begins a new *era*, whose floor is that moment. What was made in an earlier era, and after the new one
//! has begun, was made by a wrong clock: it is void, or it would live longer than it was given.
//!
//! In the system's view, times in nanoseconds, 8 bytes each:
//!
//! | name | holds |
//! |---|---|
//! | `["clock"]` | the highest time of the first era |
//! | `["era", number]`, 8 hexadecimal digits | when this era began ‖ its highest time |
//!
//! The highest time is written at most once a second. A commit that was under way when a new era began writes that of
//! its own, which nobody reads any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use strongroom_barrier::{Name, Reader, Write};
use strongroom_types::error::Kind;
use strongroom_types::time::Eras;
use strongroom_types::{Clock, Refusal, Timestamp};

use crate::fault::{barrier, damaged};

/// A commit carries the time if the stored one is older than this.
const STORE_AFTER: i64 = SECOND;
/// How far a clock may step back, while time stands still, without anything being refused: time servers do that.
const TOLERATED: i64 = 60 * SECOND;
const SECOND: i64 = 1_000_000_000;

/// The clock and its floor.
pub struct Floored {
    clock: Arc<dyn Clock>,
    era: ArcSwap<Era>,
}

/// A time in which the clock has not been set back on purpose.
pub struct Era {
    /// This one and those before it.
    eras: Arc<Eras>,
    /// The highest time seen, in nanoseconds.
    highest: AtomicI64,
    /// The highest time known to be stored.
    stored: AtomicI64,
}

/// Something that was given a time to live.
#[derive(Clone, Copy)]
pub struct Life {
    /// Since when it has it.
    pub since: Timestamp,
    /// In which era that was.
    pub era: u32,
    /// When it ends.
    pub end: Timestamp,
}

/// The highest time, to be stored with a commit.
pub struct Due {
    /// What the commit has to carry.
    pub write: Write,
    era: Arc<Era>,
    at: i64,
}

impl Due {
    /// Says that the commit has carried it.
    pub fn stored(&self) {
        self.era.stored.fetch_max(self.at, Ordering::Relaxed);
    }
}

impl Floored {
    /// Without a floor: before there is a storage to have one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, era: ArcSwap::from_pointee(Era::new(Eras::default(), i64::MIN)) }
    }

    /// With the floor that is stored.
    pub fn load(clock: Arc<dyn Clock>, system: &Reader) -> Result<Self, Refusal> {
        let mut highest = match system.get(&first()?).map_err(barrier)? {
            None => i64::MIN,
            Some(entry) => {
                let [highest] = times(entry.value.expose())?;
                highest
            }
        };
        let mut eras = Eras::default();
        while let Some(entry) = system.get(&later(eras.number().saturating_add(1))?).map_err(barrier)? {
            let [began, of_era] = times(entry.value.expose())?;
            eras = eras.and(Timestamp::from_nanos(began));
            highest = of_era;
        }
        Ok(Self { clock, era: ArcSwap::from_pointee(Era::new(eras, highest)) })
    }

    /// The time now, never before what it was.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.era.load().raised_to(self.reading().nanos()))
    }

    /// The time now, and the eras by which it is that: for whoever gives something a time to live.
    pub fn now_of_era(&self) -> (Timestamp, Arc<Eras>) {
        let era = self.era.load();
        (Timestamp::from_nanos(era.raised_to(self.reading().nanos())), era.eras.clone())
    }

    /// What the clock says, whatever the floor is.
    pub fn reading(&self) -> Timestamp {
        self.clock.now()
    }

    /// The clock that has no floor.
    pub fn bare(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// The number of this era: kept beside whatever is given a time to live.
    pub fn era(&self) -> u32 {
        self.era.load().eras.number()
    }

    /// The highest time seen in this era.
    pub fn floor(&self) -> Timestamp {
        Timestamp::from_nanos(self.era.load().highest.load(Ordering::Relaxed))
    }

    /// How far the clock is behind its floor, in seconds, if that is more than it may be.
    pub fn behind(&self) -> Option<i64> {
        self.behind_also(i64::MIN)
    }

    fn behind_also(&self, seen: i64) -> Option<i64> {
        let highest = self.era.load().highest.load(Ordering::Relaxed).max(seen);
        let behind = highest.saturating_sub(self.reading().nanos());
        (behind > TOLERATED).then_some(behind / SECOND)
    }

    /// Refused while the clock is behind, or is behind `now` since it was accepted: nothing that is to end can be made.
    pub fn check(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.behind_also(now.nanos()) {
            None => Ok(()),
            Some(secs) => Err(Refusal::new(Kind::Unavailable, complaint(secs))),
        }
    }

    /// Whether `life` is over at `now`. Refused while that cannot be told.
    pub fn is_over(&self, life: Life, now: Timestamp) -> Result<bool, Refusal> {
        if self.era.load().eras.is_void(life.since, life.era) || life.end <= self.reading() {
            return Ok(true);
        }
        self.check(now)?;
        Ok(life.end <= now)
    }

    /// What a commit has to carry now, if it has to.
    pub fn due(&self) -> Result<Option<Due>, Refusal> {
        let era = self.era.load_full();
        let at = era.raised_to(self.reading().nanos());
        match at.saturating_sub(era.stored.load(Ordering::Relaxed)) >= STORE_AFTER {
            true => Ok(Some(Due { write: era.write(at)?, era, at })),
            false => Ok(None),
        }
    }

    /// What is wrong with the clock, for people.
    pub fn complaint(&self) -> Option<String> {
        self.behind().map(complaint)
    }

    /// A new era that begins at what the clock says now, and the write that begins it.
    pub fn accepted(&self) -> Result<(Arc<Era>, Write), Refusal> {
        let at = self.reading();
        let era = Era::new(self.era.load().eras.and(at), at.nanos());
        let write = era.write(at.nanos())?.if_unchanged(None);
        Ok((Arc::new(era), write))
    }

    /// Counts from the beginning of `era`, which is stored.
    pub fn enter(&self, era: Arc<Era>) {
        self.era.store(era);
    }
}

impl Era {
    fn new(eras: Eras, highest: i64) -> Self {
        Self { eras: Arc::new(eras), highest: AtomicI64::new(highest), stored: AtomicI64::new(highest) }
    }

    /// When it began.
    pub fn began(&self) -> Option<Timestamp> {
        self.eras.began()
    }

    /// `now`, but never before the floor, which follows.
    fn raised_to(&self, now: i64) -> i64 {
        let highest = self.highest.load(Ordering::Relaxed);
        // Most requests only look: the value is shared by all cores.
        if now.saturating_sub(highest) > STORE_AFTER {
            self.highest.fetch_max(now, Ordering::Relaxed);
        }
        now.max(highest)
    }

    fn write(&self, highest: i64) -> Result<Write, Refusal> {
        match self.eras.began() {
            None => write(Timestamp::from_nanos(highest)),
            Some(began) => {
                let both = [began.nanos().to_be_bytes(), highest.to_be_bytes()].concat();
                Ok(Write::put(later(self.eras.number())?, both))
            }
        }
    }
}

/// The record of the highest time of the first era.
pub fn write(now: Timestamp) -> Result<Write, Refusal> {
    Ok(Write::put(first()?, now.nanos().to_be_bytes().to_vec()))
}

fn complaint(secs: i64) -> String {
    format!(
        "the clock is {secs} seconds behind the latest time in the storage: set it right. If it is right, and was once \
         ahead, accept it with a token that never expires: write accept=true to sys/clock. Until then nothing that expires \
         is accepted or made"
    )
}

fn times<const N: usize>(record: &[u8]) -> Result<[i64; N], Refusal> {
    let damage = || damaged("a record of the highest time is damaged");
    let (times, rest) = record.as_chunks::<8>();
    let times: &[[u8; 8]; N] = times.try_into().map_err(|_| damage())?;
    if rest.is_empty() { Ok(times.map(i64::from_be_bytes)) } else { Err(damage()) }
}

fn first() -> Result<Name, Refusal> {
    Name::new(["clock"]).map_err(damaged)
}

/// Of an era after the first.
fn later(number: u32) -> Result<Name, Refusal> {
    Name::new(["era".to_owned(), format!("{number:08x}")]).map_err(damaged)
}
