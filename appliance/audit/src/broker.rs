//! From an event to the sinks.
//!
//! Nothing here is locked while a line is made; a sink is locked for its own write(2). Two lines of a KV read cost a
//! few hashes (token and accessor are hashed once for both) and one write: what has no effect has nothing that its first
//! line would have to come before.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use strongroom_types::{Clock, Timestamp};

use crate::line::{self, RequestLine, Style};
use crate::sync::Rounds;
use crate::{AuditError, Event, ResponseEvent, Salt, SinkConfig, outbox};

/// Writes each line to every sink.
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    limits: Limits,
    infos: Vec<SinkInfo>,
}

/// What the sinks and the syncing of them have in common.
pub(crate) struct Shared {
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) rounds: Rounds,
    report: Report,
}

/// A sink, its salt, and how it has been doing.
pub(crate) struct Outlet {
    pub(crate) config: SinkConfig,
    salt: Salt,
    /// Whether it has taken a line that no sync covers.
    pub(crate) dirty: AtomicBool,
    /// The highest ticket whose line it has not taken.
    pub(crate) missed: AtomicU64,
    /// Whether its last write or sync failed: so that a change is reported once.
    failing: AtomicBool,
}

/// Is told once when a sink begins to refuse (with the cause), and once when it takes lines again.
pub type Report = Box<dyn Fn(&str, Option<&io::Error>) + Send + Sync>;

/// A sink as `sys/audit` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkInfo {
    /// Without a slash.
    pub name: String,
    /// `file`, …
    pub kind: &'static str,
    /// For people.
    pub description: String,
    /// As they stand in the configuration.
    pub options: BTreeMap<String, String>,
}

/// How many texts are hashed for one line.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a request (`max_request_json_strings`).
    pub request_strings: usize,
    /// Of an answer: far more, because a long list is nobody's fault.
    pub response_strings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request_strings: 1000, response_strings: 1_000_000 }
    }
}

/// A request whose line has been accepted.
pub struct Audited {
    shared: Arc<Shared>,
    ticket: u64,
    /// One for each sink, in order.
    lines: Vec<Accepted>,
}

struct Accepted {
    made: RequestLine,
    taken: bool,
}

impl Broker {
    /// No sinks: auditing is off, everything passes. Tickets count from `first_ticket` (at least 1), which must be above
    /// those of all rows that are still in the outbox.
    pub fn new(sinks: Vec<(SinkConfig, Salt)>, clock: Arc<dyn Clock>, first_ticket: u64) -> Self {
        let outlets: Vec<Outlet> =
            sinks.into_iter().map(|(config, salt)| Outlet::new(config, salt)).collect();
        let infos = outlets.iter().map(|outlet| SinkInfo::of(&outlet.config)).collect();
        let rounds = Rounds::new(first_ticket.max(1), outlets.len());
        let shared = Arc::new(Shared { outlets, rounds, report: Box::new(|_, _| {}) });
        Self { shared, clock, limits: Limits::default(), infos }
    }

