//! Power cuts: SIGKILL leaves what was written in the system's cache, a power cut does not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::disk::Disk;
use super::load::{Random, Writer, check, wait};
use super::*;

const WRITERS: usize = 3;

/// Writes from several threads and cuts the power at some point. Returns what the disk then holds, and the last step of
/// each writer that had been acknowledged.
fn cut_under_load(random: &mut Random) -> (Disk, [u64; WRITERS]) {
    let disk = Disk::default();
    let store = RedbStore::behind(disk.clone(), options()).unwrap();
    let acknowledged = Mutex::new([0; WRITERS]);
    let (stop, steps, last_step) = (AtomicBool::new(false), AtomicU64::new(0), random.below(60));
    std::thread::scope(|scope| {
        for id in 0..WRITERS {
            let (store, acknowledged, stop, steps) = (&store, &acknowledged, &stop, &steps);
            scope.spawn(move || {
                let mut writer = Writer::resume(id as u8, &**store);
                while !stop.load(Ordering::Relaxed) {
                    let step = wait(writer.step(&**store)).unwrap();
                    acknowledged.lock().unwrap()[id] = step;
                    steps.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while steps.load(Ordering::Relaxed) < last_step {
            std::thread::yield_now();
        }
        // Held, so that no writer goes on: of each, one step may have been answered and not be noted.
        let noted = acknowledged.lock().unwrap();
        let (left, acknowledged) = (disk.cut_power(random), *noted);
        stop.store(true, Ordering::Relaxed);
        (left, acknowledged)
    })
}

fn check_all(disk: &Disk, acknowledged: &[u64]) {
    let store = RedbStore::behind(disk.clone(), Options { verify: true, ..options() }).unwrap();
    check(&*store.snapshot().unwrap(), acknowledged);
}

#[test]
fn acknowledged_writes_survive_power_cuts() {
    for seed in 0..150 {
        let (left, acknowledged) = cut_under_load(&mut Random(seed));
        let store = RedbStore::behind(left, options()).unwrap();
        check(&*store.snapshot().unwrap(), &acknowledged);
    }
}

#[test]
fn a_second_power_cut_while_it_recovers_loses_nothing() {
    for seed in 1000..1030 {
        let mut random = Random(seed);
        let (left, acknowledged) = cut_under_load(&mut random);
        for calls in 1.. {
            let again = Disk::holding(left.now());
            again.fail_after(calls, true);
            let opened = RedbStore::behind(again.clone(), options());
            let whole = opened.is_ok() && !again.has_failed();
            drop(opened);
            check_all(&again.cut_power(&mut random), &acknowledged);
            if whole {
                break;
            }
        }
    }
}
