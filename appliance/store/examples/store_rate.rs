//! How fast the store is on this machine: `cargo run --release -p strongroom-store --example store_rate [folder] [records] [gather µs]`.
//!
//! Durable commits per second by 1 to 128 callers that each wait for theirs, and gets per second of two readers, alone
//! and beside writers. The folder decides which disk is measured.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for developers: it prints, and panics when it fails"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strongroom_store::{Batch, Expect, MemoryStore, Options, RedbStore, Reserve, Space, Store};

const RUN: Duration = Duration::from_secs(2);
const VALUE: usize = 512;

fn key(n: u64) -> Vec<u8> {
    // Spread over the tree, as encrypted names are.
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().repeat(4)
}

fn batch(n: u64, records: u64) -> Batch {
    let mut batch = Batch::default();
    batch.put(Space::Cluster, key(n % records), vec![7; VALUE], Expect::Any);
    batch.accumulate(Space::Cluster, [1; 32]);
    batch
}

/// Commits by `callers` until `stop`. Returns how many.
async fn write(store: Arc<dyn Store>, records: u64, callers: u64, stop: Arc<AtomicBool>) -> u64 {
    let all: Vec<_> = (0..callers)
        .map(|caller| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut done = 0;
                while !stop.load(Ordering::Relaxed) {
                    store.commit(batch(done * callers + caller, records)).await.unwrap();
                    done += 1;
                    // The store in memory never waits, and would keep the timer from running.
                    tokio::task::yield_now().await;
                }
                done
            })
        })
        .collect();
    let mut sum = 0;
    for one in all {
        sum += one.await.unwrap();
    }
    sum
}

/// Gets by two threads, each with a new snapshot for every get, until `stop`.
fn read(store: &Arc<dyn Store>, records: u64, stop: &Arc<AtomicBool>) -> Vec<std::thread::JoinHandle<u64>> {
    let reader = |seed: u64| {
        let (store, stop) = (Arc::clone(store), Arc::clone(stop));
        std::thread::spawn(move || {
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                let found =
                    store.snapshot().unwrap().get(Space::Cluster, &key((done + seed) % records)).unwrap();
                assert_eq!(found.unwrap().value.len(), VALUE);
                done += 1;
            }
            done
        })
    };
    vec![reader(0), reader(records / 2)]
}

async fn measure(name: &str, store: Arc<dyn Store>, records: u64) {
    for n in 0..records / 100 {
        let mut fill = Batch::default();
        fill.changes.extend((n * 100..(n + 1) * 100).flat_map(|n| batch(n, records).changes));
        store.commit(fill).await.unwrap();
    }
    for (readers, callers) in
        [(false, 1), (false, 8), (false, 32), (false, 128), (true, 0), (true, 1), (true, 32)]
    {
        let (stop, start) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let longest = Arc::new(AtomicU64::new(0));
        let writing = tokio::spawn(write(Arc::clone(&store), records, callers, Arc::clone(&stop)));
        let reading = if readers { read(&store, records, &stop) } else { Vec::new() };
        while start.elapsed() < RUN {
            // How long the slowest snapshot takes beside all this.
            let asked = Instant::now();
            drop(store.snapshot().unwrap());
            longest.fetch_max(asked.elapsed().as_micros() as u64, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.store(true, Ordering::Relaxed);
        let commits = writing.await.unwrap() as f64;
        let gets = reading.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>() as f64;
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{name:<8} {callers:>4} callers  {:>9.0} commits/s   {} readers  {:>10.0} gets/s   snapshot ≤ {} µs",
            commits / seconds,
            if readers { 2 } else { 0 },
            gets / seconds,
            longest.load(Ordering::Relaxed),
        );
    }
}

#[tokio::main]
async fn main() {
    let argument = |n| std::env::args().nth(n);
    let folder = tempfile::tempdir_in(argument(1).unwrap_or_else(|| ".".to_owned())).unwrap();
    let records = argument(2).map_or(10_000, |records| records.parse().unwrap());
    let mut options = Options { reserve: Reserve::NONE, ..Options::default() };
    if let Some(gather) = argument(3) {
        options.gather = Duration::from_micros(gather.parse().unwrap());
    }
    let path = folder.path().join("store");
    measure("redb", RedbStore::open(&path, options).unwrap(), records).await;
    println!("redb     file: {} MiB", std::fs::metadata(&path).unwrap().len() >> 20);
    measure("memory", MemoryStore::new(), records).await;
}
