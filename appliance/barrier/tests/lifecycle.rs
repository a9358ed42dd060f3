//! The keyring from init to seal: what opens it, what a rotation keeps, what sealing leaves.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use common::*;
use strongroom_barrier::{Barrier, BarrierError, Due, Minute, Name, View, Write, plain};
use strongroom_store::{Batch, Expect, Snapshot, Space};
use strongroom_types::id::{ClusterId, MountId, NamespaceId};
use strongroom_types::{Secret, Timestamp};

#[test]
fn what_was_written_is_read_also_after_a_restart() {
    let bench = Bench::new();
    bench.put("team/db", "hunter2");
    bench.put("team", "beside its own directory");
    assert_eq!(bench.get("team/db").as_deref(), Some("hunter2"));
    assert_eq!(bench.get("team/none"), None);
    let again = bench.reopened(&root_key()).unwrap();
    assert_eq!(again.get("team/db").as_deref(), Some("hunter2"));
    assert_eq!(again.get("team").as_deref(), Some("beside its own directory"));
    again.write(Write::delete(name("team/db")));
    assert_eq!(again.get("team/db"), None);
}

#[test]
fn values_of_any_length() {
    let bench = Bench::new();
    for len in [0, 1, 15, 16, 17, 1024, 1 << 20] {
        let value = "x".repeat(len);
        bench.put("v", &value);
        assert!(bench.get("v") == Some(value), "{len}");
    }
}

#[test]
fn the_root_of_a_view_is_no_record() {
    let bench = Bench::new();
    let root = name("");
    assert!(bench.reader().get(&root).unwrap().is_none());
    let written = bench.view().seal(&Write::put(root, String::new()), &mut Batch::default());
    assert!(matches!(written, Err(BarrierError::NoName)));
}

#[test]
fn preconditions_reach_the_batch() {
    let bench = Bench::new();
    bench.put("a", "1");
    let seen = bench.reader().get(&name("a")).unwrap().unwrap();
    let expect_of = |write: Write| {
        let mut batch = Batch::default();
        bench.view().seal(&write, &mut batch).unwrap();
        batch.changes.remove(0).expect
    };
    assert_eq!(expect_of(Write::delete(name("a"))), Expect::Any);
    assert_eq!(expect_of(Write::delete(name("a")).if_unchanged(None)), Expect::Absent);
    assert_eq!(
        expect_of(Write::put(name("a"), String::new()).if_unchanged(Some(&seen))),
        Expect::Revision(seen.revision)
    );
}

#[test]
fn only_the_right_root_key_and_cluster_open() {
    let bench = Bench::new();
    for wrong in [vec![0x12; 32], vec![0x11; 31], vec![]] {
        assert!(matches!(bench.reopened(&Secret::from(wrong)), Err(BarrierError::WrongRootKey)));
    }
    let disk = bench.disk();
    let entropy = || std::sync::Arc::new(Seeded::default());
    let other = Barrier::open(ClusterId([1; 16]), &root_key(), &disk, arena(), entropy());
    assert!(matches!(other, Err(BarrierError::WrongRootKey)));
    let empty = Barrier::open(CLUSTER, &root_key(), &Disk::default(), arena(), entropy());
    assert!(matches!(empty, Err(BarrierError::NoKeyring)));
}

#[test]
fn a_damaged_keyring_does_not_open() {
    let bench = Bench::new();
    let record = bench.disk.lock().unwrap().records[plain::KEYRING].clone();
    let open_with = |record: Vec<u8>| {
        bench.disk.lock().unwrap().records.insert(plain::KEYRING.to_vec(), record);
        bench.reopened(&root_key()).err().unwrap()
    };
    for bit in 0..record.len() * 8 {
        let mut damaged = record.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(open_with(damaged), BarrierError::WrongRootKey | BarrierError::Damaged));
    }
    for len in 0..record.len() {
        assert!(matches!(
            open_with(record[..len].to_vec()),
            BarrierError::WrongRootKey | BarrierError::Damaged
        ));
    }
}