    /// The same broker with other limits.
    #[cfg(test)]
    pub(crate) fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same broker, telling `report` about sinks. To be called before it is shared.
    pub fn with_report(mut self, report: Report) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.report = report;
        }
        self
    }

    /// The sinks, in the order of the configuration.
    pub fn sinks(&self) -> &[SinkInfo] {
        &self.infos
    }

    /// What the log of `sink` holds for `text`; `None` if there is no such sink.
    pub fn hash(&self, sink: &str, text: &str) -> Option<String> {
        let outlet = self.shared.outlets.iter().find(|outlet| outlet.config.name == sink)?;
        Some(outlet.salt.hash(text.as_bytes()))
    }

    /// Writes the line that comes before the effect: of a request that may go on, or of one that is refused
    /// ([`Event::error`]). On an error there must be no effect.
    ///
    /// Of a request with too many texts nothing is written: the caller refuses it, and writes that without its data.
    pub fn before(&self, event: &Event<'_>) -> Result<Audited, AuditError> {
        let now = self.clock.now();
        let limit = self.limits.request_strings;
        let mut lines = Vec::with_capacity(self.shared.outlets.len());
        for outlet in &self.shared.outlets {
            let made = line::request(&outlet.style(), now, event, limit);
            let made = made.map_err(|_| AuditError::TooManyStrings { limit })?;
            lines.push(Accepted { made, taken: false });
        }
        let ticket = self.take(&mut lines)?;
        Ok(Audited { shared: self.shared.clone(), ticket, lines })
    }

    /// Gives each sink its line, under a new ticket.
    fn take(&self, lines: &mut [Accepted]) -> Result<u64, AuditError> {
        let rounds = &self.shared.rounds;
        // Held by many at once; a sync waits for it, so that it knows which tickets are written.
        let _writing = rounds.gate.read().unwrap_or_else(PoisonError::into_inner);
        let ticket = rounds.next.fetch_add(1, Ordering::SeqCst);
        let mut causes = Vec::new();
        for (outlet, line) in self.shared.outlets.iter().zip(lines.iter_mut()) {
            match self.shared.write(outlet, &line.made.line) {
                Ok(()) => line.taken = true,
                Err(cause) => {
                    outlet.missed.fetch_max(ticket, Ordering::SeqCst);
                    causes.push((outlet, cause));
                }
            }
        }
        if lines.iter().any(|line| line.taken) || lines.is_empty() {
            Ok(ticket)
        } else {
            Err(refused(&causes))
        }
    }

    /// Writes the line that comes before the answer. On an error the answer must be withheld; what was committed stays.
    /// An answer with too many texts gets a line too, without them.
    ///
    /// `event` is the one that [`Broker::before`] was given, but for its error, which names a refusal that has no text; its
    /// data is not looked at again.
    pub fn after(
        &self,
        audited: &Audited,
        event: &Event<'_>,
        response: &ResponseEvent<'_>,
    ) -> Result<(), AuditError> {
        let now = self.clock.now();
        let lines = audited.lines.iter().map(|of_request| &of_request.made);
        self.answer(lines, |outlet, made| self.response_line(outlet, now, made, event, response))
    }

    /// Writes both lines of a request that has no effect, with one write to each sink. On an error its answer must be
    /// withheld. `asked` is when it was found out that the request may go on; `event` is as for [`Broker::before`], and
    /// `error` names a refusal in `response` that has no text.
    pub fn both(
        &self,
        asked: Timestamp,
        event: &Event<'_>,
        error: Option<&str>,
        response: &ResponseEvent<'_>,
    ) -> Result<(), AuditError> {
        let limit = self.limits.request_strings;
        let of_request = |outlet: &Outlet| line::request(&outlet.style(), asked, event, limit);
        let made: Result<Vec<_>, _> = self.shared.outlets.iter().map(of_request).collect();
        let Ok(made) = made else {
            let too_many = AuditError::TooManyStrings { limit };
            self.before(&Event { data: None, error: Some(&too_many.to_string()), ..*event })?;
            return Err(too_many);
        };
        let (now, event) = (self.now(), Event { error, ..*event });
        self.answer(made.iter(), |outlet, made| {
            let (response, over) = self.response_line(outlet, now, made, &event, response)?;
            Ok(([made.line.as_slice(), &response].concat(), over))
        })
    }

    /// The time by which lines are written.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes what `lines` makes of each sink's line of the request, and whether the answer had too many texts.
    fn answer<'l>(
        &self,
        made: impl Iterator<Item = &'l RequestLine>,
        lines: impl Fn(&Outlet, &RequestLine) -> Result<(Vec<u8>, bool), AuditError>,
    ) -> Result<(), AuditError> {
        let mut is_over = false;
        let mut causes = Vec::new();
        let mut taken = self.shared.outlets.is_empty();
        for (outlet, made) in self.shared.outlets.iter().zip(made) {
            let (lines, over) = lines(outlet, made)?;
            is_over |= over;
            match self.shared.write(outlet, &lines) {
                Ok(()) => taken = true,
                Err(cause) => causes.push((outlet, cause)),
            }
        }
        match (taken, is_over) {
            (false, _) => Err(refused(&causes)),
            (true, true) => Err(AuditError::TooManyStrings { limit: self.limits.response_strings }),
            (true, false) => Ok(()),
        }
    }

    /// The line before the answer, and whether it had to be made without the answer's texts.
    fn response_line(
        &self,
        outlet: &Outlet,
        now: Timestamp,
        of_request: &RequestLine,
        event: &Event<'_>,
        response: &ResponseEvent<'_>,
    ) -> Result<(Vec<u8>, bool), AuditError> {
        let limit = self.limits.response_strings;
        let body = of_request.line.get(of_request.body.clone()).unwrap_or_default();
        let style = outlet.style();
        if let Ok(line) = line::response(&style, now, body, event, response, limit) {
            return Ok((line, false));
        }
        let too_many = AuditError::TooManyStrings { limit };
        let refusal = too_many.clone().into();
        let withheld = ResponseEvent { answer: Err(&refusal), clear: response.clear };
        let line = line::response(&style, now, body, event, &withheld, limit);
        line.map(|line| (line, true)).map_err(|_| too_many)
    }
}

