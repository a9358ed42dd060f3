//! The daemon's own log: one line per event on stderr, never a secret, never a client's input.
//!
//! Each part of the daemon has a [`Logger`] with a level of its own: what is less important is not written. The levels
//! are those of the configuration until an operator changes them at `sys/loggers`; they are not stored. Whoever follows
//! the log ([`follow`], for `sys/monitor`) gets each line of the level that he asks for, whether it is written here or not.

mod follow;

use std::fmt::{self, Arguments};
use std::io::Write;
use std::mem;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use strongroom_types::Timestamp;

pub use follow::{Following, Line, follow};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// What helps to find a mistake.
    Debug,
    /// Something an operator should know.
    Info,
    /// Something an operator should look at.
    Warn,
    /// Something that went wrong.
    Error,
}

const LEVELS: [(Level, &str); 5] = [
    (Level::Trace, "trace"),
    (Level::Debug, "debug"),
    (Level::Info, "info"),
    (Level::Warn, "warn"),
    (Level::Error, "error"),
];

impl Level {
    /// In lower case, as clients write it.
    pub fn name(self) -> &'static str {
        LEVELS.iter().find(|(level, _)| *level == self).map_or("", |(_, name)| name)
    }

    fn of(number: u8) -> Self {
        LEVELS.get(usize::from(number)).map_or(Self::Error, |(level, _)| *level)
    }
}

/// What is no level.
#[derive(Clone, Copy, Debug)]
pub struct NoLevel;

impl fmt::Display for NoLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be trace, debug, info, warn or error")
    }
}

impl FromStr for Level {
    type Err = NoLevel;

    /// Also the words that other servers take for these five.
    fn from_str(text: &str) -> Result<Self, NoLevel> {
        let text = match text.trim().to_ascii_lowercase().as_str() {
            "" | "notice" => "info".to_owned(),
            "warning" => "warn".to_owned(),
            "err" => "error".to_owned(),
            other => other.to_owned(),
        };
        LEVELS.iter().find(|(_, name)| *name == text).map(|(level, _)| *level).ok_or(NoLevel)
    }
}

/// One part of the daemon, and how much of it is written.
pub struct Logger {
    /// As operators name it.
    pub name: &'static str,
    level: AtomicU8,
}

/// What belongs to no other part.
pub static CORE: Logger = Logger::new("core");
/// The audit log.
pub static AUDIT: Logger = Logger::new("audit");
/// Sealing and unsealing.
pub static SEAL: Logger = Logger::new("seal");
/// The listeners.
pub static HTTP: Logger = Logger::new("http");

/// All there are.
pub const LOGGERS: [&Logger; 4] = [&AUDIT, &CORE, &HTTP, &SEAL];

/// The level of the configuration.
static CONFIGURED: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// The level of the configuration, for every logger: at the start, and when it is read again.
pub fn set_level(level: Level) {
    CONFIGURED.store(level as u8, Relaxed);
    reset();
}

/// Every logger back to the level of the configuration.
pub fn reset() {
    set_all(Level::of(CONFIGURED.load(Relaxed)));
}

/// Every logger to `level`, until the configuration is read again.
pub fn set_all(level: Level) {
    for logger in LOGGERS {
        logger.set(level);
    }
}

/// The logger of this name.
pub fn logger(name: &str) -> Option<&'static Logger> {
    LOGGERS.into_iter().find(|logger| logger.name == name)
}

/// Of the core: something an operator should know.
pub fn info(text: Arguments<'_>) {
    CORE.info(text);
}

/// Of the core: something an operator should look at.
pub fn warn(text: Arguments<'_>) {
    CORE.warn(text);
}

/// Of the core: something that went wrong.
pub fn error(text: Arguments<'_>) {
    CORE.error(text);
}

impl Logger {
    const fn new(name: &'static str) -> Self {
        Self { name, level: AtomicU8::new(Level::Info as u8) }
    }

    /// What is less important than this is not written.
    pub fn level(&self) -> Level {
        Level::of(self.level.load(Relaxed))
    }

    /// Writes from now on what is at least as important as `level`.
    pub fn set(&self, level: Level) {
        self.level.store(level as u8, Relaxed);
    }

    /// Back to the level of the configuration.
    pub fn reset(&self) {
        self.set(Level::of(CONFIGURED.load(Relaxed)));
    }

    /// What helps to find a mistake.
    pub fn debug(&self, text: Arguments<'_>) {
        self.line(Level::Debug, text);
    }

    /// Something an operator should know.
    pub fn info(&self, text: Arguments<'_>) {
        self.line(Level::Info, text);
    }

    /// Something an operator should look at.
    pub fn warn(&self, text: Arguments<'_>) {
        self.line(Level::Warn, text);
    }

    /// Something that went wrong.
    pub fn error(&self, text: Arguments<'_>) {
        self.line(Level::Error, text);
    }

    fn line(&self, level: Level, text: Arguments<'_>) {
        if level >= self.level() {
            let shown = level.name().to_ascii_uppercase();
            // A log that cannot be written must not end the daemon.
            let _ = writeln!(std::io::stderr().lock(), "strongroom {shown:<5} {text}");
        }
        follow::tell(level, self.name, text);
    }
}

/// Lines of one kind, at most one a second: what strangers can cause at will must not fill the log.
#[derive(Default)]
pub struct Seldom(Mutex<Spared>);

#[derive(Default)]
struct Spared {
    last: Option<Timestamp>,
    /// Lines since then that were not written.
    count: u64,
}

impl Seldom {
    /// Something an operator should look at, with how often it was not written before.
    pub fn warn(&self, logger: &Logger, now: Timestamp, text: Arguments<'_>) {
        match self.due(now) {
            None => {}
            Some(0) => logger.warn(text),
            Some(count) => {
                logger.warn(format_args!("{text} (and {count} more like this since the last line)"))
            }
        }
    }

    /// If it is time for a line, how many there have been since the last one.
    fn due(&self, now: Timestamp) -> Option<u64> {
        let mut spared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back does not silence it.
        let is_soon = |last: Timestamp| last <= now && now < last.plus_secs(1);
        if spared.last.is_some_and(is_soon) {
            spared.count = spared.count.saturating_add(1);
            return None;
        }
        spared.last = Some(now);
        Some(mem::take(&mut spared.count))
    }

    /// Lines that were not written since the last one.
    #[cfg(test)]
    pub fn spared(&self) -> u64 {
        self.0.lock().unwrap().count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_have_the_names_that_operators_write() {
        let parsed: Vec<Level> = ["TRACE", " debug", "notice", "warning", "err"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(parsed, LEVELS.map(|(level, _)| level));
        assert!(parsed.is_sorted());
        assert!("loud".parse::<Level>().is_err());
        for (number, (level, name)) in LEVELS.into_iter().enumerate() {
            assert_eq!((Level::of(number as u8), level.name()), (level, name));
        }
    }

    #[test]
    fn what_is_seldom_is_written_once_a_second_with_how_often_it_was_not() {
        let (seldom, start) = (Seldom::default(), Timestamp::from_secs(1000));
        assert_eq!(seldom.due(start), Some(0));
        for _ in 0..7 {
            assert_eq!(seldom.due(start), None);
        }
        assert_eq!(seldom.due(start.plus_secs(1)), Some(7));
        assert_eq!(seldom.due(start.plus_secs(1)), None);
        assert_eq!(seldom.due(start), Some(1), "the clock was set back");
        assert_eq!(seldom.due(start.plus_secs(9)), Some(0));
    }
}
