//! `sys/monitor`: the daemon's own log, line by line as it is written, until somebody has had enough.
//!
//! The answer is a stream, which ends when the appliance is sealed, and when the token has ended or may no longer read
//! it: that is asked again every few seconds. The listeners end it when they stop, when the client has gone, and when it
//! does not read. A token that has no use left after this request sees nothing more than its farewell.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom_engine::{Endpoint, Field, FieldSpec, Route};
use strongroom_types::error::Kind;
use strongroom_types::{BoxFuture, Refusal, Reply, Stream, StreamSource, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::endpoint::look;
use crate::active::Active;
use crate::log::{self, Following, Level, Line};
use crate::perform::{Run, Scene, Work};
use crate::stage::Standing;

/// How many may follow the log at once.
pub const PLACES: usize = 16;
/// How often whoever follows is asked for their right to.
const EVERY: Duration = Duration::from_secs(2);

const LEVEL: Field<String> = Field::new(
    "log_level",
    "The least important level that is shown: trace, debug, info, warn or error; info.",
);
const FORMAT: Field<String> = Field::new("log_format", "standard or json; standard.");
const FIELDS: &[FieldSpec] = &[LEVEL.spec(), FORMAT.spec()];

/// The route of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "monitor",
    help: "The server's own log, as it is written.",
    sudo: true,
    own_form: true,
    endpoints: &[Endpoint { fields: FIELDS, ..look("Follow the log: the answer has no end.", follow) }],
    ..Route::BASE
}];

/// What a line looks like.
#[derive(Clone, Copy)]
enum Format {
    Standard,
    Json,
}

/// How far a monitor is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Going,
    /// What has been said already is all that there will be.
    LastLines,
    Over,
}

/// Somebody who follows the log.
struct Monitor {
    lines: Following,
    format: Format,
    active: Arc<Active>,
    standing: Standing,
    looks: Interval,
    states: watch::Receiver<u64>,
    course: Course,
    _place: OwnedSemaphorePermit,
}

fn follow(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let level: Level = call
        .get(&LEVEL)
        .unwrap_or_default()
        .parse()
        .map_err(|cause| Refusal::bad_request(format!("invalid log_level provided: it {cause}")))?;
    let format = match call.get(&FORMAT).unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "standard" => Format::Standard,
        "json" => Format::Json,
        _ => return Err(Refusal::bad_request("invalid log_format provided: it must be standard or json")),
    };
    let standing = scene.request.stage.standing().ok_or_else(Refusal::denied)?;
    let place = scene.active.monitors.clone().try_acquire_owned().map_err(|_| {
        let text = format!("{PLACES} clients follow the log already: end one of them, or try again later");
        Refusal::new(Kind::TooMany, text)
    })?;
    // In this order no seal is missed: it wipes the keys first, and tells of it then.
    let states = scene.active.changes_of_state();
    if scene.active.barrier.is_sealed() {
        return Err(Refusal::sealed());
    }
    let mut looks = interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let monitor = Monitor {
        lines: log::follow(level, scene.active.clock.bare()),
        format,
        active: scene.active.clone(),
        standing,
        looks,
        states,
        course: Course::Going,
        _place: place,
    };
    Ok(Work::reply(Reply::Stream(Stream::new(format.content_type(), monitor))))
}

impl StreamSource for Monitor {
    fn part(&mut self) -> BoxFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            while self.course == Course::Going {
                tokio::select! {
                    // A client that was slow to read is asked for its right before it gets what has waited for it.
                    biased;
                    _ = self.looks.tick() => if !self.may_go_on() {
                        self.course = Course::Over;
                        let text = "ended: the token has ended, or may not follow the log any more";
                        return Some(self.format.own(self.active.clock.reading(), text));
                    },
                    changed = self.states.changed() => if changed.is_err() || self.active.barrier.is_sealed() {
                        self.course = Course::LastLines;
                    },
                    line = self.lines.next() => return Some(self.format.written(&line?)),
                }
            }
            match self.course {
                Course::LastLines => self.lines.try_next().map(|line| self.format.written(&line)),
                _ => None,
            }
        })
    }
}

impl Monitor {
    /// Sealing ends it by another way, with its last line.
    fn may_go_on(&self) -> bool {
        self.active.barrier.is_sealed() || self.standing.holds(&self.active)
    }
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Standard => "text/plain; charset=utf-8",
            Self::Json => "application/x-ndjson",
        }
    }

    /// `line`, after a line that says what is missing before it.
    fn written(self, line: &Line) -> Vec<u8> {
        let mut out = match line.missed {
            0 => Vec::new(),
            missed => {
                self.own(line.time, &format!("{missed} lines left out: they came faster than they were read"))
            }
        };
        out.extend(self.line(line.time, line.level, line.logger, &line.text));
        out
    }

    /// A line of the monitor's own, which is not in the log.
    fn own(self, time: Timestamp, text: &str) -> Vec<u8> {
        self.line(time, Level::Warn, "monitor", text)
    }

    fn line(self, time: Timestamp, level: Level, logger: &str, text: &str) -> Vec<u8> {
        const MILLISECOND: i64 = 1_000_000;
        let time = Timestamp::from_nanos(time.nanos() - time.nanos().rem_euclid(MILLISECOND));
        match self {
            Self::Standard => {
                // One event is one line, whatever an error's text holds.
                let text = text.replace(char::is_control, " ");
                let shown = format!("[{}]", level.name().to_ascii_uppercase());
                format!("{time} {shown:<7} {logger}: {text}\n").into_bytes()
            }
            Self::Json => {
                let line = json!({
                    "@level": level.name(),
                    "@message": text,
                    "@module": logger,
                    "@timestamp": time.to_string(),
                });
                format!("{line}\n").into_bytes()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(format: Format, missed: u64) -> String {
        let line = Line {
            time: Timestamp::from_nanos(1_600_000_000_188_999_999),
            level: Level::Info,
            logger: "core",
            text: "one\nevent \"said\"".into(),
            missed,
        };
        String::from_utf8(format.written(&line)).unwrap()
    }

    #[test]
    fn a_line_is_one_line_in_either_format() {
        assert_eq!(text(Format::Standard, 0), "2020-09-13T12:26:40.188Z [INFO]  core: one event \"said\"\n");
        assert_eq!(
            text(Format::Json, 0),
            "{\"@level\":\"info\",\"@message\":\"one\\nevent \\\"said\\\"\",\"@module\":\"core\",\
             \"@timestamp\":\"2020-09-13T12:26:40.188Z\"}\n"
        );
    }

    #[test]
    fn what_is_missing_is_said_before_what_follows() {
        let both = text(Format::Standard, 7);
        let (first, second) = both.split_once('\n').unwrap();
        assert_eq!(
            first,
            "2020-09-13T12:26:40.188Z [WARN]  monitor: 7 lines left out: they came faster than they were read"
        );
        assert!(second.ends_with("core: one event \"said\"\n"));
        assert!(
            text(Format::Json, 7).lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
        );
    }
}
