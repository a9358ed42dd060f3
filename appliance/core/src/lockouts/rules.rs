//! When somebody is locked out: what the mount says, else the configuration for its kind, for all, or by default.

use serde::{Deserialize, Serialize};
use strongroom_types::Timestamp;

use super::{Count, Verdict};
use crate::Settings;
use crate::mounts::Mount;

/// Wrong proofs that lock out.
const THRESHOLD: u64 = 5;
/// Seconds that a lockout lasts, and after which failures are forgotten.
const QUARTER: i64 = 15 * 60;

/// What an operator says; 0 is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutSetting {
    /// Wrong proofs that lock out.
    #[serde(rename = "user_lockout_threshold")]
    pub threshold: u64,
    /// Seconds that it lasts.
    #[serde(rename = "user_lockout_duration")]
    pub duration: i64,
    /// Seconds after which failures are forgotten.
    #[serde(rename = "user_lockout_counter_reset_duration")]
    pub counter_reset: i64,
    /// Whether nobody is locked out; `None` is not said.
    #[serde(rename = "user_lockout_disable")]
    pub disable: Option<bool>,
}

/// What holds for a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    threshold: u64,
    duration: i64,
    counter_reset: i64,
}

/// What holds for `mount`; `None` where nobody is locked out: by choice, or because nothing can be guessed.
pub fn rules(settings: &Settings, mount: &Mount) -> Option<Rules> {
    mount.method.filter(|method| method.knock.is_some())?;
    let said = [
        settings.user_lockout.get("all"),
        settings.user_lockout.get(mount.record.kind.as_str()),
        mount.record.config.user_lockout.as_ref(),
    ];
    Rules::of(said.into_iter().flatten())
}

impl Rules {
    /// The later ones count more.
    fn of<'a>(said: impl Iterator<Item = &'a LockoutSetting>) -> Option<Self> {
        let mut rules = Self { threshold: THRESHOLD, duration: QUARTER, counter_reset: QUARTER };
        let mut disable = false;
        for one in said {
            rules.threshold = if one.threshold > 0 { one.threshold } else { rules.threshold };
            rules.duration = if one.duration > 0 { one.duration } else { rules.duration };
            rules.counter_reset = if one.counter_reset > 0 { one.counter_reset } else { rules.counter_reset };
            disable = one.disable.unwrap_or(disable);
        }
        (!disable).then_some(rules)
    }

    #[cfg(test)]
    pub(super) fn for_tests(threshold: u64, duration: i64, counter_reset: i64) -> Self {
        Self { threshold, duration, counter_reset }
    }

    /// Of so many failures that have not run out.
    pub(super) fn verdict(&self, failures: u64) -> Verdict {
        if failures >= self.threshold { Verdict::Locked } else { Verdict::Open }
    }

    /// Whether a count has run out.
    pub(super) fn is_over(&self, count: &Count, now: Timestamp) -> bool {
        let lasts = match self.verdict(count.failures) {
            Verdict::Locked => self.duration,
            Verdict::Open => self.counter_reset,
        };
        count.last.plus_secs(lasts) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_says_more() {
        let by_default = Rules { threshold: 5, duration: 900, counter_reset: 900 };
        assert_eq!(Rules::of([].iter()), Some(by_default));
        let all = LockoutSetting { threshold: 9, duration: 60, ..LockoutSetting::default() };
        let kind = LockoutSetting { threshold: 3, disable: Some(true), ..LockoutSetting::default() };
        assert_eq!(Rules::of([all, kind].iter()), None);
        let silent = LockoutSetting { counter_reset: 5, ..LockoutSetting::default() };
        assert_eq!(Rules::of([all, kind, silent].iter()), None);
        let mount = LockoutSetting { disable: Some(false), ..silent };
        let wanted = Rules { threshold: 3, duration: 60, counter_reset: 5 };
        assert_eq!(Rules::of([all, kind, mount].iter()), Some(wanted));
    }
}
