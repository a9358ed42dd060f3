//! A disk that fails: nothing is acknowledged that is not there, nothing is tried again.

use super::disk::Disk;
use super::load::{Random, Writer, check, wait};
use super::*;

/// Opens a store and commits until the disk's call number `calls` fails. Returns the steps that were acknowledged, and
/// whether it failed at all.
fn until_it_fails(disk: &Disk, calls: u64, stays_broken: bool) -> (u64, bool) {
    disk.fail_after(calls, stays_broken);
    let reports = Reports::default();
    let store = match RedbStore::behind(disk.clone(), reports.options()) {
        Ok(store) => store,
        Err(error) => {
            assert!(matches!(error, OpenError::Io { .. }), "{error}");
            assert!(disk.has_failed());
            return (0, true);
        }
    };
    let mut writer = Writer::resume(0, &*store);
    for _ in 0..12 {
        let before = store.snapshot().unwrap();
        let Err(error) = wait(writer.step(&*store)) else { continue };
        assert!(error.to_string().contains("the disk fails (the disk has failed)"), "{error}");
        // Final, also when the disk works again.
        assert_eq!(wait(writer.step(&*store)).unwrap_err(), error);
        assert!(is_poisoned(store.snapshot()));
        assert!(is_poisoned(before.get(Space::Cluster, b"key")));
        assert!(is_poisoned(before.accumulated(Space::Cluster)));
        assert_eq!(reports.count(), 1);
        break;
    }
    assert_eq!(reports.count() == 1, disk.has_failed());
    (writer.last(), disk.has_failed())
}

#[test]
fn a_failing_call_is_final_and_loses_nothing() {
    for stays_broken in [false, true] {
        let mut calls = 1;
        loop {
            let disk = Disk::default();
            // A store that is there already: to make one is `open`'s matter.
            drop(RedbStore::behind(disk.clone(), options()).unwrap());
            let (acknowledged, failed) = until_it_fails(&disk, calls, stays_broken);
            if !failed {
                break;
            }
            let mut random = Random(calls);
            for left in [Disk::holding(disk.now()), disk.cut_power(&mut random), disk.cut_power(&mut random)]
            {
                let store = RedbStore::behind(left, options()).unwrap();
                check(&*store.snapshot().unwrap(), &[acknowledged]);
            }
            calls += 1;
        }
        assert!(calls > 50, "only {calls} calls");
    }
}

#[test]
fn everybody_who_waits_is_told() {
    let disk = Disk::default();
    let reports = Reports::default();
    let store = RedbStore::behind(disk.clone(), reports.options()).unwrap();
    disk.fail_after(1, true);
    let all: Vec<_> = (0..50_u8)
        .map(|n| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || wait(store.commit(put(&[n], b"value"))))
        })
        .collect();
    for one in all {
        assert!(is_poisoned(one.join().unwrap()));
    }
    assert_eq!(reports.count(), 1);
    drop(store);
}

#[test]
fn the_report_may_drop_the_store() {
    let disk = Disk::default();
    let last: Arc<Mutex<Option<Arc<RedbStore>>>> = Arc::default();
    let held = Arc::clone(&last);
    let on_poison = Box::new(move |_: &str| drop(held.lock().unwrap().take()));
    let store = RedbStore::behind(disk.clone(), Options { on_poison, ..options() }).unwrap();
    disk.fail_after(1, true);
    let commit = {
        *last.lock().unwrap() = Some(Arc::clone(&store));
        let store = Arc::clone(&store);
        std::thread::spawn(move || wait(store.commit(put(b"key", b"value"))))
    };
    drop(store);
    assert!(is_poisoned(commit.join().unwrap()));
}
