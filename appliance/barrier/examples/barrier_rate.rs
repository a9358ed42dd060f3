//! How long the barrier itself takes: reads and writes of 1 KiB under names of three segments, over a store that costs
//! next to nothing. `cargo run --release -p strongroom-barrier --example barrier_rate`

#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program for people, not for the daemon

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use strongroom_barrier::{Arena, Barrier, Name, Protection, View, Write};
use strongroom_store::{Batch, Revision, Snapshot, Space, StoreError, Stored};
use strongroom_types::id::{ClusterId, MountId, NamespaceId};
use strongroom_types::{Entropy, NoEntropy, Secret, Timestamp};

const RECORDS: usize = 1000;
const ROUNDS: usize = 200;

struct System;

impl Entropy for System {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        aws_lc_rs::rand::fill(out).map_err(|_| NoEntropy)
    }
}

/// A point read and nothing else.
struct Table(HashMap<Vec<u8>, Vec<u8>>);

impl Snapshot for Table {
    fn get(&self, _: Space, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        Ok(self.0.get(key).map(|value| Stored { value: value.clone(), revision: Revision(1) }))
    }

    fn seek(&self, _: Space, _: Bound<&[u8]>) -> Result<Option<(Vec<u8>, Stored)>, StoreError> {
        Ok(None)
    }

    fn revision(&self) -> Revision {
        Revision(1)
    }

    fn accumulated(&self, _: Space) -> Result<[u8; 32], StoreError> {
        Ok([0; 32])
    }
}

fn main() {
    let arena = Arena::new(64 * 1024, Protection::BestEffort).unwrap();
    println!("keys in {}", arena.backing());
    let root_key = Secret::copy_of(&[7; 32]);
    let mut batch = Batch::default();
    let now = Timestamp::from_secs(0);
    let barrier =
        Barrier::create(ClusterId([1; 16]), &root_key, arena, Arc::new(System), now, &mut batch).unwrap();
    let view = View::new(&barrier, NamespaceId::ROOT, MountId([2; 16]));
    let names: Vec<Name> =
        (0..RECORDS).map(|n| Name::new(["data", "application", &format!("secret-{n}")]).unwrap()).collect();
    let value = "x".repeat(1024);

    let writes: Vec<Write> = names.iter().map(|name| Write::put(name.clone(), value.clone())).collect();
    let started = Instant::now();
    for _ in 0..ROUNDS {
        batch.changes.clear();
        for write in &writes {
            view.seal(write, &mut batch).unwrap();
        }
    }
    report("seal 1 KiB", started, 1);

    let table =
        batch.changes.into_iter().map(|change| (change.key, change.value.unwrap_or_default())).collect();
    let snapshot: Arc<dyn Snapshot> = Arc::new(Table(table));
    for threads in [1, 2] {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let reader = view.at(snapshot.clone());
                    for _ in 0..ROUNDS {
                        for name in &names {
                            assert!(reader.get(name).unwrap().unwrap().value.len() == 1024);
                        }
                    }
                });
            }
        });
        report(&format!("get 1 KiB, {threads} threads"), started, threads);
    }

    let keys: Vec<Vec<u8>> =
        (0..RECORDS).map(|n| format!("plain key of some length {n}").into_bytes()).collect();
    let plain = Table(keys.iter().map(|key| (key.clone(), vec![0; 1069])).collect());
    let started = Instant::now();
    for _ in 0..ROUNDS {
        for key in &keys {
            assert!(plain.get(Space::Cluster, key).unwrap().is_some());
        }
    }
    report("the table alone", started, 1);
}

fn report(what: &str, started: Instant, threads: usize) {
    let count = (RECORDS * ROUNDS) as f64;
    let each = started.elapsed().as_secs_f64() / count;
    let rate = count * threads as f64 / started.elapsed().as_secs_f64();
    println!("{what:<22} {:6.2} µs  {rate:9.0}/s", each * 1e6);
}
