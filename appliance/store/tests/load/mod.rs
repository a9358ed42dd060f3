//! A load whose content proves itself: from what is in the store one can tell which batches happened, that each happened
//! wholly, and that the sum, the revision and the records belong together.
//!
//! A writer's step `n` is one batch: it counts `last` to `n` (in both spaces), puts record `n`, deletes record
//! `n - KEPT`, and keeps the sum of all records.

#![allow(clippy::unwrap_used, reason = "part of tests")]

use std::ops::Bound;

use strongroom_store::{Batch, Expect, Snapshot, Space, Store, StoreError};

/// Records of a writer that are there at any time.
const KEPT: u64 = 6;

/// The same numbers for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Runs a future to its end.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// One writer of the load.
pub struct Writer {
    id: u8,
    last: u64,
    expect: Expect,
}

impl Writer {
    /// Goes on where the store is.
    pub fn resume(id: u8, store: &dyn Store) -> Self {
        match store.snapshot().unwrap().get(Space::Cluster, &last_key(id)).unwrap() {
            Some(stored) => {
                Self { id, last: number(&stored.value), expect: Expect::Revision(stored.revision) }
            }
            None => Self { id, last: 0, expect: Expect::Absent },
        }
    }

    /// The last step, 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The next step. Returns its number once it is acknowledged.
    pub async fn step(&mut self, store: &dyn Store) -> Result<u64, StoreError> {
        let n = self.last + 1;
        let mut batch = Batch::default();
        batch.put(Space::Cluster, last_key(self.id), n.to_le_bytes().to_vec(), self.expect);
        batch.put(Space::Node, last_key(self.id), n.to_le_bytes().to_vec(), Expect::Any);
        batch.put(Space::Cluster, record_key(self.id, n), record(self.id, n), Expect::Absent);
        batch.accumulate(Space::Cluster, digest(self.id, n));
        if let Some(old) = n.checked_sub(KEPT).filter(|old| *old > 0) {
            batch.delete(Space::Cluster, record_key(self.id, old), Expect::Any);
            batch.accumulate(Space::Cluster, negative(digest(self.id, old)));
        }
        let revision = store.commit(batch).await?;
        (self.last, self.expect) = (n, Expect::Revision(revision));
        Ok(n)
    }
}

/// Checks everything in `snapshot`, and that of each of `acknowledged`, the last step that was answered, nothing is
/// missing. What was not answered may have happened: at most one step of each writer.
pub fn check(snapshot: &dyn Snapshot, acknowledged: &[u64]) {
    let (mut steps, mut sum, mut keys) = (0, [0; 32], 0);
    for (id, acknowledged) in (0..).zip(acknowledged) {
        let get = |space, key: &[u8]| snapshot.get(space, key).unwrap().map(|stored| stored.value);
        let last = get(Space::Cluster, &last_key(id)).map_or(0, |value| number(&value));
        assert!(
            last >= *acknowledged,
            "writer {id}: step {acknowledged} was acknowledged, {last} is the last there"
        );
        assert!(
            last <= acknowledged + 1,
            "writer {id}: {last} is there, {acknowledged} was the last acknowledged"
        );
        assert_eq!(get(Space::Node, &last_key(id)).map_or(0, |value| number(&value)), last, "half a batch");
        for n in last.saturating_sub(KEPT) + 1..=last {
            assert_eq!(
                get(Space::Cluster, &record_key(id, n)),
                Some(record(id, n)),
                "record {n} of writer {id}"
            );
            sum = add(sum, digest(id, n));
        }
        keys += last.min(KEPT) + u64::from(last > 0);
        steps += last;
    }
    assert_eq!(snapshot.accumulated(Space::Cluster).unwrap(), sum, "the sum is not that of the records");
    assert_eq!(snapshot.revision().0, steps, "the revision is not the number of batches");
    assert_eq!(count(snapshot), keys, "a record too many");
}

fn count(snapshot: &dyn Snapshot) -> u64 {
    let (mut keys, mut from) = (0, Bound::Unbounded);
    while let Some((key, _)) = snapshot.seek(Space::Cluster, from.as_ref().map(Vec::as_slice)).unwrap() {
        keys += 1;
        from = Bound::Excluded(key);
    }
    keys
}

fn last_key(id: u8) -> Vec<u8> {
    vec![id, 0]
}

fn record_key(id: u8, n: u64) -> Vec<u8> {
    // Spread over the tree.
    [vec![id, 1], n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes().to_vec(), n.to_be_bytes().to_vec()]
        .concat()
}

/// From nothing to several pages long.
fn record(id: u8, n: u64) -> Vec<u8> {
    let mut random = Random(n << 8 | u64::from(id));
    let length = if random.below(20) == 0 { random.below(30_000) } else { random.below(1500) };
    (0..length).map(|_| random.next() as u8).collect()
}

fn digest(id: u8, n: u64) -> [u8; 32] {
    let mut sum = Random(n);
    for byte in record(id, n) {
        sum = Random(sum.next() ^ u64::from(byte));
    }
    let mut digest = [0; 32];
    digest.chunks_mut(8).for_each(|part| part.copy_from_slice(&sum.next().to_le_bytes()));
    digest
}

fn add(mut sum: [u8; 32], other: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    for (to, byte) in sum.iter_mut().zip(other) {
        let whole = u16::from(*to) + u16::from(byte) + carry;
        *to = whole as u8;
        carry = whole >> 8;
    }
    sum
}

fn negative(digest: [u8; 32]) -> [u8; 32] {
    let mut one = [0; 32];
    one[0] = 1;
    add(digest.map(|byte| !byte), one)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}
