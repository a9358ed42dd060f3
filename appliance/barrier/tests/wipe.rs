//! After sealing, no key is left in the process' memory. Alone in its binary, so that no other test's keys are.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use common::*;
use strongroom_barrier::{Barrier, Minute, View, Write, plain};
use strongroom_store::Batch;
use strongroom_types::Secret;
use strongroom_types::id::NamespaceId;

const GOLDEN: &str = include_str!("golden/formats.txt");

/// A key that lies about: it must be found, or the search is none.
const CONTROL: &str = "control";

/// The keys that the golden bytes hold or lead to, each byte inverted, so that this list is not what is found.
const INVERTED_KEYS: [(&str, &str); 11] = [
    (CONTROL, "37c80cb50d5d4f0f3a39b1a9bbd6a1b7b8d9f0a3c5e1047f6a2b9c8d7e6f5041"),
    ("root key", "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"),
    ("keyring key", "b2df90f9e571c18fdb7f2c34b6b0d54891e1989a53e0232887c403ba907c9836"),
    ("index key", "50aa8f0a5e7ef485087350b438f599f0f20ae1bd4506e2b21a4dcd721f17c203"),
    ("table key", "32d99deab192894d4d46d18f3f353c330acb0648b14a4767e613af6f7c2ff5af"),
    ("term 1", "32fb5b8abb671f924a5ec3a0c8e0e0fb0092db8f0db55642779abf1a2318808f"),
    ("term 2", "b3f1f8e7cd2ad896b5215a84af2284de9b3d5b83fd6bf230d905f83bb292ddd5"),
    ("name key", "1e61d12824df212f8f2f9d7786f20a262b13020ed9c53b262f1562f174a342ca"),
    ("data key of term 1", "510f221a8d916512c573fd0c689fa766cc6e79ae5debb21d5d5fe835005c5aec"),
    ("data key of term 2", "283f16fe269977128209636e209cf93f23faacafe60c2ea6cd4959d8cab95ad6"),
    ("record key", "6cc93520f1c017884d78cdee96a9d128386b04b786cf0a193bed9b21c5013c41"),
];

fn golden(what: &str) -> Vec<u8> {
    unhex(GOLDEN.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(" = ")).unwrap())
}

/// Which of the keys stand in memory that this process can read and write.
fn found() -> Vec<&'static str> {
    let keys = INVERTED_KEYS.map(|(what, key)| (what, unhex(key)));
    let mut found = Vec::new();
    let mut piece = vec![0; PIECE];
    let own = piece.as_ptr().addr() as u64;
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    for (from, to) in writable() {
        let mut at = from;
        while at < to {
            // What the search itself has copied is left out.
            if (own..own + PIECE as u64).contains(&at) {
                at = own + PIECE as u64;
                continue;
            }
            let end = if at < own { to.min(own) } else { to };
            let len = piece.len().min((end - at) as usize);
            memory.seek(SeekFrom::Start(at)).unwrap();
            if memory.read_exact(&mut piece[..len]).is_err() {
                break; // secret memory, which is the point
            }
            piece[..len].iter_mut().for_each(|byte| *byte = !*byte);
            for (what, key) in &keys {
                // Half a key is as bad; that also finds one that lies across two pieces.
                let mut halves = key.chunks(16);
                if halves.any(|half| piece[..len].windows(16).any(|window| window == half)) {
                    found.push(*what);
                }
            }
            at += len as u64;
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

const PIECE: usize = 1 << 20;

/// The ranges of memory that can be written to: the bytes of a file cannot hold a key.
fn writable() -> Vec<(u64, u64)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let lines = maps.lines().filter_map(|line| line.split_once(' '));
    let writable = lines.filter(|(_, rest)| rest.starts_with("rw"));
    let number = |at| u64::from_str_radix(at, 16).unwrap();
    writable
        .map(|(range, _)| range.split_once('-').unwrap())
        .map(|(from, to)| (number(from), number(to)))
        .collect()
}

#[inline(never)]
fn use_every_key() {
    let mut disk = Disk::default();
    disk.records.insert(plain::KEYRING.to_vec(), golden("keyring under another root key"));
    let key = golden("record data/app/password, storage key");
    disk.records.insert(key.clone(), golden("record data/app/password, frame"));
    let root_key = Secret::from(vec![0x22; 32]);
    let arena = arena();
    let barrier = Barrier::open(CLUSTER, &root_key, &disk, arena, Arc::new(Seeded::from(1000))).unwrap();
    drop(root_key);
    let view = View::new(&barrier, NamespaceId::ROOT, MOUNT);
    let reader = view.at(disk.snapshot());
    assert_eq!(reader.get(&name("data/app/password")).unwrap().unwrap().value.expose(), b"hunter2");
    disk.records.insert(key, golden("record data/app/password of term 2, frame"));
    let reader = view.at(disk.snapshot());
    assert_eq!(reader.get(&name("data/app/password")).unwrap().unwrap().value.expose(), b"hunter3");
    assert_eq!(reader.list(&name("data"), None, None).unwrap(), ["app/"]);
    assert_eq!(reader.due(Minute::of(NOW), None, 9).unwrap(), []);
    view.seal(&Write::put(name("x"), "y".to_owned()), &mut Batch::default()).unwrap();
    barrier.table_mac(b"table").unwrap();
    barrier.rotate(&disk, NOW, &mut Batch::default()).unwrap().unwrap().install();
    barrier.seal();
}

#[test]
fn no_key_is_left_after_sealing() {
    let careless: Vec<u8> = unhex(INVERTED_KEYS[0].1).into_iter().map(|byte| !byte).collect();
    let careless = std::hint::black_box(careless);
    assert_eq!(found(), [CONTROL]);
    use_every_key();
    assert_eq!(found(), [CONTROL]);
    drop(careless);
}