#[test]
fn after_a_rotation_old_records_and_names_are_found_and_new_ones_use_the_new_term() {
    let bench = Bench::new();
    let old_key = bench.put("team/old", "1");
    let mut batch = Batch::default();
    let rotation = bench.rotate(NOW.plus_secs(60), &mut batch).unwrap();
    assert_eq!(bench.barrier.key_status().term, 1, "not in use before it is committed");
    bench.commit(batch);
    rotation.install();
    let status = bench.barrier.key_status();
    assert_eq!((status.term, status.terms, status.installed), (2, 2, NOW.plus_secs(60)));
    assert_eq!(status.encryptions, 0);

    let new_key = bench.put("team/new", "2");
    for bench in [&bench, &bench.reopened(&root_key()).unwrap()] {
        assert_eq!(bench.get("team/old").as_deref(), Some("1"));
        assert_eq!(bench.get("team/new").as_deref(), Some("2"));
        assert_eq!(bench.reader().list(&name("team"), None, None).unwrap(), ["new", "old"]);
        assert_eq!(bench.barrier.key_status().term, 2);
        let disk = bench.disk.lock().unwrap();
        assert_eq!(disk.records[&old_key][1..5], [0, 0, 0, 1]);
        assert_eq!(disk.records[&new_key][1..5], [0, 0, 0, 2]);
    }
    assert_eq!(bench.put("team/old", "3"), old_key, "the same name lies where it lay");
    assert_eq!(bench.get("team/old").as_deref(), Some("3"));
}

#[test]
fn a_rotation_that_is_not_committed_changes_nothing() {
    let bench = Bench::new();
    bench.put("a", "1");
    let rotation = bench.rotate(NOW, &mut Batch::default()).unwrap();
    assert!(matches!(bench.rotate(NOW, &mut Batch::default()), Err(BarrierError::Busy)));
    drop(rotation);
    assert_eq!(bench.barrier.key_status().term, 1);
    let mut batch = Batch::default();
    let rotation = bench.rotate(NOW, &mut batch).unwrap();
    bench.commit(batch);
    rotation.install();
    bench.put("b", "2");
    let again = bench.reopened(&root_key()).unwrap();
    assert_eq!((again.get("a").as_deref(), again.get("b").as_deref()), (Some("1"), Some("2")));
}

#[test]
fn a_change_that_was_committed_unnoticed_is_not_written_over() {
    let bench = Bench::new();
    bench.put("a", "0");
    let new_root = Secret::copy_of(&[0x22; 32]);
    let mut batch = Batch::default();
    let lost = bench.barrier.rewrap(&new_root, 2, &bench.disk(), NOW, &mut batch).unwrap();
    bench.commit(batch);
    drop(lost); // the answer never came

    let mut batch = Batch::default();
    assert!(matches!(bench.rotate(NOW, &mut batch), Err(BarrierError::Superseded)));
    assert!(batch.is_empty());
    bench.put("a", "1");
    let again = bench.reopened(&new_root).unwrap();
    assert_eq!(again.get("a").as_deref(), Some("1"));
    drop(again.rotate(NOW, &mut batch).unwrap());

    // From a snapshot of before: the commit itself must refuse it.
    let old = bench.disk();
    let mut batch = Batch::default();
    let rotation = again.barrier.rotate(&old, NOW, &mut batch).unwrap().unwrap();
    let expected = old.get(Space::Cluster, plain::KEYRING).unwrap().unwrap().revision;
    assert_eq!(batch.changes[0].expect, Expect::Revision(expected));
    again.commit(batch);
    rotation.install();
    again.put("a", "2");
    assert!(matches!(again.barrier.rotate(&old, NOW, &mut Batch::default()), Err(BarrierError::Superseded)));
}

#[test]
fn many_terms_are_all_read() {
    let bench = Bench::new();
    for term in 1..=20 {
        assert_eq!(bench.barrier.key_status().term, term);
        bench.put(&format!("of/{term}"), &term.to_string());
        let mut batch = Batch::default();
        let rotation = bench.rotate(NOW, &mut batch).unwrap();
        bench.commit(batch);
        rotation.install();
    }
    let again = bench.reopened(&root_key()).unwrap();
    for term in (1..=20).rev() {
        assert_eq!(again.get(&format!("of/{term}")), Some(term.to_string()));
    }
}

