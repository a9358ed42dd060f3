//! How a store is opened.

use std::io;
use std::time::Duration;

use crate::MAX_BATCH;

/// How to open a [`super::RedbStore`]. The default is what a production node uses, but for `on_poison`.
pub struct Options {
    /// Memory for pages, in bytes. 16 MiB.
    pub cache_bytes: usize,
    /// Largest batch, in bytes: [`MAX_BATCH`].
    pub batch_bytes: usize,
    /// Batches that may wait or be at work; more wait before they queue. 4096.
    pub queue: usize,
    /// How long the writer waits for the callers that it has just answered to come back, so that they share
    /// the next sync. A lone caller never waits. 300 µs.
    pub gather: Duration,
    /// Free space below which only deletes go on, and what frees.
    pub reserve: Reserve,
    /// Who knows the free space. `None`: the file's own file system.
    pub free_space: Option<Box<dyn FreeSpace>>,
    /// Whether a file that is not there is made. True.
    pub create: bool,
    /// Whether to check every page before anything is served: reads the whole file. False.
    pub verify: bool,
    /// Told once, with the cause, when the store is poisoned: the process should end.
    pub on_poison: Box<dyn Fn(&str) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 16 << 20,
            batch_bytes: MAX_BATCH,
            queue: 4096,
            gather: Duration::from_micros(300),
            reserve: Reserve::default(),
            free_space: None,
            create: true,
            verify: false,
            on_poison: Box::new(|_| {}),
        }
    }
}

/// The free space that writes leave alone: the larger of the two. Deletes may use it, for a copy-on-write file
/// grows before it shrinks; and what [frees](crate::Batch::frees) may, all but the last quarter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Of the file system's size. 5.
    pub percent: u8,
    /// In bytes. 256 MiB.
    pub at_least: u64,
}

impl Default for Reserve {
    fn default() -> Self {
        Self { percent: 5, at_least: 256 << 20 }
    }
}

impl Reserve {
    /// No reserve.
    pub const NONE: Self = Self { percent: 0, at_least: 0 };

    /// In bytes, on a file system of `total` bytes.
    pub(super) fn bytes(self, total: u64) -> u64 {
        (total / 100).saturating_mul(self.percent.into()).max(self.at_least)
    }

    /// What is left to deletes alone: a transaction writes some pages for each change, and a disk that is full in
    /// its midst ends the process.
    pub(super) fn last(self, total: u64) -> u64 {
        self.bytes(total) / 4
    }
}

/// Knows how much space is free.
pub trait FreeSpace: Send + Sync {
    /// Now. Asked by the writer thread, about once a second and every 16 MiB, and for each put while there is too
    /// little.
    fn now(&self) -> io::Result<Space>;
}

/// A file system's space, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for this process.
    pub free: u64,
    /// Its size.
    pub total: u64,
}
