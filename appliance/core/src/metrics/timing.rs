//! How long something takes, where there is much to be told apart and little memory for each: without quantiles.
//!
//! Count and sum are those since the start. Two windows of a minute, used in turn, hold the last one to two minutes, as those
//! of a [`Summary`](super::Summary) do.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::summary::MINUTE;

/// See the module.
#[derive(Default)]
pub struct Timing {
    whole: Sum,
    windows: [Window; 2],
}

/// Nanoseconds.
#[derive(Default)]
struct Sum {
    count: AtomicU64,
    sum: AtomicU64,
}

struct Window {
    minute: AtomicI64,
    sum: Sum,
    min: AtomicU64,
    max: AtomicU64,
}

impl Default for Window {
    fn default() -> Self {
        let (minute, min) = (AtomicI64::new(-1), AtomicU64::new(u64::MAX));
        Self { minute, sum: Sum::default(), min, max: AtomicU64::new(0) }
    }
}

/// What a timing tells; times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timed {
    /// Since the start.
    pub count: u64,
    /// Since the start.
    pub sum: f64,
    /// Of the last one to two minutes: how many.
    pub recent: u64,
    /// Together.
    pub recent_sum: f64,
    /// The least; 0 of none.
    pub min: f64,
    /// The most.
    pub max: f64,
}

impl Timing {
    /// Something took `nanos`, and ended at `now`.
    pub fn took(&self, nanos: i64, now: i64) {
        let nanos = u64::try_from(nanos).unwrap_or_default();
        self.whole.add(nanos);
        let minute = now.div_euclid(MINUTE);
        let Some(window) = self.windows.get(usize::from(minute & 1 == 1)) else { return };
        let seen = window.minute.load(Relaxed);
        if seen != minute && window.minute.compare_exchange(seen, minute, Relaxed, Relaxed).is_ok() {
            window.sum.count.store(0, Relaxed);
            window.sum.sum.store(0, Relaxed);
            window.min.store(u64::MAX, Relaxed);
            window.max.store(0, Relaxed);
        }
        window.sum.add(nanos);
        window.min.fetch_min(nanos, Relaxed);
        window.max.fetch_max(nanos, Relaxed);
    }

    /// All that is known at `now`.
    pub fn tell(&self, now: i64) -> Timed {
        let minute = now.div_euclid(MINUTE);
        let mut told = Timed { count: self.whole.count.load(Relaxed), ..Timed::default() };
        told.sum = millis(self.whole.sum.load(Relaxed));
        let recent =
            self.windows.iter().filter(|one| (minute - 1..=minute).contains(&one.minute.load(Relaxed)));
        for window in recent {
            let count = window.sum.count.load(Relaxed);
            let min = millis(window.min.load(Relaxed));
            told.min = if told.recent == 0 { min } else { told.min.min(min) };
            told.max = told.max.max(millis(window.max.load(Relaxed)));
            told.recent_sum += millis(window.sum.sum.load(Relaxed));
            told.recent += count;
        }
        told
    }
}

impl Timed {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        let min = match (self.recent, other.recent) {
            (0, _) => other.min,
            (_, 0) => self.min,
            _ => self.min.min(other.min),
        };
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum + other.sum,
            recent: self.recent.wrapping_add(other.recent),
            recent_sum: self.recent_sum + other.recent_sum,
            min,
            max: self.max.max(other.max),
        }
    }
}

impl Sum {
    fn add(&self, nanos: u64) {
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add(nanos, Relaxed);
    }
}

#[allow(clippy::cast_precision_loss)] // nobody waits for so long
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_forgotten_and_the_count_is_not() {
        const NOW: i64 = 1_800_000_000 * 1_000_000_000;
        let timing = Timing::default();
        assert_eq!(timing.tell(NOW), Timed::default());
        timing.took(3_000_000, NOW);
        timing.took(1_000_000, NOW + MINUTE);
        let told = timing.tell(NOW + MINUTE);
        assert_eq!((told.count, told.recent, told.sum, told.min, told.max), (2, 2, 4.0, 1.0, 3.0));
        let told = timing.tell(NOW + 2 * MINUTE);
        assert_eq!((told.count, told.recent, told.recent_sum, told.min, told.max), (2, 1, 1.0, 1.0, 1.0));
        assert_eq!(timing.tell(NOW + 3 * MINUTE).recent, 0);
        // A window is used again, and begins anew.
        timing.took(7_000_000, NOW + 4 * MINUTE);
        let told = timing.tell(NOW + 4 * MINUTE);
        assert_eq!((told.count, told.recent, told.min, told.max), (3, 1, 7.0, 7.0));
        let both = told.and(Timed::default());
        assert_eq!(both, told);
        assert_eq!(told.and(Timed { count: 1, recent: 1, min: 2.0, max: 9.0, ..told }).min, 2.0);
    }
}