#[test]
fn a_rotation_of_an_unused_term_adds_none() {
    let bench = Bench::new();
    let rotate = |bench: &Bench| {
        let mut batch = Batch::default();
        let rotation = bench.barrier.rotate(&bench.disk(), NOW, &mut batch).unwrap();
        assert_eq!(rotation.is_some(), !batch.is_empty());
        bench.commit(batch);
        rotation.into_iter().for_each(|rotation| rotation.install());
        bench.barrier.key_status().term
    };
    assert_eq!(rotate(&bench), 1);
    bench.put("a", "1");
    assert_eq!((rotate(&bench), rotate(&bench)), (2, 2));
    // What is only kept apart is under the term, too.
    bench.view().seal_apart(&name("apart"), b"2").unwrap();
    assert_eq!((rotate(&bench), rotate(&bench)), (3, 3));
    // Whether a term of before was used is not known.
    let again = bench.reopened(&root_key()).unwrap();
    assert_eq!((rotate(&again), rotate(&again)), (4, 4));
    assert_eq!(again.get("a").as_deref(), Some("1"));
}

#[test]
fn rotations_without_end_leave_room_for_new_root_keys() {
    let bench = Bench::with_room(512 * 1024);
    let refused = loop {
        bench.put("a", "1");
        let mut batch = Batch::default();
        match bench.rotate(NOW, &mut batch) {
            Ok(rotation) => {
                bench.commit(batch);
                rotation.install();
            }
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, BarrierError::TooManyTerms));
    let new_root = Secret::copy_of(&[0x22; 32]);
    let mut batch = Batch::default();
    bench.barrier.rewrap(&new_root, 2, &bench.disk(), NOW, &mut batch).unwrap().install();
    bench.commit(batch);
    assert!(bench.barrier.key_status().terms > 3000);
    assert_eq!(bench.reopened(&new_root).unwrap().get("a").as_deref(), Some("1"));
}

#[test]
fn a_new_root_key_replaces_the_old_one_and_adds_a_term() {
    let bench = Bench::new();
    bench.put("a", "1");
    let new_root = Secret::copy_of(&[0x22; 32]);
    let stale = bench.barrier.rewrap(&new_root, 1, &bench.disk(), NOW, &mut Batch::default());
    assert!(matches!(stale, Err(BarrierError::StaleTable)));
    let mut batch = Batch::default();
    let rotation = bench.barrier.rewrap(&new_root, 2, &bench.disk(), NOW, &mut batch).unwrap();
    bench.commit(batch);
    rotation.install();
    bench.put("b", "2");
    assert_eq!(bench.barrier.table_generation(), 2);

    assert!(matches!(bench.reopened(&root_key()), Err(BarrierError::WrongRootKey)));
    let again = bench.reopened(&new_root).unwrap();
    assert_eq!((again.get("a").as_deref(), again.get("b").as_deref()), (Some("1"), Some("2")));
    assert_eq!((again.barrier.table_generation(), again.barrier.key_status().term), (2, 2));
}

#[test]
fn the_table_mac_is_of_the_cluster_and_the_table_and_survives_a_restart() {
    let bench = Bench::new();
    let mac = bench.barrier.table_mac(b"table").unwrap();
    assert_eq!(bench.reopened(&root_key()).unwrap().barrier.table_mac(b"table").unwrap(), mac);
    assert_ne!(bench.barrier.table_mac(b"tablf").unwrap(), mac);
    assert_ne!(bench.barrier.table_mac(b"").unwrap(), mac);
}

#[test]
fn sealing_wipes_every_key_and_all_that_lives_on_answers_sealed() {
    let bench = Bench::new();
    let empty = bench.arena.free() + 4 * 32; // keyring key, index key, table key, one term
    bench.put("a/b", "1");
    let (used, unused) = (bench.view(), View::new(&bench.barrier, NamespaceId::ROOT, OTHER_MOUNT));
    let (reader, unused_reader) = (bench.reader(), bench.reader_of(&unused));
    let mut batch = Batch::default();
    let rotation = bench.rotate(NOW, &mut batch).unwrap();
    assert!(bench.arena.free() < empty);

    bench.barrier.seal();
    rotation.install();
    assert_eq!(bench.arena.free(), empty, "every slot of the arena is wiped and free");

    let mut visit = |_: &[String]| panic!("nothing is read");
    for reader in [&reader, &unused_reader, &used.at(bench.disk.lock().unwrap().snapshot())] {
        assert!(matches!(reader.get(&name("a/b")), Err(BarrierError::Sealed)));
        assert!(matches!(reader.get(&name("")), Err(BarrierError::Sealed)));
        assert!(matches!(reader.list(&name("a"), None, None), Err(BarrierError::Sealed)));
        assert!(matches!(reader.walk(&name(""), &mut visit), Err(BarrierError::Sealed)));
        assert!(matches!(reader.due(Minute::of(NOW), None, 9), Err(BarrierError::Sealed)));
    }
    let fresh = View::new(&bench.barrier, NamespaceId::ROOT, OTHER_MOUNT);
    for view in [&used, &unused, &fresh] {
        for write in [Write::put(name("a"), String::new()), Write::delete(name("a"))] {
            assert!(matches!(view.seal(&write, &mut Batch::default()), Err(BarrierError::Sealed)));
        }
    }
    assert!(matches!(bench.barrier.table_mac(b""), Err(BarrierError::Sealed)));
    assert!(matches!(bench.rotate(NOW, &mut Batch::default()), Err(BarrierError::Sealed)));
    bench.barrier.seal(); // a second time is no error
    assert_eq!(bench.reopened(&root_key()).unwrap().get("a/b").as_deref(), Some("1"));
}

