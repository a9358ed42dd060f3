//! For tests: a sink in memory, and the suite that every sink passes.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
