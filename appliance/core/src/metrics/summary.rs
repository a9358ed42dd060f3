//! How long something takes: counted without a lock, by every core in a place of its own.
//!
//! Count and sum are those since the start. For the quantiles there are two windows of a minute each, used in turn: what is
//! shown is of the last one to two minutes. A window is an array of buckets, eight for each doubling, so that a quantile is
//! right within 6 %. Whoever begins a new minute empties its window; the few that count meanwhile may be lost to it.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Places; threads are spread over them.
const STRIPES: usize = 8;
/// Below 2^9 ns is the first bucket, above 2^36 ns, 69 s, the last.
const LOWEST: u32 = 9;
const BUCKETS: usize = 27 * 8 + 1;
/// Of a window.
pub(super) const MINUTE: i64 = 60 * 1_000_000_000;

/// A number that only grows.
#[derive(Default)]
pub struct Counter {
    stripes: [Padded; STRIPES],
}

/// Alone in its cache line.
#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.add_all(1);
    }

    /// So many more.
    pub fn add_all(&self, more: usize) {
        if let Some(Padded(own)) = self.stripes.get(stripe()) {
            own.fetch_add(u64::try_from(more).unwrap_or_default(), Relaxed);
        }
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.stripes.iter().map(|Padded(own)| own.load(Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// See the module.
#[derive(Default)]
pub struct Summary {
    stripes: [Stripe; STRIPES],
}

#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    count: AtomicU64,
    /// Nanoseconds.
    sum: AtomicU64,
    windows: [Window; 2],
}

struct Window {
    minute: AtomicI64,
    buckets: [AtomicU32; BUCKETS],
}

impl Default for Window {
    fn default() -> Self {
        Self { minute: AtomicI64::new(-1), buckets: std::array::from_fn(|_| AtomicU32::new(0)) }
    }
}

/// What a summary tells; times in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Told {
    /// Since the start.
    pub count: u64,
    /// Since the start.
    pub sum: f64,
    /// In the windows.
    pub recent: Recent,
}

/// Of the last one to two minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// How many.
    pub count: u64,
    /// Together.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// How far they lie from their mean.
    pub stddev: f64,
    /// Half of them, 90 and 99 of a hundred take at most so long.
    pub quantiles: [f64; 3],
}

/// Which.
pub const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

impl Recent {
    /// Their mean; 0 of none.
    #[allow(clippy::cast_precision_loss)]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }
}

