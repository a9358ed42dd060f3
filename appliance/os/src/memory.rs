//! One mapping for secrets between two guard pages.
//!
//! ```text
//! ┌────────────┬───────────────────────────────┬────────────┐
//! │ guard page │ whole pages, read and written │ guard page │
//! └────────────┴───────────────────────────────┴────────────┘
//! ```
//!
//! Whoever runs over either end gets SIGSEGV, not a key.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::NonNull;

use nix::sys::mman::{
    MapFlags, MmapAdvise, ProtFlags, madvise, mlock, mmap, mmap_anonymous, mprotect, munmap,
};
use nix::unistd::{SysconfVar, ftruncate, sysconf};
use zeroize::Zeroize;

use crate::Backing;

/// A mapping that is owned, and wiped before it is given back.
pub(crate) struct Mapping {
    whole: NonNull<c_void>,
    whole_len: NonZeroUsize,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and this type offers its address only; who reads and
// writes where is decided by the arena.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// At least `bytes` bytes of zeros, backed as `backing` says or not at all.
    pub(crate) fn new(bytes: usize, backing: Backing) -> io::Result<Self> {
        let page = page_size()?;
        let len = bytes.max(1).checked_next_multiple_of(page).ok_or(io::ErrorKind::OutOfMemory)?;
        let whole_len =
            len.checked_add(2 * page).and_then(NonZeroUsize::new).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing that exists.
        let whole = unsafe { mmap_anonymous(None, whole_len, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
        // SAFETY: one page into a mapping of at least three.
        let start = unsafe { whole.cast::<u8>().byte_add(page) };
        // From here on, dropping it gives the mapping back.
        let mapping = Self { whole, whole_len, start, len };
        match backing {
            Backing::SecretMemory => mapping.back_with_secret_memory()?,
            Backing::Locked => mapping.back_with_locked_memory()?,
            Backing::Ordinary => mapping.allow_access()?,
        }
        mapping.touch();
        Ok(mapping)
    }

    /// The first byte.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn inner(&self) -> NonNull<c_void> {
        self.start.cast()
    }

    /// Pages that the kernel itself has no mapping of: not in a dump, not by ptrace, not in `/proc/self/mem`.
    fn back_with_secret_memory(&self) -> io::Result<()> {
        // SAFETY: takes a flag, returns a new descriptor or -1.
        let fd = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(|_| io::ErrorKind::Other)?;
        // SAFETY: the kernel has just made it, and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        ftruncate(&fd, i64::try_from(self.len).map_err(|_| io::ErrorKind::OutOfMemory)?)?;
        let len = NonZeroUsize::new(self.len).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_FIXED;
        // SAFETY: MAP_FIXED replaces pages of our own anonymous mapping, to which no reference exists yet.
        unsafe { mmap(Some(self.start.addr()), len, access, flags, &fd, 0) }?;
        // SAFETY: these pages are ours; the advice changes what a fork does, not what they hold.
        unsafe { madvise(self.inner(), self.len, MmapAdvise::MADV_DONTFORK) }?;
        Ok(())
    }

    /// Pages that stay out of swap, dumps and children.
    fn back_with_locked_memory(&self) -> io::Result<()> {
        self.allow_access()?;
        // SAFETY: these pages are ours and stay mapped as long as `self`.
        unsafe { mlock(self.inner(), self.len) }?;
        Ok(())
    }

    fn allow_access(&self) -> io::Result<()> {
        // SAFETY: these pages are ours, and no reference to them exists yet.
        unsafe { mprotect(self.inner(), self.len, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE) }?;
        for advice in [MmapAdvise::MADV_DONTDUMP, MmapAdvise::MADV_WIPEONFORK, MmapAdvise::MADV_DONTFORK] {
            // SAFETY: advice on dumps and forks does not change what the pages hold in this process.
            unsafe { madvise(self.inner(), self.len, advice) }?;
        }
        Ok(())
    }

    /// Makes the pages exist: a lack of memory later would be a signal in the middle of a request.
    fn touch(&self) {
        // SAFETY: the pages are mapped for writing, hold zeros, and no reference to them exists yet.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }.zeroize();
    }
}

/// Every slot was wiped when its key was dropped.
impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nothing refers to it any more. An error would mean that it is not
        // mapped, in which case there is nothing to give back.
        let _ = unsafe { munmap(self.whole, self.whole_len.get()) };
    }
}

fn page_size() -> io::Result<usize> {
    let page = sysconf(SysconfVar::PAGE_SIZE)?.ok_or(io::ErrorKind::Unsupported)?;
    usize::try_from(page).map_err(|_| io::ErrorKind::Unsupported.into())
}
