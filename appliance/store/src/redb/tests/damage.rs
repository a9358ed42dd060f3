//! Damaged files: an error or the right data, never a panic, never other data.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::disk::Disk;
use super::load::{Random, wait};
use super::*;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The bytes of a store, and what is in it. `closed`: in order, or by the loss of its process.
fn sample(closed: bool) -> (Vec<u8>, Rows) {
    let mut random = Random(7);
    let disk = Disk::default();
    let store = RedbStore::behind(disk.clone(), options()).unwrap();
    let mut rows = Rows::new();
    for round in 0..30_u64 {
        let mut batch = Batch::default();
        for _ in 0..20 {
            let key = random.next().to_be_bytes().repeat(2);
            let length = if random.below(40) == 0 { 20_000 } else { random.below(700) };
            let value: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            batch.put(Space::Cluster, key.clone(), value.clone(), Expect::Any);
            rows.insert(key, value);
        }
        if round % 3 == 0 {
            let gone = rows.keys().nth(random.below(20) as usize).unwrap().clone();
            rows.remove(&gone);
            batch.delete(Space::Cluster, gone, Expect::Any);
        }
        batch.accumulate(Space::Node, [3; 32]);
        wait(store.commit(batch)).unwrap();
    }
    if closed {
        drop(store);
    }
    (disk.now(), rows)
}

/// What came of opening a damaged file and reading all of it.
#[derive(Debug, Default)]
struct Tally {
    refused_at_open: usize,
    refused_when_read: usize,
    /// Opened, and all was right.
    unharmed: usize,
    /// Opened, all that was found was right, but some was not found: what the barrier's digest is for.
    lost: usize,
}

/// Opens, reads, writes. Panics on wrong data.
fn examine(bytes: Vec<u8>, rows: &Rows, verify: bool, tally: &mut Tally) {
    let reports = Reports::default();
    let store = match RedbStore::behind(Disk::holding(bytes), Options { verify, ..reports.options() }) {
        Ok(store) => store,
        Err(OpenError::Damaged { .. } | OpenError::NotAStore(_) | OpenError::Newer { .. }) => {
            tally.refused_at_open += 1;
            return;
        }
        Err(other) => panic!("{other}"),
    };
    let Ok(found) = read_all(&*store, rows) else {
        assert!(is_poisoned(store.snapshot()));
        assert_eq!(reports.count(), 1);
        tally.refused_when_read += 1;
        return;
    };
    if found == rows.len() {
        tally.unharmed += 1;
    } else {
        assert!(!verify, "verified, and still {} records are missing", rows.len() - found);
        tally.lost += 1;
    }
    match wait(store.commit(put(b"new", b"value"))) {
        Ok(_) => drop(store.snapshot().unwrap().get(Space::Cluster, b"new")),
        Err(error) => assert!(is_poisoned::<()>(Err(error))),
    }
}

/// How many of `rows` are there, both one by one and in order.
fn read_all(store: &dyn Store, rows: &Rows) -> Result<usize, StoreError> {
    let snapshot = store.snapshot()?;
    let mut found = 0;
    for (key, value) in rows {
        if let Some(stored) = snapshot.get(Space::Cluster, key)? {
            assert_eq!(&stored.value, value, "wrong data");
            found += 1;
        }
    }
    let (mut from, mut walked) = (Bound::Unbounded, 0);
    while let Some((key, stored)) = snapshot.seek(Space::Cluster, from.as_ref().map(Vec::as_slice))? {
        assert_eq!(rows.get(&key), Some(&stored.value), "wrong data");
        walked += 1;
        from = Bound::Excluded(key);
    }
    assert_eq!(snapshot.revision(), Revision(30), "wrong state");
    let sum = snapshot.accumulated(Space::Node)?;
    assert_eq!(sum[..2], [90, 90], "wrong state");
    Ok(found.min(walked))
}

fn examine_all(name: &str, variants: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Tally {
    let mut tally = Tally::default();
    for closed in [true, false] {
        let (bytes, rows) = sample(closed);
        let mut whole = Tally::default();
        examine(bytes.clone(), &rows, true, &mut whole);
        assert_eq!(whole.unharmed, 1, "the sample itself");
        for (number, variant) in variants(&bytes).into_iter().enumerate() {
            // To verify takes longest.
            if number % 4 == 0 {
                examine(variant.clone(), &rows, true, &mut tally);
            }
            examine(variant, &rows, false, &mut tally);
        }
    }
    println!("{name}: {tally:?}");
    tally
}

#[test]
fn a_flipped_byte() {
    let tally = examine_all("flipped bytes", |bytes| {
        let mut random = Random(11);
        // The head in full, where everything begins; each page somewhere.
        let pages = (4096..bytes.len()).step_by(4096).flat_map(|page| [page + 2, page + 9]);
        let spots =
            pages.chain((0..300).map(|_| random.below(bytes.len() as u64) as usize)).collect::<Vec<_>>();
        (0..320)
            .chain(spots)
            .map(|at| {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1 << (at % 8);
                damaged
            })
            .collect()
    });
    assert!(tally.refused_at_open > 100 && tally.refused_when_read > 20 && tally.unharmed > 100, "{tally:?}");
}

#[test]
fn a_cut_file() {
    let tally = examine_all("cut files", |bytes| {
        let mut random = Random(12);
        let pages = (0..bytes.len()).step_by(4096 * 5);
        let all = pages.chain(1..8).chain((0..60).map(|_| random.below(bytes.len() as u64) as usize));
        // A file of no bytes is `open`'s matter.
        all.filter(|length| *length > 0).map(|length| bytes[..length].to_vec()).collect()
    });
    assert!(tally.lost == 0, "{tally:?}");
}

#[test]
fn pages_of_zeros_and_pages_exchanged() {
    let tally = examine_all("lost pages", |bytes| {
        let mut random = Random(13);
        let pages = bytes.len() / 4096;
        let zeroed = (0..pages).map(|page| {
            let mut damaged = bytes.to_vec();
            damaged[page * 4096..(page + 1) * 4096].fill(0);
            damaged
        });
        let mut exchanges = Vec::new();
        for _ in 0..150 {
            let mut damaged = bytes.to_vec();
            let (from, to) =
                (random.below(pages as u64) as usize * 4096, random.below(pages as u64) as usize * 4096);
            damaged.copy_within(from..from + 4096, to);
            exchanges.push(damaged);
        }
        zeroed.chain(exchanges).collect()
    });
    assert!(tally.refused_at_open > 20, "{tally:?}");
}

#[test]
fn any_bytes() {
    let mut random = Random(14);
    let head = sample(true).0[..64].to_vec();
    for round in 0..300_u64 {
        let length = random.below(20_000) as usize + 1;
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if round % 2 == 0 {
            // With the right beginning.
            let same = head.len().min(length);
            bytes[..same].copy_from_slice(&head[..same]);
        }
        let opened = RedbStore::behind(Disk::holding(bytes), options());
        assert!(matches!(opened.err(), Some(OpenError::Damaged { .. } | OpenError::NotAStore(_))));
    }
}