impl Summary {
    /// Something took `nanos`, and ended at `now`.
    pub fn took(&self, nanos: i64, now: i64) {
        let nanos = u64::try_from(nanos).unwrap_or_default();
        let Some(own) = self.stripes.get(stripe()) else { return };
        own.count.fetch_add(1, Relaxed);
        own.sum.fetch_add(nanos, Relaxed);
        let minute = now.div_euclid(MINUTE);
        let Some(window) = own.windows.get(usize::from(minute & 1 == 1)) else { return };
        let seen = window.minute.load(Relaxed);
        if seen != minute && window.minute.compare_exchange(seen, minute, Relaxed, Relaxed).is_ok() {
            window.buckets.iter().for_each(|bucket| bucket.store(0, Relaxed));
        }
        if let Some(bucket) = window.buckets.get(bucket_of(nanos)) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// How many there were since the start.
    pub fn count(&self) -> u64 {
        self.stripes.iter().map(|own| own.count.load(Relaxed)).fold(0, u64::wrapping_add)
    }

    /// All that is known at `now`.
    #[allow(clippy::cast_precision_loss)] // what is counted here is small
    pub fn tell(&self, now: i64) -> Told {
        let minute = now.div_euclid(MINUTE);
        let mut buckets = [0_u64; BUCKETS];
        for window in self.stripes.iter().flat_map(|own| &own.windows) {
            if (minute - 1..=minute).contains(&window.minute.load(Relaxed)) {
                for (sum, bucket) in buckets.iter_mut().zip(&window.buckets) {
                    *sum += u64::from(bucket.load(Relaxed));
                }
            }
        }
        let sum: u64 = self.stripes.iter().map(|own| own.sum.load(Relaxed)).fold(0, u64::wrapping_add);
        Told { count: self.count(), sum: sum as f64 / 1e6, recent: recent(&buckets) }
    }
}

#[allow(clippy::cast_precision_loss)]
fn recent(buckets: &[u64; BUCKETS]) -> Recent {
    let held = || {
        buckets.iter().enumerate().filter(|(_, count)| **count > 0).map(|(at, count)| (middle(at), *count))
    };
    let count: u64 = held().map(|(_, count)| count).sum();
    if count == 0 {
        return Recent::default();
    }
    let sum: f64 = held().map(|(value, count)| value * count as f64).sum();
    let mean = sum / count as f64;
    let spread: f64 = held().map(|(value, count)| (value - mean).powi(2) * count as f64).sum();
    let quantiles = QUANTILES.map(|quantile| {
        let mut left = quantile * count as f64;
        let reached = held().find(|(_, count)| {
            left -= *count as f64;
            left <= 0.0
        });
        reached.map_or(0.0, |(value, _)| value)
    });
    Recent {
        count,
        sum,
        min: held().next().map_or(0.0, |(value, _)| value),
        max: held().next_back().map_or(0.0, |(value, _)| value),
        stddev: (spread / count as f64).sqrt(),
        quantiles,
    }
}

fn bucket_of(nanos: u64) -> usize {
    let Some(exponent) = nanos.checked_ilog2().filter(|exponent| *exponent >= LOWEST) else { return 0 };
    let eighth = usize::try_from((nanos >> (exponent - 3)) & 7).unwrap_or_default();
    let doubling = usize::try_from(exponent - LOWEST).unwrap_or_default();
    (doubling * 8 + eighth + 1).min(BUCKETS - 1)
}

/// In milliseconds.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // at most 217
fn middle(bucket: usize) -> f64 {
    let Some(at) = bucket.checked_sub(1) else { return 0.000_256 };
    let (doubling, eighth) = (at / 8, at % 8);
    2_f64.powi(LOWEST as i32 + doubling as i32) * (1.0 + (eighth as f64 + 0.5) / 8.0) / 1e6
}

/// The place of this thread.
fn stripe() -> usize {
    use std::sync::atomic::AtomicUsize;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: usize = NEXT.fetch_add(1, Relaxed) % STRIPES);
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000 * 1_000_000_000;

    #[test]
    fn quantiles_are_right_within_six_percent_whatever_the_scale() {
        for scale in [1_000_i64, 50_000, 3_000_000, 1_000_000_000] {
            let summary = Summary::default();
            for n in 1..=100 {
                summary.took(n * scale / 2, NOW);
            }
            let told = summary.tell(NOW);
            assert_eq!((told.count, told.recent.count), (100, 100));
            for (quantile, found) in QUANTILES.into_iter().zip(told.recent.quantiles) {
                let exact = (quantile * 100.0) * scale as f64 / 2e6;
                assert!((found / exact - 1.0).abs() < 0.065, "{scale}: {quantile} is {found}, not {exact}");
            }
            assert!((told.recent.sum / told.sum - 1.0).abs() < 0.065);
            assert!(told.recent.stddev > 0.0 && told.recent.min < told.recent.max);
        }
    }

    #[test]
    fn windows_are_forgotten_and_the_count_is_not() {
        let summary = Summary::default();
        summary.took(1_000_000, NOW);
        assert_eq!(summary.tell(NOW + MINUTE).recent.count, 1);
        assert_eq!(summary.tell(NOW + 2 * MINUTE).recent.count, 0);
        summary.took(1_000_000, NOW + 2 * MINUTE);
        let told = summary.tell(NOW + 2 * MINUTE);
        assert_eq!((told.count, told.recent.count), (2, 1));
        // A clock that is set back, and times that make no sense.
        summary.took(-5, NOW);
        summary.took(i64::MAX, NOW);
        assert_eq!(summary.count(), 4);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let (summary, counter) = (Summary::default(), Counter::default());
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        summary.took(1000, NOW);
                        counter.add();
                    }
                });
            }
        });
        assert_eq!((summary.count(), counter.get()), (16_000, 16_000));
    }
}
