//! Time as a parameter, and as Vault writes it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From whole seconds since the epoch; saturating.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Later by `secs` seconds; saturating.
    pub const fn plus_secs(self, secs: i64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1_000_000_000)))
    }

    /// From RFC 3339 text.
    pub fn parse(text: &str) -> Option<Self> {
        let when = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(when.unix_timestamp_nanos()).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many digits of the second as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0))
            .ok()
            .and_then(|when| when.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What time it is. The daemon has one [`SystemClock`]; tests set a [`ManualClock`].
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The host's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that reads the host's clock
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Standing at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.nanos()))
    }

    /// Moves on by `secs` seconds; backwards if negative.
    pub fn advance(&self, secs: i64) {
        self.0.fetch_add(secs.saturating_mul(1_000_000_000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The moments at which the clock was set back on purpose. What is given a time to live keeps the number of the era in
/// which that was: what a clock has made that was ahead is told by it, also when its time has come.
#[derive(Clone, Debug, Default)]
pub struct Eras {
    /// When each began, but for the first one.
    begun: Vec<Timestamp>,
}

impl Eras {
    /// These, and one more that begins at `at`.
    pub fn and(&self, at: Timestamp) -> Self {
        Self { begun: self.begun.iter().copied().chain([at]).collect() }
    }

    /// The number of the present one; the first one is 0.
    pub fn number(&self) -> u32 {
        u32::try_from(self.begun.len()).unwrap_or(u32::MAX)
    }

    /// When the present one began; `None` in the first one.
    pub fn began(&self) -> Option<Timestamp> {
        self.begun.last().copied()
    }

    /// Whether a clock that was ahead has made what was made at `made`, in era `era`: a later one began before that.
    pub fn is_void(&self, made: Timestamp, era: u32) -> bool {
        let later = self.begun.iter().skip(usize::try_from(era).unwrap_or(usize::MAX));
        later.into_iter().any(|began| made > *began)
    }
}

/// A duration from a client, in nanoseconds: whole seconds (`30`, `"30"`), or Go's notation with `d` for
/// days (`"1h30m"`, `"1.5h"`, `"250ms"`, `"-1s"`, `"1d"`). `None` if it is neither.
pub fn parse_duration(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(secs) = text.parse::<i64>() {
        return secs.checked_mul(1_000_000_000);
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, after) = unit(after)?;
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit)?)?.checked_add(part(fraction, unit))?;
        rest = after;
    }
    Some(if negative { -total } else { total })
}

/// A duration in whole seconds, for where 0 says that there is no limit: rounded towards zero, but what is not zero stays at
/// least a second.
pub fn whole_seconds(nanos: i64) -> i64 {
    match nanos / 1_000_000_000 {
        0 => nanos.signum(),
        secs => secs,
    }
}

/// The leading decimal digits of `text`, and what follows.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The leading unit of `text` in nanoseconds, and what follows. Longer units come before their prefixes.
fn unit(text: &str) -> Option<(i64, &str)> {
    const UNITS: [(&str, i64); 9] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
        ("w", 604_800_000_000_000),
    ];
    UNITS.iter().find_map(|(name, nanos)| text.strip_prefix(name).map(|rest| (*nanos, rest)))
}

/// `0.fraction` of `unit`, rounded down.
fn part(fraction: &str, unit: i64) -> i64 {
    let mut value = 0;
    let mut scale = unit;
    for digit in fraction.bytes() {
        scale /= 10;
        value += i64::from(digit - b'0') * scale;
    }
    value
}

/// Nanoseconds as Go prints a duration: `1h0m0s`, `3h25m19s`, `1.5s`, `250ms`, `0s`, `-1s`.
pub fn format_duration(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".into();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let decimal = |value: u64, unit: u64, name: &str| {
        let (whole, rest) = (value / unit, value % unit);
        if rest == 0 {
            return format!("{whole}{name}");
        }
        let width = unit.ilog10() as usize;
        let fraction = format!("{rest:0width$}");
        format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
    };
    let text = match nanos {
        0..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => decimal(nanos, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(nanos, 1_000_000, "ms"),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = decimal(nanos % 60_000_000_000, 1_000_000_000, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_vault_reads_them() {
        for (text, nanos) in [
            ("30", 30_000_000_000),
            ("30s", 30_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1d", 86_400_000_000_000),
            ("-1s", -1_000_000_000),
            ("250ms", 250_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Some(nanos), "{text}");
        }
        for text in ["", "soon", "s", "1x", "1h30", "-", ".s", "99999999999999999999h"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn part_of_a_second_is_never_no_limit() {
        for (text, secs) in [
            ("500ms", 1),
            ("1ns", 1),
            ("0.1s", 1),
            ("0", 0),
            ("0ms", 0),
            ("-500ms", -1),
            ("1s", 1),
            ("1999ms", 1),
            ("-1.5s", -1),
            ("1h", 3600),
        ] {
            assert_eq!(whole_seconds(parse_duration(text).unwrap()), secs, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (3_600_000_000_000, "1h0m0s"),
            (12_319_000_000_000, "3h25m19s"),
            (60_000_000_000, "1m0s"),
            (1_500_000_000, "1.5s"),
            (250_000_000, "250ms"),
            (-1_000_000_000, "-1s"),
        ] {
            assert_eq!(format_duration(nanos), text);
        }
    }

    #[test]
    fn timestamps_are_rfc3339() {
        let when = Timestamp::from_nanos(1_700_000_000_123_456_789);
        assert_eq!(when.to_string(), "2023-11-14T22:13:20.123456789Z");
        assert_eq!(Timestamp::parse(&when.to_string()), Some(when));
        assert_eq!(Timestamp::parse("2023-11-14T23:13:20+01:00"), Some(Timestamp::from_secs(1_700_000_000)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
