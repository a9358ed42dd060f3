//! What lies on the disk, byte by byte: `golden/formats.txt`.
//!
//! A change of that file is a change of the format: stores in the field cannot be read any more unless the code reads
//! both. Randomness is SHA-256 of a counter, so that all of it is determined.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use common::*;
use strongroom_barrier::{Minute, View, Write, plain};
use strongroom_store::Batch;
use strongroom_types::Secret;
use strongroom_types::id::NamespaceId;

const GOLDEN: &str = include_str!("golden/formats.txt");

/// What a new store with a little of everything holds, as lines `what = hexadecimal`.
fn written() -> (Bench, String) {
    let bench = Bench::new();
    let mut lines = String::new();
    let mut note = |what: &str, bytes: &[u8]| lines.push_str(&format!("{what} = {}\n", hex(bytes)));
    let keyring = |bench: &Bench| bench.disk.lock().unwrap().records[plain::KEYRING].clone();
    let value = |bench: &Bench, key: &[u8]| bench.disk.lock().unwrap().records[key].clone();

    note("keyring key", plain::KEYRING);
    note("slot table key", plain::SLOT_TABLE);
    note("cluster key", plain::CLUSTER);
    note("keyring, one term", &keyring(&bench));

    let key = bench.put("data/app/password", "hunter2");
    note("record data/app/password, storage key", &key);
    note("record data/app/password, frame", &value(&bench, &key));
    let key = bench.put("sixteen bytes 16", "");
    note("record of 16 bytes' name, storage key", &key);
    note("record of 16 bytes' name, empty, frame", &value(&bench, &key));
    let key = bench.write(Write::put(name("lease/x"), "due".to_owned()).due(Minute::of(NOW)));
    note("due lease/x, storage key", &key);
    note("due lease/x, frame", &value(&bench, &key));
    let namespaced = View::new(&bench.barrier, NamespaceId([0xB1; 16]), MOUNT);
    let key = bench.write_to(&namespaced, Write::put(name("a"), "1".to_owned()));
    note("record a of another namespace, storage key", &key);
    note("record a of another namespace, frame", &value(&bench, &key));

    let mut batch = Batch::default();
    let rotation = bench.rotate(NOW.plus_secs(86_400), &mut batch).unwrap();
    bench.commit(batch);
    rotation.install();
    note("keyring, two terms", &keyring(&bench));
    let key = bench.put("data/app/password", "hunter3");
    note("record data/app/password of term 2, frame", &value(&bench, &key));

    let mut batch = Batch::default();
    bench.barrier.rewrap(&new_root(), 2, &bench.disk(), NOW.plus_secs(90_000), &mut batch).unwrap().install();
    bench.commit(batch);
    note("keyring under another root key", &keyring(&bench));
    note("table MAC of 'table'", &bench.barrier.table_mac(b"table").unwrap());
    let key = bench.write(Write::put(name("token/x").ranked(0x0102_0304), "ranked".to_owned()));
    note("record token/x of a rank, storage key", &key);
    note("record token/x of a rank, frame", &value(&bench, &key));
    (bench, lines)
}

fn new_root() -> Secret {
    Secret::copy_of(&[0x22; 32])
}

#[test]
fn the_formats_are_as_they_were() {
    let (_, lines) = written();
    let golden: String =
        GOLDEN.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    for (new, old) in lines.lines().zip(golden.lines()) {
        assert_eq!(new, old, "the format has changed");
    }
    assert_eq!(lines, golden, "all that is now written:\n{lines}");
}

#[test]
fn the_golden_bytes_are_read() {
    let golden = |what: &str| {
        let line = GOLDEN.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(" = "));
        unhex(line.unwrap_or_else(|| panic!("golden file has no {what}")))
    };
    let (bench, _) = written();
    let mut disk = Disk::default();
    disk.records.insert(plain::KEYRING.to_vec(), golden("keyring under another root key"));
    let key = golden("record data/app/password, storage key");
    disk.records.insert(key.clone(), golden("record data/app/password, frame"));
    disk.records.insert(golden("due lease/x, storage key"), golden("due lease/x, frame"));
    *bench.disk.lock().unwrap() = disk;
    let bench = bench.reopened(&new_root()).unwrap();
    assert_eq!(bench.get("data/app/password").as_deref(), Some("hunter2"));
    assert_eq!(bench.reader().list(&name("data"), None, None).unwrap(), ["app/"]);
    let due = bench.reader().due(Minute::of(NOW), None, 9).unwrap();
    assert_eq!(due[0].name, name("lease/x"));
    assert_eq!(hex(&bench.barrier.table_mac(b"table").unwrap()), hex(&golden("table MAC of 'table'")));
    let newer = golden("record data/app/password of term 2, frame");
    bench.disk.lock().unwrap().records.insert(key, newer);
    assert_eq!(bench.get("data/app/password").as_deref(), Some("hunter3"));
}