impl Audited {
    /// Tells it from all other requests; ascending.
    pub fn ticket(&self) -> u64 {
        self.ticket
    }

    /// What to commit with the effect, so that the line outlives a crash; `None` when auditing is off. It is as secret as
    /// the log, and belongs behind the barrier.
    pub fn outbox_row(&self) -> Option<Vec<u8>> {
        let lines = self.shared.outlets.iter().zip(&self.lines).filter(|(_, line)| line.taken);
        let lines: Vec<_> =
            lines.map(|(outlet, line)| outbox::Line::of(&outlet.config, &line.made.line)).collect();
        if lines.is_empty() { None } else { Some(outbox::encode(&lines)) }
    }
}

impl Shared {
    /// Gives a line to one sink, and reports if that changes how the sink is doing.
    pub(crate) fn write(&self, outlet: &Outlet, line: &[u8]) -> io::Result<()> {
        let written = outlet.config.sink.write(line);
        self.note(outlet, written.as_ref().err());
        if written.is_ok() {
            outlet.dirty.store(true, Ordering::SeqCst);
            self.rounds.wake();
        }
        written
    }

    /// Reports a change.
    pub(crate) fn note(&self, outlet: &Outlet, cause: Option<&io::Error>) {
        if outlet.failing.load(Ordering::Relaxed) != cause.is_some()
            && outlet.failing.swap(cause.is_some(), Ordering::Relaxed) != cause.is_some()
        {
            (self.report)(&outlet.config.name, cause);
        }
    }
}

impl Outlet {
    fn new(config: SinkConfig, salt: Salt) -> Self {
        let (dirty, failing) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { config, salt, dirty, missed: AtomicU64::new(0), failing }
    }

    fn style(&self) -> Style<'_> {
        Style {
            salt: &self.salt,
            raw: self.config.log_raw,
            hash_accessors: self.config.hmac_accessor,
            elide_lists: self.config.elide_list_responses,
        }
    }
}

impl SinkInfo {
    fn of(config: &SinkConfig) -> Self {
        Self {
            name: config.name.clone(),
            kind: config.sink.kind(),
            description: config.description.clone(),
            options: config.options.clone(),
        }
    }
}

fn list(causes: &[(&Outlet, io::Error)]) -> String {
    let causes: Vec<String> =
        causes.iter().map(|(outlet, cause)| format!("{}: {cause}", outlet.config.name)).collect();
    causes.join("; ")
}

pub(crate) fn refused(causes: &[(&Outlet, io::Error)]) -> AuditError {
    AuditError::Refused { causes: list(causes) }
}
