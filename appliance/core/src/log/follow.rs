//! Whoever follows the log: each has a queue of their own, and a level of their own.
//!
//! A line waits for no follower. Of what does not fit into a queue only the number is kept, and told with the next line that
//! does. Without a follower a line costs one look at one number.

use std::fmt::Arguments;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_types::{Clock, Timestamp};
use tokio::sync::mpsc;

use super::Level;

/// Lines that a follower may be late by.
const BACKLOG: usize = 512;

/// The least important level that somebody follows.
static FOLLOWED: AtomicU8 = AtomicU8::new(NONE);
const NONE: u8 = u8::MAX;

static FOLLOWERS: Mutex<Vec<Follower>> = Mutex::new(Vec::new());

struct Follower {
    level: Level,
    clock: Arc<dyn Clock>,
    lines: mpsc::Sender<Line>,
    missed: u64,
}

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    /// When it was said.
    pub time: Timestamp,
    /// How important it is.
    pub level: Level,
    /// Whose it is.
    pub logger: &'static str,
    /// What it says.
    pub text: String,
    /// How many lines just before it are missing.
    pub missed: u64,
}

/// The lines from a moment on, until it is dropped.
pub struct Following(mpsc::Receiver<Line>);

/// Every line from now on that is at least as important as `level`, with the time that `clock` shows.
pub fn follow(level: Level, clock: Arc<dyn Clock>) -> Following {
    let (lines, following) = mpsc::channel(BACKLOG);
    let mut followers = followers();
    followers.push(Follower { level, clock, lines, missed: 0 });
    count(&followers);
    Following(following)
}

/// A line for all who follow its level.
pub(super) fn tell(level: Level, logger: &'static str, text: Arguments<'_>) {
    if (level as u8) < FOLLOWED.load(Relaxed) {
        return;
    }
    for follower in followers().iter_mut().filter(|follower| level >= follower.level) {
        let (time, missed) = (follower.clock.now(), follower.missed);
        let line = Line { time, level, logger, text: text.to_string(), missed };
        follower.missed = follower.lines.try_send(line).map_or(missed.saturating_add(1), |()| 0);
    }
}

impl Following {
    /// Waits for the next line.
    pub async fn next(&mut self) -> Option<Line> {
        self.0.recv().await
    }

    /// The next line, if there is one already.
    pub fn try_next(&mut self) -> Option<Line> {
        self.0.try_recv().ok()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.close();
        let mut followers = followers();
        followers.retain(|follower| !follower.lines.is_closed());
        count(&followers);
    }
}

fn followers() -> MutexGuard<'static, Vec<Follower>> {
    FOLLOWERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(followers: &[Follower]) {
    let least = followers.iter().map(|follower| follower.level as u8).min();
    FOLLOWED.store(least.unwrap_or(NONE), Relaxed);
}

#[cfg(test)]
mod tests {
    use strongroom_types::time::ManualClock;

    use super::super::Logger;
    use super::*;

    /// Other tests log, too: the lines of this one's logger.
    fn lines_of(following: &mut Following, logger: &str) -> Vec<Line> {
        std::iter::from_fn(|| following.try_next()).filter(|line| line.logger == logger).collect()
    }

    fn from_now_on(level: Level) -> Following {
        follow(level, Arc::new(ManualClock::new(Timestamp::from_secs(7))))
    }

    #[test]
    fn a_follower_has_a_level_of_his_own_whatever_is_written() {
        static OWN: Logger = Logger::new("own");
        OWN.set(Level::Error);
        let (mut all, mut few) = (from_now_on(Level::Trace), from_now_on(Level::Warn));
        OWN.debug(format_args!("for one of them, {}", 1));
        OWN.warn(format_args!("for both"));
        assert_eq!(OWN.level(), Level::Error);
        let lines = lines_of(&mut all, "own");
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["for one of them, 1", "for both"]);
        assert_eq!((lines[0].level, lines[0].time), (Level::Debug, Timestamp::from_secs(7)));
        assert_eq!(lines_of(&mut few, "own").len(), 1);
        drop(all);
        OWN.debug(format_args!("for nobody"));
        assert!(lines_of(&mut few, "own").is_empty());
    }

    #[test]
    fn who_is_late_is_told_how_much_is_missing_and_nobody_waits() {
        static LOUD: Logger = Logger::new("loud");
        LOUD.set(Level::Error);
        let mut late = from_now_on(Level::Warn);
        for number in 0..BACKLOG + 40 {
            LOUD.warn(format_args!("{number}"));
        }
        let kept = lines_of(&mut late, "loud");
        assert!(kept.len() <= BACKLOG && kept.iter().all(|line| line.missed == 0), "{}", kept.len());
        LOUD.warn(format_args!("after it"));
        // Another test's line may have come before it, and have told.
        let told: u64 = std::iter::from_fn(|| late.try_next()).map(|line| line.missed).sum();
        assert!(told >= (BACKLOG + 40 - kept.len()) as u64, "{told}");
        LOUD.warn(format_args!("and on"));
        assert_eq!(lines_of(&mut late, "loud").pop().unwrap().missed, 0);
    }
}
