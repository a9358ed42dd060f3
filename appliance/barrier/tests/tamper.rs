//! Whoever holds the disk can delete and put back, but what he changes, moves, cuts or exchanges is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use common::*;
use strongroom_barrier::{BarrierError, Minute, View, Write, plain};
use strongroom_store::Batch;
use strongroom_types::id::{MountId, NamespaceId};

#[test]
fn every_flipped_bit_of_a_record_is_refused() {
    let bench = Bench::new();
    let key = bench.put("team/db", "the secret of this test");
    let record = bench.disk.lock().unwrap().records[&key].clone();
    for bit in 0..record.len() * 8 {
        let mut damaged = record.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        bench.disk.lock().unwrap().records.insert(key.clone(), damaged);
        assert!(matches!(bench.reader().get(&name("team/db")), Err(BarrierError::Damaged)), "bit {bit}");
    }
}

#[test]
fn every_truncation_and_extension_of_a_record_is_refused() {
    let bench = Bench::new();
    let key = bench.put("team/db", "the secret of this test");
    let record = bench.disk.lock().unwrap().records[&key].clone();
    let longer = [record.as_slice(), &[0]].concat();
    let cuts =
        (0..record.len()).flat_map(|len| [record[..len].to_vec(), record[record.len() - len..].to_vec()]);
    for damaged in cuts.chain([longer]) {
        bench.disk.lock().unwrap().records.insert(key.clone(), damaged);
        assert!(matches!(bench.reader().get(&name("team/db")), Err(BarrierError::Damaged)));
    }
}

