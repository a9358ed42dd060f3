//! The ordered keys: when something falls due, in minutes.

use strongroom_types::Timestamp;

use crate::Name;

/// A minute since the epoch: all that the disk shows of when something falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub(crate) u32);

/// The key of an ordered record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    /// When.
    pub minute: Minute,
    /// What.
    pub name: Name,
}

impl Minute {
    /// The last one there is.
    pub const LAST: Self = Self(u32::MAX);

    /// The minute in which `time` lies. What is due at this minute or earlier is due at `time`.
    pub fn of(time: Timestamp) -> Self {
        Self::clamp(time.secs().div_euclid(60))
    }

    /// The first minute that begins at `time` or later: under which to write what must not be found before `time`.
    pub fn not_before(time: Timestamp) -> Self {
        let started = time.secs().div_euclid(60);
        let whole = time == Timestamp::from_secs(started.saturating_mul(60));
        Self::clamp(if whole { started } else { started.saturating_add(1) })
    }

    /// No minute but a count, to keep what belongs together beside each other on the disk. It begins again after 2³².
    pub fn counted(number: u64) -> Self {
        let [.., a, b, c, d] = number.to_be_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_secs(i64::from(self.0) * 60)
    }

    /// Times before 1970 are due at once, those after the year 10135 as late as can be.
    fn clamp(minutes: i64) -> Self {
        Self(u32::try_from(minutes.max(0)).unwrap_or(u32::MAX))
    }
}
