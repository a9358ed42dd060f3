//! The row that a commit takes along, and its way back into the log.
//!
//! A row holds the request's line for every sink that has taken it:
//!
//! ```text
//! row   version = 1 ‖ line …
//! line  flags, u8 (1: nothing is hashed) ‖ length, u32 BE ‖ sink's name ‖ length, u32 BE ‖ the line with its end
//! ```
//!
//! After a crash, a line is missing if the sink's tail does not hold the very same bytes; the request's id makes every
//! line unique. The tail that is looked through is bounded ([`TAIL`]): rows live for little more than one sync, and a
//! line that lies further back, or in a file that has been rotated away, is written a second time. Twice does no harm
//! (the same id, the same bytes); missing would.

use std::collections::HashSet;
use std::io;

use crate::broker::{Outlet, refused};
use crate::{AuditError, Broker, SinkConfig};

/// How much of a sink's end is looked through.
pub const TAIL: usize = 8 * 1024 * 1024;

const VERSION: u8 = 1;
const RAW: u8 = 1;

/// One sink's line in a row.
pub(crate) struct Line<'a> {
    raw: bool,
    sink: &'a str,
    line: &'a [u8],
}

impl<'a> Line<'a> {
    pub(crate) fn of(config: &'a SinkConfig, line: &'a [u8]) -> Self {
        Self { raw: config.log_raw, sink: &config.name, line }
    }

    /// The line, with its end.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.line
    }
}

pub(crate) fn encode(lines: &[Line<'_>]) -> Vec<u8> {
    let length = lines.iter().map(|line| 9 + line.sink.len() + line.line.len()).sum::<usize>();
    let mut row = Vec::with_capacity(1 + length);
    row.push(VERSION);
    for line in lines {
        row.push(if line.raw { RAW } else { 0 });
        for field in [line.sink.as_bytes(), line.line] {
            row.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            row.extend_from_slice(field);
        }
    }
    row
}

pub(crate) fn decode(row: &[u8]) -> Result<Vec<Line<'_>>, AuditError> {
    let (&VERSION, mut rest) = row.split_first().ok_or(AuditError::Row)? else { return Err(AuditError::Row) };
    let mut lines = Vec::new();
    while let Some((&flags, after)) = rest.split_first() {
        let (sink, after) = field(after)?;
        let (line, after) = field(after)?;
        let sink = std::str::from_utf8(sink).map_err(|_| AuditError::Row)?;
        if flags > RAW || !line.ends_with(b"\n") {
            return Err(AuditError::Row);
        }
        lines.push(Line { raw: flags == RAW, sink, line });
        rest = after;
    }
    if lines.is_empty() { Err(AuditError::Row) } else { Ok(lines) }
}

fn field(bytes: &[u8]) -> Result<(&[u8], &[u8]), AuditError> {
    let (length, rest) = bytes.split_first_chunk().ok_or(AuditError::Row)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| AuditError::Row)?;
    rest.split_at_checked(length).ok_or(AuditError::Row)
}

impl Broker {
    /// Writes the lines of `rows` (in the order of their tickets) again that the sinks do not end with, syncs, and
    /// returns how many it wrote. To be called before the first request; on an error nothing may be answered.
    ///
    /// A line whose sink is no longer configured goes to the others, unless nothing in it is hashed.
    pub fn restore(&self, rows: Vec<Vec<u8>>) -> Result<usize, AuditError> {
        let rows = rows.iter().map(|row| decode(row)).collect::<Result<Vec<_>, _>>()?;
        let mut sinks: Vec<Restored<'_>> = Vec::new();
        if !rows.is_empty() {
            sinks.extend(self.shared.outlets.iter().map(Restored::new));
        }
        let mut holders = Vec::with_capacity(rows.len());
        for lines in &rows {
            let of_row = lines.iter().flat_map(|line| {
                let own = sinks.iter().position(|sink| sink.outlet.config.name == line.sink);
                own.into_iter().map(move |sink| (sink, line.line))
            });
            let mut wanted: Vec<(usize, &[u8])> = of_row.collect();
            if wanted.is_empty() {
                let gone = |name: &str| AuditError::SinkGone { name: name.to_owned() };
                let hashed = lines.iter().find(|line| !line.raw);
                let line = hashed.ok_or_else(|| gone(lines.first().map_or("", |line| line.sink)))?;
                wanted = (0..sinks.len()).map(|sink| (sink, line.line)).collect();
                if wanted.is_empty() {
                    return Err(gone(line.sink));
                }
            }
            let mut held = Vec::with_capacity(wanted.len());
            let mut causes = Vec::new();
            for (at, line) in wanted {
                let Some(sink) = sinks.get_mut(at) else { continue };
                match sink.put(self, line) {
                    Ok(()) => held.push(at),
                    Err(cause) => causes.push((sink.outlet, cause)),
                }
            }
            if held.is_empty() {
                return Err(refused(&causes));
            }
            holders.push(held);
        }
        let written = sinks.iter().map(|sink| sink.written).sum();
        self.sync_restored(&sinks, &holders)?;
        self.shared.rounds.cover_the_past();
        Ok(written)
    }

    /// Lines that were found may be in the kernel's hands only: what is found or written counts once it is synced.
    fn sync_restored(&self, sinks: &[Restored<'_>], holders: &[Vec<usize>]) -> Result<(), AuditError> {
        let mut causes = Vec::new();
        let mut lost = HashSet::new();
        for (at, sink) in sinks.iter().enumerate() {
            if let Err(cause) = sink.outlet.config.sink.sync() {
                self.shared.note(sink.outlet, Some(&cause));
                causes.push((sink.outlet, cause));
                lost.insert(at);
            }
        }
        let safe = holders.iter().all(|held| held.iter().any(|at| !lost.contains(at)));
        if safe { Ok(()) } else { Err(refused(&causes)) }
    }
}

/// A sink while rows are restored to it.
struct Restored<'b> {
    outlet: &'b Outlet,
    /// Its last lines.
    tail: HashSet<Vec<u8>>,
    written: usize,
}

impl<'b> Restored<'b> {
    fn new(outlet: &'b Outlet) -> Self {
        // A tail that cannot be read is one without lines: all are written again.
        let tail = outlet.config.sink.tail(TAIL).unwrap_or_default();
        let tail = tail.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        Self { outlet, tail, written: 0 }
    }

    fn put(&mut self, broker: &Broker, line: &[u8]) -> io::Result<()> {
        if !self.tail.contains(line) {
            broker.shared.write(self.outlet, line)?;
            self.written += 1;
        }
        Ok(())
    }
}