/// A record: whose, under which minute, and its name.
type Place = (View, Option<Minute>, &'static str);

/// Records of two mounts, two namespaces, two terms, both kinds of keys.
fn sample() -> (Bench, Vec<Place>) {
    let bench = Bench::new();
    let mut places = Vec::new();
    for (namespace, mount) in
        [(NamespaceId::ROOT, MOUNT), (NamespaceId::ROOT, OTHER_MOUNT), (NamespaceId([7; 16]), MOUNT)]
    {
        let view = View::new(&bench.barrier, namespace, mount);
        for path in ["a", "b", "a/b", "a/a"] {
            places.push((view.clone(), None, path));
        }
        places.push((view.clone(), Some(Minute::of(NOW)), "a"));
        places.push((view, Some(Minute::of(NOW.plus_secs(60))), "a"));
    }
    for (round, (view, due, path)) in places.iter().enumerate() {
        if round == places.len() / 2 {
            let mut batch = Batch::default();
            let rotation = bench.rotate(NOW, &mut batch).unwrap();
            bench.commit(batch);
            rotation.install();
        }
        let mut write = Write::put(name(path), "the same value everywhere".to_owned());
        write.due = *due;
        bench.write_to(view, write);
    }
    (bench, places)
}

fn read(bench: &Bench, (view, due, path): &Place) -> Result<(), BarrierError> {
    let reader = bench.reader_of(view);
    let entry = match due {
        None => reader.get(&name(path)),
        Some(minute) => reader.get_due(*minute, &name(path)),
    }?;
    assert_eq!(entry.unwrap().value.expose(), b"the same value everywhere");
    Ok(())
}

#[test]
fn every_exchange_of_two_records_is_refused() {
    let (bench, places) = sample();
    for place in &places {
        read(&bench, place).unwrap();
    }
    let whole = bench.disk.lock().unwrap().records.clone();
    let keys: Vec<Vec<u8>> = whole.keys().filter(|key| *key != plain::KEYRING).cloned().collect();
    assert_eq!(keys.len(), places.len());
    for left in &keys {
        for right in keys.iter().filter(|right| *right != left) {
            let mut exchanged = whole.clone();
            exchanged.insert(left.clone(), whole[right].clone());
            exchanged.insert(right.clone(), whole[left].clone());
            bench.disk.lock().unwrap().records = exchanged;
            let refused =
                places.iter().filter(|place| matches!(read(&bench, place), Err(BarrierError::Damaged)));
            assert_eq!(refused.count(), 2);
        }
    }
    // Also with the keyring, and with the keyring at a record's key.
    for key in &keys {
        let mut exchanged = whole.clone();
        exchanged.insert(key.clone(), whole[plain::KEYRING].clone());
        exchanged.insert(plain::KEYRING.to_vec(), whole[key].clone());
        bench.disk.lock().unwrap().records = exchanged;
        let refused = places.iter().filter(|place| matches!(read(&bench, place), Err(BarrierError::Damaged)));
        assert_eq!(refused.count(), 1);
        assert!(bench.reopened(&root_key()).is_err());
    }
}

#[test]
fn a_changed_name_is_refused_when_listed() {
    let bench = Bench::new();
    let key = bench.put("team/db", "x");
    let whole = bench.disk();
    let value = whole.records[&key].clone();
    let mut listed = 0;
    for bit in 0..key.len() * 8 {
        let mut damaged = key.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let mut disk = whole.clone();
        disk.records.remove(&key);
        disk.records.insert(damaged, value.clone());
        *bench.disk.lock().unwrap() = disk;
        let mut paths = Vec::new();
        let walked = bench.reader().walk(&name(""), &mut |path| {
            paths.push(path.to_vec());
            true
        });
        // Moved out of the view it is as good as deleted; within the view it is refused.
        match bit / 8 {
            0..33 => assert!(walked.is_ok() && paths.is_empty(), "bit {bit}"),
            _ => assert!(matches!(walked, Err(BarrierError::Damaged)), "bit {bit}"),
        }
        listed += usize::from(walked.is_err());
    }
    assert_eq!(listed, (key.len() - 33) * 8);
}

#[test]
fn a_directory_brought_from_elsewhere_is_refused() {
    let bench = Bench::new();
    let other = View::new(&bench.barrier, NamespaceId::ROOT, MountId([3; 16]));
    let key = bench.write_to(&other, Write::put(name("a"), String::new()));
    let into_ours = |tail: &[u8], at: &[u8]| [at, tail].concat();
    let ours = bench.put("dir/a", "x");
    let (prefix, dir) = (&ours[..33], &ours[..33 + 33]);
    for foreign in [
        into_ours(&key[33..], prefix),
        into_ours(&key[33..], dir),
        into_ours(&ours[66..], prefix), // one level up
        into_ours(&ours[33..], dir),    // one level down
    ] {
        let before = bench.disk();
        bench.disk.lock().unwrap().records.insert(foreign, b"whatever".to_vec());
        let walked = bench.reader().walk(&name(""), &mut |_| true);
        assert!(matches!(walked, Err(BarrierError::Damaged)));
        let lists = ["", "dir"].map(|at| bench.reader().list(&name(at), None, None));
        assert!(lists.iter().any(|list| matches!(list, Err(BarrierError::Damaged))));
        *bench.disk.lock().unwrap() = before;
    }
}

#[test]
fn what_is_sealed_apart_is_opened_by_its_own_view_and_name_only() {
    let bench = Bench::new();
    let view = View::new(&bench.barrier, NamespaceId::ROOT, MOUNT);
    let sealed = view.seal_apart(&name("apart"), b"in somebody's hands").unwrap();
    assert_eq!(view.open_apart(&name("apart"), &sealed).unwrap().expose(), b"in somebody's hands");
    let other = View::new(&bench.barrier, NamespaceId::ROOT, OTHER_MOUNT);
    for (view, name) in [(&view, name("other")), (&other, name("apart"))] {
        assert!(matches!(view.open_apart(&name, &sealed), Err(BarrierError::Damaged)));
    }
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(matches!(view.open_apart(&name("apart"), &changed), Err(BarrierError::Damaged)), "{at}");
    }
}
