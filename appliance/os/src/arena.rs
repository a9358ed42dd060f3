//! Locked memory for keys.
//!
//! One mapping, made at start, in slots of 32 bytes; a key takes as many slots in a row as it needs. It is reached
//! by closure only, so that no reference outlives it, and wiped when its [`Kept`] is dropped. A full arena is an
//! error, never memory of another kind.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

use crate::memory::Mapping;

/// Bytes of one slot: an AES-256 key.
const SLOT: usize = 32;

/// How well the memory of an arena has to be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Secret or locked memory, or no arena: production.
    Required,
    /// Ordinary memory if there is no better: development and tests.
    BestEffort,
}

/// What the memory of an arena is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// `memfd_secret`: the kernel has no mapping of its own; no debugger or dump reads it.
    SecretMemory,
    /// `mlock`: never in swap, left out of dumps and of children.
    Locked,
    /// Left out of dumps and of children, but may be swapped. Only with [`Protection::BestEffort`].
    Ordinary,
}

/// Memory for keys. See the [module](self).
pub struct Arena {
    mapping: Mapping,
    backing: Backing,
    slots: Mutex<Slots>,
}

struct Slots {
    /// Which are taken.
    taken: Box<[bool]>,
    /// All before this one are.
    full_up_to: usize,
    /// How many are not.
    free: usize,
}

/// A key in an [`Arena`]: wiped when dropped.
///
/// ```compile_fail
/// let arena = strongroom_os::Arena::new(4096, strongroom_os::Protection::BestEffort).unwrap();
/// println!("{:?}", arena.keep(b"key").unwrap());
/// ```
pub struct Kept {
    arena: Arc<Arena>,
    first: usize,
    len: usize,
}

/// Why there is no arena, or no room in it.
#[derive(Debug)]
pub enum ArenaError {
    /// The kernel gives no protected memory of this size.
    Unprotected {
        /// How many bytes were asked for.
        bytes: usize,
        /// What `mlock` said.
        cause: io::Error,
    },
    /// The kernel gives no memory at all.
    NoMemory(io::Error),
    /// Every slot is taken.
    Full,
}

impl Arena {
    /// An arena for at least `bytes` bytes of keys.
    pub fn new(bytes: usize, protection: Protection) -> Result<Arc<Self>, ArenaError> {
        let (mapping, backing) = match Mapping::new(bytes, Backing::SecretMemory) {
            Ok(mapping) => (mapping, Backing::SecretMemory),
            Err(_) => match (Mapping::new(bytes, Backing::Locked), protection) {
                (Ok(mapping), _) => (mapping, Backing::Locked),
                (Err(cause), Protection::Required) => return Err(ArenaError::Unprotected { bytes, cause }),
                (Err(_), Protection::BestEffort) => {
                    (Mapping::new(bytes, Backing::Ordinary).map_err(ArenaError::NoMemory)?, Backing::Ordinary)
                }
            },
        };
        let free = mapping.len() / SLOT;
        let slots = Slots { taken: vec![false; free].into_boxed_slice(), full_up_to: 0, free };
        Ok(Arc::new(Self { mapping, backing, slots: Mutex::new(slots) }))
    }

    /// What the memory is: for the log line at start.
    pub fn backing(&self) -> Backing {
        self.backing
    }

    /// A copy of `key`; the caller wipes its own.
    pub fn keep(self: &Arc<Self>, key: &[u8]) -> Result<Kept, ArenaError> {
        self.keep_with(key.len(), |slot| {
            slot.copy_from_slice(key);
            Ok(())
        })
    }

    /// A key of `len` bytes that `fill` writes into zeros in place, so that it never lies elsewhere.
    pub fn keep_with<E: From<ArenaError>>(
        self: &Arc<Self>,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Kept, E> {
        let first = self.take(slots(len)).ok_or(ArenaError::Full)?;
        let mut kept = Kept { arena: Arc::clone(self), first, len };
        fill(kept.bytes_mut())?;
        Ok(kept)
    }

    /// How many bytes are free; they need not be in one piece.
    pub fn free(&self) -> usize {
        self.slots().free * SLOT
    }

    /// The first of `count` free slots in a row, now taken.
    fn take(&self, count: usize) -> Option<usize> {
        let mut slots = self.slots();
        let from = slots.full_up_to;
        let found = slots.taken.get(from..)?.windows(count).position(|run| run.iter().all(|taken| !taken))?;
        let first = from + found;
        slots.taken.iter_mut().skip(first).take(count).for_each(|taken| *taken = true);
        slots.free -= count;
        if found == 0 {
            slots.full_up_to = first + count;
        }
        Some(first)
    }

    fn give_back(&self, first: usize, count: usize) {
        let mut slots = self.slots();
        slots.taken.iter_mut().skip(first).take(count).for_each(|taken| *taken = false);
        slots.free += count;
        slots.full_up_to = slots.full_up_to.min(first);
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Lends the key to `f`.
    pub fn with<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: `take` gave these slots to this value alone, they lie within the mapping, which the arena keeps,
        // and nothing writes to them until `drop`, which needs `self` whole.
        f(unsafe { std::slice::from_raw_parts(self.start(), self.len) })
    }

    fn start(&self) -> *mut u8 {
        // SAFETY: `take` returned `first` as the index of a slot, so that its offset lies within the mapping.
        unsafe { self.arena.mapping.start().as_ptr().add(self.first * SLOT) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `with`; and `&mut self` means that nothing else looks at these slots.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        self.arena.give_back(self.first, slots(self.len));
    }
}

/// How many slots `len` bytes take.
fn slots(len: usize) -> usize {
    len.div_ceil(SLOT).max(1)
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretMemory => "secret memory (memfd_secret)",
            Self::Locked => "locked memory (mlock)",
            Self::Ordinary => "ordinary memory, which may be swapped",
        })
    }
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected { bytes, cause } => write!(
                f,
                "the kernel locks no {bytes} bytes of memory for keys: {cause}; raise the limit of locked memory \
                 (LimitMEMLOCK= in a systemd unit, `ulimit -l` in a shell)"
            ),
            Self::NoMemory(cause) => write!(f, "no memory for keys: {cause}"),
            Self::Full => f.write_str(
                "the memory for keys is full: make it larger (key_memory in the configuration) and restart",
            ),
        }
    }
}

impl std::error::Error for ArenaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unprotected { cause, .. } | Self::NoMemory(cause) => Some(cause),
            Self::Full => None,
        }
    }
}

#[cfg(test)]
#[path = "arena_tests.rs"]
mod tests;
