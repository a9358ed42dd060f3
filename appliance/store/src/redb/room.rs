//! The reserve of free space.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::statvfs::fstatvfs;

use super::options::{FreeSpace, Reserve, Space};

/// After this the free space is asked again.
const ASK_AFTER: Duration = Duration::from_secs(1);
/// After so many bytes of batches too.
const ASK_AFTER_BYTES: u64 = 16 << 20;

/// Whether there is room for a batch.
pub(super) struct Room {
    free_space: Box<dyn FreeSpace>,
    reserve: Reserve,
    asked: Option<Instant>,
    /// What may be written before it is asked again.
    budget: u64,
    /// What of the reserve may be used until then by what frees.
    below: u64,
}

impl Room {
    pub(super) fn new(free_space: Box<dyn FreeSpace>, reserve: Reserve) -> Self {
        Self { free_space, reserve, asked: None, budget: 0, below: 0 }
    }

    /// Whether `bytes` may be written and the reserve still be free; or the last of it, if they free something.
    pub(super) fn allows(&mut self, bytes: usize, frees: bool) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let fresh = self.asked.is_some_and(|asked| asked.elapsed() < ASK_AFTER);
        let is_covered = bytes <= self.budget || (frees && bytes <= self.below);
        if !fresh || !is_covered {
            self.asked = Some(Instant::now());
            // A file system that does not say how much is free has nothing free.
            let space = self.free_space.now().unwrap_or(Space { free: 0, total: 0 });
            let beyond = |reserve| space.free.saturating_sub(reserve);
            let above = beyond(self.reserve.bytes(space.total));
            self.below = beyond(self.reserve.last(space.total)) - above;
            self.budget = above.min(ASK_AFTER_BYTES.max(bytes));
        }
        let from = if frees && bytes > self.budget { &mut self.below } else { &mut self.budget };
        match from.checked_sub(bytes) {
            Some(left) => {
                *from = left;
                true
            }
            None => false,
        }
    }
}

/// The file system that a file is on.
pub(super) struct FileSystemOf(pub(super) File);

impl FreeSpace for FileSystemOf {
    fn now(&self) -> io::Result<Space> {
        let stat = fstatvfs(&self.0)?;
        #[allow(clippy::useless_conversion, reason = "the counts are 32 bits wide on some targets")]
        let bytes = |blocks| u64::from(stat.fragment_size()).saturating_mul(u64::from(blocks));
        Ok(Space { free: bytes(stat.blocks_available()), total: bytes(stat.blocks()) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Fake {
        free: Arc<AtomicU64>,
        asked: Arc<AtomicU64>,
    }

    impl FreeSpace for Fake {
        fn now(&self) -> io::Result<Space> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            match self.free.load(Ordering::SeqCst) {
                u64::MAX => Err(io::Error::other("does not answer")),
                free => Ok(Space { free, total: 10 << 30 }),
            }
        }
    }

    #[test]
    fn the_reserve_is_left_alone() {
        let fake = Fake::default();
        let set = |bytes| fake.free.store(bytes, Ordering::SeqCst);
        let mut room = Room::new(Box::new(fake.clone()), Reserve { percent: 5, at_least: 1000 });
        let reserve = (10 << 30) / 100 * 5;
        set(reserve + 99);
        assert!(!room.allows(100, false));
        set(reserve + 100);
        assert!(room.allows(100, false));
        assert!(!room.allows(1000, false), "asked again when the budget is used up");
        set(u64::MAX);
        assert!(!room.allows(1000, false), "silence means no");
        assert_eq!(Reserve { percent: 5, at_least: 1000 }.bytes(100), 1000);
    }

    #[test]
    fn what_frees_may_use_the_reserve_but_not_the_last_of_it() {
        let fake = Fake::default();
        let set = |bytes| fake.free.store(bytes, Ordering::SeqCst);
        let mut room = Room::new(Box::new(fake.clone()), Reserve { percent: 0, at_least: 1000 });
        set(1000);
        assert!(!room.allows(100, false));
        assert!(room.allows(700, true));
        set(349);
        room.asked = None;
        assert!(!room.allows(100, true), "really full");
        set(350);
        assert!(!room.allows(100, false));
        room.asked = None;
        assert!(room.allows(100, true));
        set(u64::MAX);
        room.asked = None;
        assert!(!room.allows(1, true), "silence means no");
    }

    #[test]
    fn it_is_seldom_asked() {
        let fake = Fake::default();
        fake.free.store(5 << 30, Ordering::SeqCst);
        let mut room = Room::new(Box::new(fake.clone()), Reserve::default());
        assert!((0..1000).all(|_| room.allows(1000, false)));
        assert!(fake.asked.load(Ordering::SeqCst) < 100);
        assert!(room.allows(100 << 20, false), "a batch may be larger than the interval");
    }

    #[test]
    fn a_file_system_answers() {
        let space = FileSystemOf(tempfile::tempfile().unwrap()).now().unwrap();
        assert!(space.free <= space.total && space.total > 0);
    }
}
