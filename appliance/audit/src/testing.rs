//! For tests: a sink in memory, and the suite that every sink passes.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Sink;

/// A sink that keeps its lines and does what it is told.
#[derive(Default)]
pub struct MemorySink(Mutex<State>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// How much of `bytes` has been synced.
    synced: usize,
    syncs: usize,
    writes: usize,
    mood: Mood,
    sync_fails: bool,
    broken: bool,
}

/// What a [`MemorySink`] does with lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes them.
    #[default]
    Well,
    /// Refuses them all, as a full disk does.
    Refusing,
    /// Takes the lines before effects and refuses those before answers.
    RefusingResponses,
}

impl MemorySink {
    /// Empty, and well.
    pub fn new() -> Self {
        Self::default()
    }

    /// What to do from now on.
    pub fn set(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Whether the next sync fails.
    pub fn fail_sync(&self) {
        self.state().sync_fails = true;
    }

    /// The lines, without their ends.
    pub fn lines(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.state().bytes).lines().map(str::to_owned).collect()
    }

    /// How often it was synced.
    pub fn syncs(&self) -> usize {
        self.state().syncs
    }

    /// How many writes it has taken.
    pub fn writes(&self) -> usize {
        self.state().writes
    }

    /// How many lines are synced.
    pub fn synced_lines(&self) -> usize {
        let state = self.state();
        state.bytes.iter().take(state.synced).filter(|byte| **byte == b'\n').count()
    }

    /// Loses what was not synced, as a power cut does.
    pub fn lose_unsynced(&self) {
        let mut state = self.state();
        let synced = state.synced;
        state.bytes.truncate(synced);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let is_response = line.windows(RESPONSE.len()).any(|window| window == RESPONSE);
        match state.mood {
            _ if state.broken => Err(io::Error::other("lost lines")),
            Mood::Refusing => Err(io::ErrorKind::StorageFull.into()),
            Mood::RefusingResponses if is_response => Err(io::ErrorKind::StorageFull.into()),
            Mood::Well | Mood::RefusingResponses => {
                state.bytes.extend_from_slice(line);
                state.writes += 1;
                Ok(())
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        if std::mem::take(&mut state.sync_fails) || state.broken {
            state.broken = true;
            return Err(io::Error::other("lost lines"));
        }
        state.synced = state.bytes.len();
        state.syncs += 1;
        Ok(())
    }

    fn reopen(&self) -> io::Result<()> {
        Ok(())
    }

    fn tail(&self, bytes: usize) -> io::Result<Vec<u8>> {
        let state = self.state();
        let from = state.bytes.len().saturating_sub(bytes);
        Ok(state.bytes.get(from..).unwrap_or_default().to_vec())
    }
}

const RESPONSE: &[u8] = br#""type":"response""#;

/// What every sink that can be read back promises; the text says which promise `make`'s sinks break. Each call of `make`
/// is to return an empty sink.
pub fn conformance(make: &dyn Fn() -> Arc<dyn Sink>) -> Result<(), String> {
    lines_are_kept_in_order(&*make())?;
    tails_are_bounded(&*make())?;
    nothing_is_lost_by_syncing_or_reopening(&*make())?;
    writers_do_not_mix(&make())
}

fn lines_are_kept_in_order(sink: &dyn Sink) -> Result<(), String> {
    let mut all = Vec::new();
    // From one byte to far more than a pipe or a page holds.
    for length in [1, 2, 100, 4096, 70_000, 1_000_000] {
        let mut line = vec![b'x'; length - 1];
        line.push(b'\n');
        done("write", sink.write(&line))?;
        all.extend_from_slice(&line);
    }
    let kept = done("tail", sink.tail(2 * all.len()))?;
    ensure(kept == all, "the lines are not there as they were written")
}

fn tails_are_bounded(sink: &dyn Sink) -> Result<(), String> {
    ensure(done("tail of nothing", sink.tail(10))?.is_empty(), "a new sink is not empty")?;
    done("write", sink.write(b"first\n"))?;
    done("write", sink.write(b"second\n"))?;
    ensure(done("tail", sink.tail(0))?.is_empty(), "a tail of 0 bytes has some")?;
    ensure(done("tail", sink.tail(4))? == b"ond\n", "a tail is not the last bytes")?;
    ensure(done("tail", sink.tail(usize::MAX))? == b"first\nsecond\n", "the longest tail is not all there is")
}

fn nothing_is_lost_by_syncing_or_reopening(sink: &dyn Sink) -> Result<(), String> {
    done("sync of nothing", sink.sync())?;
    done("write", sink.write(b"one\n"))?;
    done("sync", sink.sync())?;
    done("sync again", sink.sync())?;
    done("reopen", sink.reopen())?;
    done("write after reopen", sink.write(b"two\n"))?;
    ensure(done("tail", sink.tail(100))? == b"one\ntwo\n", "reopening what was not moved has lost lines")
}

fn writers_do_not_mix(sink: &Arc<dyn Sink>) -> Result<(), String> {
    const WRITERS: u8 = 4;
    const LINES: usize = 200;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let sink = Arc::clone(sink);
            thread::spawn(move || {
                for length in 1..=LINES {
                    let mut line = vec![b'a' + writer; length * 7];
                    line.push(b'\n');
                    done("write", sink.write(&line))?;
                    if length % 50 == 0 {
                        done("sync", sink.sync())?;
                    }
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    for writer in writers {
        writer.join().map_err(|_| "a writer panicked".to_owned())??;
    }
    let all = done("tail", sink.tail(usize::MAX))?;
    let lines: Vec<&[u8]> = all.split_inclusive(|byte| *byte == b'\n').collect();
    ensure(lines.len() == usize::from(WRITERS) * LINES, "lines of several writers are missing")?;
    let mut next = [1; WRITERS as usize];
    for line in lines {
        let writer = line.first().copied().unwrap_or_default().wrapping_sub(b'a');
        let next = next.get_mut(usize::from(writer)).ok_or("a line begins with a foreign byte")?;
        let (end, text) = line.split_last().ok_or("an empty line")?;
        let whole =
            *end == b'\n' && text.len() == *next * 7 && text.iter().all(|byte| *byte == b'a' + writer);
        ensure(whole, "lines of several writers are mixed or out of order")?;
        *next += 1;
    }
    Ok(())
}

fn done<T>(what: &str, result: io::Result<T>) -> Result<T, String> {
    result.map_err(|cause| format!("{what}: {cause}"))
}

fn ensure(holds: bool, broken: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken.to_owned()) }
}
