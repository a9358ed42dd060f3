//! Tokens that were made: how many, by who made them and how long they were to live.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Lifetimes that are told apart: seconds up to which, and what it is called.
const LIFETIMES: [(i64, &str); 9] = [
    (60, "1m"),
    (600, "10m"),
    (1200, "20m"),
    (3600, "1h"),
    (7200, "2h"),
    (86_400, "1d"),
    (2 * 86_400, "2d"),
    (7 * 86_400, "7d"),
    (30 * 86_400, "30d"),
];

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Birth {
    /// The kind of auth method; `token` for what no login has made.
    pub method: &'static str,
    /// About how long it was to live.
    pub ttl: &'static str,
    /// `service` or `batch`.
    pub kind: &'static str,
}

impl Birth {
    /// Of a token that lives for `ttl` seconds; 0 is for ever.
    pub fn new(method: &'static str, ttl: i64, is_batch: bool) -> Self {
        let found = LIFETIMES.iter().find(|(most, _)| ttl > 0 && ttl <= *most);
        let kind = if is_batch { "batch" } else { "service" };
        Self { method, ttl: found.map_or("+Inf", |(_, name)| *name), kind }
    }
}

/// How often. Whoever makes a token waits for the disk: a lock for a moment is nothing beside that.
#[derive(Default)]
pub struct Births {
    counts: Mutex<BTreeMap<Birth, u64>>,
}

impl Births {
    /// One more.
    pub fn add(&self, birth: Birth) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(birth).or_default() += 1;
    }

    /// All of them.
    pub fn all(&self) -> Vec<(Birth, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(birth, count)| (birth.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_called_as_dashboards_know_them() {
        let of = |ttl| Birth::new("token", ttl, false).ttl;
        for (ttl, name) in
            [(1, "1m"), (60, "1m"), (61, "10m"), (3600, "1h"), (86_401, "2d"), (i64::MAX, "+Inf")]
        {
            assert_eq!(of(ttl), name, "{ttl}");
        }
        assert_eq!(of(0), "+Inf", "for ever");
    }
}