#[test]
fn sealing_under_load_leaves_no_key_and_no_wrong_answer() {
    for _ in 0..50 {
        let bench = Bench::new();
        let empty = bench.arena.free() + 4 * 32;
        bench.put("a", "1");
        let reader = bench.reader();
        let running = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for thread in 0..3u8 {
                let (reader, bench, running) = (&reader, &bench, &running);
                scope.spawn(move || {
                    running.wait();
                    for round in 0..10_000u32 {
                        let mount = strongroom_types::id::MountId([thread; 16]);
                        let view = View::new(&bench.barrier, NamespaceId([round as u8; 16]), mount);
                        let written =
                            view.seal(&Write::put(name("x"), "y".to_owned()), &mut Batch::default());
                        match (reader.get(&name("a")), written) {
                            (Ok(Some(entry)), Ok(())) => assert_eq!(entry.value.expose(), b"1"),
                            (Ok(Some(_)) | Err(BarrierError::Sealed), Err(BarrierError::Sealed)) => return,
                            (Err(BarrierError::Sealed), _) => return,
                            _ => panic!("neither the record nor sealed"),
                        }
                    }
                });
            }
            running.wait();
            std::thread::sleep(std::time::Duration::from_micros(200));
            bench.barrier.seal();
        });
        assert_eq!(bench.arena.free(), empty);
    }
}

#[test]
fn a_mount_that_moves_is_not_re_encrypted() {
    let bench = Bench::new();
    bench.put("team/db", "hunter2");
    let before = bench.disk.lock().unwrap().records.clone();
    // A path is no part of a view: whatever core calls the mount, its id finds the records.
    let moved = View::new(&bench.reopened(&root_key()).unwrap().barrier, NamespaceId::ROOT, MOUNT);
    assert_eq!(text(bench.reader_of(&moved).get(&name("team/db")).unwrap()).as_deref(), Some("hunter2"));
    assert_eq!(bench.disk.lock().unwrap().records, before);
}

#[test]
fn mounts_and_namespaces_do_not_meet() {
    let bench = Bench::new();
    let views = [
        View::new(&bench.barrier, NamespaceId::ROOT, MOUNT),
        View::new(&bench.barrier, NamespaceId::ROOT, OTHER_MOUNT),
        View::new(&bench.barrier, NamespaceId([9; 16]), MOUNT),
    ];
    for (value, view) in views.iter().enumerate() {
        bench.write_to(view, Write::put(name("same/name"), value.to_string()));
    }
    for (value, view) in views.iter().enumerate() {
        let reader = bench.reader_of(view);
        assert_eq!(text(reader.get(&name("same/name")).unwrap()), Some(value.to_string()));
        assert_eq!(reader.list(&name(""), None, None).unwrap(), ["same/"]);
    }
}

