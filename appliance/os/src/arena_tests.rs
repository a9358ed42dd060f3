use std::io::{Read, Seek, SeekFrom};
use std::thread;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::*;

const KEY: &[u8; 32] = b"a key of thirty-two bytes, plain";

fn arena(bytes: usize) -> Arc<Arena> {
    Arena::new(bytes, Protection::BestEffort).unwrap()
}

#[test]
fn a_key_comes_back_as_it_was() {
    let arena = arena(4096);
    for len in [0, 1, 31, 32, 33, 64, 100] {
        let key: Vec<u8> = (0..len).collect();
        let kept = arena.keep(&key).unwrap();
        kept.with(|bytes| assert_eq!(bytes, key));
    }
}

#[test]
fn a_dropped_key_is_wiped_and_its_place_is_free() {
    let arena = arena(4096);
    let free = arena.free();
    let kept = arena.keep(KEY).unwrap();
    assert_eq!(arena.free(), free - 32);
    let place = kept.start();
    drop(kept);
    assert_eq!(arena.free(), free);
    // SAFETY: within the mapping, and no key has been kept there since.
    assert_eq!(unsafe { std::slice::from_raw_parts(place, 32) }, [0; 32]);
}

#[test]
fn a_failed_fill_leaves_nothing() {
    let arena = arena(4096);
    let free = arena.free();
    let mut place = std::ptr::null();
    let failed = arena.keep_with(32, |slot| {
        slot.copy_from_slice(KEY);
        place = slot.as_ptr();
        Err(ArenaError::Full)
    });
    assert!(failed.is_err());
    assert_eq!(arena.free(), free);
    // SAFETY: within the mapping, and no key has been kept there since.
    assert_eq!(unsafe { std::slice::from_raw_parts(place, 32) }, [0; 32]);
}

#[test]
fn a_full_arena_is_an_error_and_a_freed_one_takes_keys_again() {
    let arena = arena(4096);
    let mut keys: Vec<Kept> = (0..arena.free() / 32).map(|_| arena.keep(KEY).unwrap()).collect();
    assert!(matches!(arena.keep(KEY), Err(ArenaError::Full)));
    assert!(matches!(arena.keep(b""), Err(ArenaError::Full)));
    keys.swap_remove(7);
    assert!(matches!(arena.keep(&[1; 33]), Err(ArenaError::Full)), "two slots in a row are not free");
    arena.keep(KEY).unwrap();
}

#[test]
fn keys_of_many_threads_do_not_meet() {
    let arena = arena(64 * 1024);
    thread::scope(|scope| {
        for seed in 0..4u8 {
            let arena = &arena;
            scope.spawn(move || {
                for round in 0..500usize {
                    let key = vec![seed; 1 + round % 90];
                    let kept = arena.keep(&key).unwrap();
                    let other = arena.keep(&[0xEE; 40]).unwrap();
                    kept.with(|bytes| assert_eq!(bytes, key));
                    drop(other);
                    kept.with(|bytes| assert_eq!(bytes, key));
                }
            });
        }
    });
    assert_eq!(arena.free(), 64 * 1024);
}

/// Ends as the closure does in a child that shares nothing but the memory of this moment.
fn in_fork(child: impl FnOnce()) -> WaitStatus {
    // SAFETY: the child calls nothing that takes a lock of another thread: it reads memory and ends.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            child();
            // SAFETY: ends the process without running anything of the test harness.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => waitpid(child, None).unwrap(),
    }
}

fn is_segv(status: WaitStatus) -> bool {
    matches!(status, WaitStatus::Signaled(_, Signal::SIGSEGV, _))
}

/// The harness' own handler for SIGSEGV would return once; without it the first fault ends the process.
fn default_segv() {
    // SAFETY: sets a default action in a child that has one thread.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
}

#[test]
fn both_ends_are_guarded_and_a_child_sees_nothing() {
    for backing in [Backing::SecretMemory, Backing::Locked, Backing::Ordinary] {
        let Ok(mapping) = Mapping::new(100, backing) else {
            println!("{backing}: not on this machine");
            continue;
        };
        let start = mapping.start().as_ptr();
        // SAFETY: the mapping is new, and nobody else knows it.
        unsafe { start.write(7) };
        let peek = |offset: isize| {
            in_fork(|| {
                default_segv();
                // SAFETY: a test of what the kernel does about it, in a process made for that.
                let _ = unsafe { start.wrapping_offset(offset).read_volatile() };
            })
        };
        assert!(is_segv(peek(0)), "{backing}: not there in a child");
        for outside in [-1, mapping.len() as isize] {
            assert!(is_segv(peek(outside)), "{backing}: guard at {outside}");
        }
        // SAFETY: as above.
        assert_eq!(unsafe { start.read() }, 7);
    }
}

#[test]
fn secret_memory_is_not_in_proc_self_mem() {
    let arena = arena(4096);
    if arena.backing() != Backing::SecretMemory {
        println!("no memfd_secret on this machine");
        return;
    }
    let kept = arena.keep(KEY).unwrap();
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let mut peek = |at: *const u8| {
        let mut found = [0; 32];
        memory.seek(SeekFrom::Start(at.addr() as u64)).unwrap();
        memory.read_exact(&mut found).map(|()| found)
    };
    assert_eq!(peek(KEY.as_ptr()).unwrap(), *KEY, "the control: an ordinary page is read");
    assert!(peek(kept.start()).is_err());
}

#[test]
fn required_protection_is_never_ordinary_memory() {
    match Arena::new(4096, Protection::Required) {
        Ok(arena) => assert_ne!(arena.backing(), Backing::Ordinary),
        Err(error) => assert!(error.to_string().contains("LimitMEMLOCK"), "{error}"),
    }
}

#[test]
fn an_absurd_size_is_an_error() {
    assert!(Arena::new(usize::MAX, Protection::BestEffort).is_err());
    assert!(Arena::new(usize::MAX / 2, Protection::Required).is_err());
}

#[test]
fn whatever_is_taken_and_given_back_no_two_keys_lie_in_one_place() {
    let arena = arena(4096);
    let all = arena.free();
    let mut held: Vec<(u8, Kept)> = Vec::new();
    // A little arithmetic for chance: lengths of one to four slots, given back in no order.
    let mut state = 7_usize;
    for round in 0..2000_u32 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (length, mark) = (1 + (state >> 33) % 128, u8::try_from(round % 251).unwrap());
        match arena.keep(&vec![mark; length]) {
            Ok(kept) => held.push((mark, kept)),
            Err(_) => drop(held.swap_remove((state >> 40) % held.len())),
        }
        assert!(held.iter().all(|(mark, kept)| kept.with(|bytes| bytes.iter().all(|byte| byte == mark))));
        let taken: usize = held.iter().map(|(_, kept)| slots(kept.len) * SLOT).sum();
        assert_eq!(arena.free(), all - taken);
    }
    held.clear();
    assert_eq!(arena.free(), all);
    arena.keep(&vec![1; all]).unwrap();
}
