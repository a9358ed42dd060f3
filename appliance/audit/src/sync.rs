//! Which lines are on the disk.
//!
//! A *round* syncs every sink that has taken lines, at most every [`PERIOD`], and then knows a ticket up to which every
//! request's line is on the disk in at least one sink: if all sinks that took lines were synced, or if one was synced
//! that has missed no line. A sink whose sync failed takes no more lines and is never synced again: the kernel may have
//! dropped what it could not write, and would call the next sync a success.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Broker;
use crate::broker::Shared;

/// Time between the beginnings of two rounds.
pub(crate) const PERIOD: Duration = Duration::from_millis(100);

/// The state of the rounds.
pub(crate) struct Rounds {
    /// The next ticket.
    pub(crate) next: AtomicU64,
    /// Held for reading from taking a ticket to the end of its writes.
    pub(crate) gate: RwLock<()>,
    first_ticket: u64,
    /// Every ticket up to this one is on the disk.
    covered: AtomicU64,
    /// Whether there is something to sync.
    dirty: AtomicBool,
    due: Notify,
    /// Told at the end of every round.
    ended: Notify,
    /// By sink: whether it has lines that no successful sync covers. Locked for the whole of a round.
    unsynced: Mutex<Vec<bool>>,
    /// When the last round began. Locked by whoever waits for the next.
    last: tokio::sync::Mutex<Option<Instant>>,
}

impl Rounds {
    pub(crate) fn new(first_ticket: u64, sinks: usize) -> Self {
        Self {
            next: AtomicU64::new(first_ticket),
            gate: RwLock::default(),
            first_ticket,
            covered: AtomicU64::new(0),
            dirty: AtomicBool::new(false),
            due: Notify::new(),
            ended: Notify::new(),
            unsynced: Mutex::new(vec![false; sinks]),
            last: tokio::sync::Mutex::default(),
        }
    }

    /// There is something to sync. The sink's own mark comes first, so that no round overlooks it.
    pub(crate) fn wake(&self) {
        if !self.dirty.swap(true, Ordering::SeqCst) {
            self.due.notify_one();
        }
    }

    /// Everything before this run of the program is on the disk.
    pub(crate) fn cover_the_past(&self) {
        self.covered.fetch_max(self.first_ticket - 1, Ordering::SeqCst);
        self.ended.notify_waiters();
    }
}

impl Broker {
    /// Waits until the lines of all requests up to some ticket greater than `after` are on the disk, and returns that
    /// ticket. The log is synced only while somebody waits here: core does, in a loop. Needs the runtime's time.
    ///
    /// Does not end while there is nothing new, or when the only sink that had the lines has lost them.
    pub async fn synced(&self, after: u64) -> u64 {
        let rounds = &self.shared.rounds;
        loop {
            let mut ended = pin!(rounds.ended.notified());
            // From here on no round ends unnoticed.
            ended.as_mut().enable();
            let covered = rounds.covered.load(Ordering::SeqCst);
            if covered > after {
                return covered;
            }
            // One of those who wait does the work, the others see its end.
            tokio::select! {
                () = ended => {}
                () = self.next_round() => {}
            }
        }
    }

    /// The next round, once there is something to sync and its time has come.
    async fn next_round(&self) {
        let rounds = &self.shared.rounds;
        let mut last = rounds.last.lock().await;
        while !rounds.dirty.load(Ordering::SeqCst) {
            rounds.due.notified().await;
        }
        if let Some(last) = *last {
            tokio::time::sleep_until(last + PERIOD).await;
        }
        *last = Some(Instant::now());
        let shared = Arc::clone(&self.shared);
        // Its result is in `covered`: nothing is lost if the caller goes away meanwhile.
        let _ = tokio::task::spawn_blocking(move || shared.round()).await;
    }

    /// Syncs now, and returns the ticket up to which every line is on the disk.
    #[cfg(test)]
    pub(crate) fn sync_now(&self) -> u64 {
        self.shared.round()
    }
}

impl Shared {
    /// One round.
    pub(crate) fn round(&self) -> u64 {
        let rounds = &self.rounds;
        let mut unsynced = rounds.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.dirty.store(false, Ordering::SeqCst);
        let newest = {
            let _none_is_writing = rounds.gate.write().unwrap_or_else(PoisonError::into_inner);
            for (outlet, unsynced) in self.outlets.iter().zip(unsynced.iter_mut()) {
                *unsynced |= outlet.dirty.swap(false, Ordering::SeqCst);
            }
            rounds.next.load(Ordering::SeqCst) - 1
        };
        for (outlet, unsynced) in
            self.outlets.iter().zip(unsynced.iter_mut()).filter(|(_, unsynced)| **unsynced)
        {
            let synced: io::Result<()> = outlet.config.sink.sync();
            if let Err(cause) = &synced {
                self.note(outlet, Some(cause));
            }
            *unsynced = synced.is_err();
        }
        let covered = rounds.covered.load(Ordering::SeqCst);
        let mut states = self.outlets.iter().zip(unsynced.iter());
        let all = unsynced.iter().all(|unsynced| !unsynced);
        if all
            || states.any(|(outlet, unsynced)| !unsynced && outlet.missed.load(Ordering::SeqCst) <= covered)
        {
            rounds.covered.fetch_max(newest, Ordering::SeqCst);
        }
        rounds.ended.notify_waiters();
        rounds.covered.load(Ordering::SeqCst)
    }
}