#[test]
fn names_with_a_rank_stand_by_it_and_are_others_than_those_without() {
    let bench = Bench::new();
    let ranked = |text: &str, rank: u32| name(&format!("token/{text}")).ranked(rank);
    for (text, rank) in [("c", 3), ("a", 0x0100_0000), ("b", 2)] {
        bench.write(Write::put(ranked(text, rank), text.to_owned()));
    }
    bench.write(Write::put(name("token/b"), "without".to_owned()));
    let reader = bench.reader();
    let read =
        |name: &Name| reader.get(name).unwrap().map(|entry| entry.value.expose_str().unwrap().to_owned());
    assert_eq!(read(&ranked("b", 2)).as_deref(), Some("b"));
    assert_eq!(read(&name("token/b")).as_deref(), Some("without"));
    assert_eq!((read(&ranked("b", 3)), read(&name("token/c"))), (None, None));

    let mut walked = Vec::new();
    let mut visit = |rest: &[String]| {
        walked.push(rest.join("/"));
        true
    };
    reader.walk(&name("token"), &mut visit).unwrap();
    assert_eq!(walked, ["b", "b", "c", "a"], "without a rank it is first");
    walked.clear();
    let mut visit = |rest: &[String]| {
        walked.push(rest.join("/"));
        true
    };
    reader.walk_on(&name("token"), &ranked("b", 2), &mut visit).unwrap();
    assert_eq!(walked, ["c", "a"]);
    assert_eq!(reader.list(&name("token"), None, None).unwrap(), ["a", "b", "b", "c"]);

    // Among what is due, too.
    let minute = Minute::of(NOW);
    for (text, rank) in [("y", 9), ("x", 4)] {
        bench.write(Write::put(name(text).ranked(rank), String::new()).due(minute));
    }
    let due: Vec<_> = bench.reader().due(minute, None, 9).unwrap().into_iter().map(|due| due.name).collect();
    assert_eq!(due, [name("x").ranked(4), name("y").ranked(9)]);
}

#[test]
fn what_is_due_comes_in_order_and_is_not_among_the_other_records() {
    let bench = Bench::new();
    let minute = |n| Minute::of(Timestamp::from_secs(n * 60));
    for (at, lease) in [(7, "c"), (3, "b"), (3, "a"), (900_000, "d"), (256, "e")] {
        let write = Write::put(name(&format!("lease/{lease}")), lease.to_owned()).due(minute(at));
        bench.write(write);
    }
    bench.put("lease/a", "an ordinary record");
    bench.write_to(
        &View::new(&bench.barrier, NamespaceId::ROOT, OTHER_MOUNT),
        Write::put(name("other"), String::new()).due(minute(1)),
    );
    let reader = bench.reader();
    let due = |until, after: Option<&Due>, limit| reader.due(minute(until), after, limit).unwrap();
    let minutes = |due: &[Due]| due.iter().map(|due| due.minute.start().secs() / 60).collect::<Vec<_>>();

    assert_eq!(minutes(&due(2, None, 100)), [0i64; 0]);
    assert_eq!(minutes(&due(3, None, 100)), [3, 3]);
    assert_eq!(minutes(&due(256, None, 100)), [3, 3, 7, 256]);
    let all = due(i64::MAX / 60, None, 100);
    assert_eq!(minutes(&all), [3, 3, 7, 256, 900_000]);
    assert_eq!(all[2].name, name("lease/c"));
    assert_eq!(due(900_000, None, 2), all[..2]);
    assert_eq!(due(900_000, Some(&all[1]), 2), all[2..4]);
    assert_eq!(due(900_000, Some(&all[4]), 2), []);

    assert_eq!(text(reader.get_due(minute(7), &name("lease/c")).unwrap()).as_deref(), Some("c"));
    assert!(reader.get_due(minute(8), &name("lease/c")).unwrap().is_none());
    assert_eq!(text(reader.get(&name("lease/a")).unwrap()).as_deref(), Some("an ordinary record"));
    assert_eq!(reader.list(&name("lease"), None, None).unwrap(), ["a"]);

    bench.write(Write::delete(name("lease/c")).due(minute(7)));
    assert_eq!(minutes(&bench.reader().due(minute(256), None, 100).unwrap()), [3, 3, 256]);
}

#[test]
fn minutes_round_so_that_nothing_is_early() {
    let nanos = Timestamp::from_nanos;
    assert_eq!(Minute::of(nanos(59_999_999_999)), Minute::of(nanos(0)));
    assert_eq!(Minute::not_before(nanos(60_000_000_000)), Minute::of(nanos(60_000_000_000)));
    assert_eq!(Minute::not_before(nanos(60_000_000_001)), Minute::of(nanos(120_000_000_000)));
    assert_eq!(Minute::not_before(nanos(1)), Minute::of(nanos(60_000_000_000)));
    assert_eq!(Minute::not_before(nanos(i64::MIN)), Minute::of(nanos(-1)));
    assert!(Minute::of(nanos(i64::MAX)) > Minute::of(NOW));
}

#[test]
fn without_randomness_nothing_is_written() {
    let created =
        Barrier::create(CLUSTER, &root_key(), arena(), std::sync::Arc::new(Dry), NOW, &mut Batch::default());
    assert!(matches!(created, Err(BarrierError::Entropy(_))));
    let bench = Bench::new();
    bench.put("a", "1");
    let disk = bench.disk();
    let barrier = Barrier::open(CLUSTER, &root_key(), &disk, arena(), std::sync::Arc::new(Dry)).unwrap();
    let view = View::new(&barrier, NamespaceId::ROOT, MOUNT);
    let mut batch = Batch::default();
    let written = view.seal(&Write::put(name("b"), String::new()), &mut batch);
    assert!(matches!(written, Err(BarrierError::Entropy(_))));
    assert!(matches!(barrier.rotate(&disk, NOW, &mut batch), Err(BarrierError::Entropy(_))));
    assert!(batch.is_empty());
    assert_eq!(text(view.at(disk.snapshot()).get(&name("a")).unwrap()).as_deref(), Some("1"));
}

#[test]
fn a_full_arena_is_an_error_and_not_the_end() {
    let bench = Bench::new();
    let _mount = bench.view(); // as long as one view of a mount lives, its keys are kept
    let filler = filled(&bench);
    let other = View::new(&bench.barrier, NamespaceId::ROOT, OTHER_MOUNT);
    let written = other.seal(&Write::put(name("b"), String::new()), &mut Batch::default());
    assert!(matches!(written, Err(BarrierError::Memory(_))));
    drop(filler);
    bench.put("a", "1");
    // What one mount has derived makes room for another's.
    let _filler = filled(&bench);
    bench.write_to(&other, Write::put(name("b"), String::new()));
    assert_eq!(bench.get("a").as_deref(), Some("1"));
}

/// Keys in all that is free.
fn filled(bench: &Bench) -> Vec<strongroom_os::Kept> {
    std::iter::from_fn(|| bench.arena.keep(&[0; 32]).ok()).collect()
}

#[test]
fn a_mount_keeps_few_of_its_old_keys() {
    let bench = Bench::new();
    let _mount = bench.view();
    let rotate = || {
        let mut batch = Batch::default();
        let rotation = bench.rotate(NOW, &mut batch).unwrap();
        bench.commit(batch);
        rotation.install();
    };
    for term in 1..=100 {
        bench.put(&format!("of/{term}"), &term.to_string());
        rotate();
    }
    let keys = (64 * 1024 - bench.arena.free()) / 32;
    // Index key, table key, 101 terms; of the mount the name key, a newest and three older ones.
    assert!(keys <= 2 + 101 + 1 + 4 + 1, "{keys} keys");
    for term in (1..=100).chain((1..=100).rev()) {
        assert_eq!(bench.get(&format!("of/{term}")), Some(term.to_string()));
    }
    assert!((64 * 1024 - bench.arena.free()) / 32 <= keys);
}

#[test]
fn more_mounts_than_the_arena_has_room_for_are_written_and_read() {
    let bench = Bench::new();
    let mount = |n: u16| {
        let [high, low] = n.to_be_bytes();
        MountId([0xB0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low])
    };
    let views: Vec<View> =
        (0..3000).map(|n| View::new(&bench.barrier, NamespaceId::ROOT, mount(n))).collect();
    for (n, view) in views.iter().enumerate() {
        bench.write_to(view, Write::put(name("a"), n.to_string()));
    }
    // The keyring has room still.
    let mut batch = Batch::default();
    let rotation = bench.rotate(NOW, &mut batch).unwrap();
    bench.commit(batch);
    rotation.install();
    let snapshot = bench.disk.lock().unwrap().snapshot();
    for (n, view) in views.iter().enumerate() {
        assert_eq!(text(view.at(snapshot.clone()).get(&name("a")).unwrap()), Some(n.to_string()));
    }
    bench.barrier.seal();
    assert_eq!(bench.arena.free(), 64 * 1024);
}

#[test]
fn the_bootstrap_keys_are_apart_from_all_others() {
    for key in [plain::KEYRING, plain::SLOT_TABLE, plain::CLUSTER] {
        assert_eq!(key[0], 0);
    }
    let bench = Bench::new();
    assert_ne!(bench.put("keyring", "x")[0], 0);
    assert!(bench.disk.lock().unwrap().records.contains_key(plain::KEYRING));
    assert!(Name::new(["\0"]).is_ok());
    let mut batch = Batch::default();
    drop(bench.rotate(NOW, &mut batch).unwrap());
    assert_eq!((batch.changes[0].space, batch.changes[0].key.as_slice()), (Space::Cluster, plain::KEYRING));
}
