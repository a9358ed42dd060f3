//! What the tests of this crate share: a store that can be tampered with, and randomness from a seed.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)] // each test binary uses its part; these are functions of tests

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use strongroom_barrier::{Arena, Barrier, BarrierError, Name, Protection, Reader, Rotation, View, Write};
use strongroom_store::{Batch, Expect, Revision, Snapshot, Space, StoreError, Stored};
use strongroom_types::id::{ClusterId, MountId, NamespaceId};
use strongroom_types::{Entropy, NoEntropy, Secret, Timestamp};

pub const CLUSTER: ClusterId = ClusterId([0xC1; 16]);
pub const MOUNT: MountId = MountId([0xA1; 16]);
pub const OTHER_MOUNT: MountId = MountId([0xA2; 16]);
pub const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

/// SHA-256 of a counter: the same bytes in every run.
#[derive(Default)]
pub struct Seeded(AtomicU64);

impl Seeded {
    /// From the `n`-th draw on.
    pub fn from(n: u64) -> Self {
        Self(AtomicU64::new(n))
    }
}

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for chunk in out.chunks_mut(32) {
            let block = digest(&SHA256, &self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A generator that has failed.
pub struct Dry;

impl Entropy for Dry {
    fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

/// The cluster space of a store, open to whoever wants to damage it.
#[derive(Clone, Default)]
pub struct Disk {
    pub records: BTreeMap<Vec<u8>, Vec<u8>>,
    /// When each record was last written.
    written: BTreeMap<Vec<u8>, u64>,
    revision: u64,
}

impl Disk {
    pub fn apply(&mut self, batch: Batch) {
        self.revision += 1;
        for change in batch.changes {
            assert_eq!(change.space, Space::Cluster);
            match change.expect {
                Expect::Any => {}
                Expect::Absent => assert!(!self.records.contains_key(&change.key)),
                Expect::Revision(revision) => assert_eq!(self.written_at(&change.key), revision),
            }
            self.written.insert(change.key.clone(), self.revision);
            match change.value {
                Some(value) => self.records.insert(change.key, value),
                None => self.records.remove(&change.key),
            };
        }
    }

    pub fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(self.clone())
    }

    fn written_at(&self, key: &[u8]) -> Revision {
        Revision(self.written.get(key).copied().unwrap_or(0))
    }

    fn stored(&self, key: &[u8], value: &[u8]) -> Stored {
        Stored { value: value.to_vec(), revision: self.written_at(key) }
    }
}

impl Snapshot for Disk {
    fn get(&self, _: Space, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        Ok(self.records.get(key).map(|value| self.stored(key, value)))
    }

    fn seek(&self, _: Space, from: Bound<&[u8]>) -> Result<Option<(Vec<u8>, Stored)>, StoreError> {
        let mut above = self.records.range::<[u8], _>((from, Bound::Unbounded));
        Ok(above.next().map(|(key, value)| (key.clone(), self.stored(key, value))))
    }

    fn revision(&self) -> Revision {
        Revision(self.revision)
    }

    fn accumulated(&self, _: Space) -> Result<[u8; 32], StoreError> {
        Ok([0; 32])
    }
}

/// An unsealed barrier and its store.
pub struct Bench {
    pub arena: Arc<Arena>,
    pub barrier: Arc<Barrier>,
    pub disk: Mutex<Disk>,
    room: usize,
}

pub fn root_key() -> Secret {
    Secret::copy_of(&[0x11; 32])
}

/// Of the usual size.
const ROOM: usize = 64 * 1024;

pub fn arena() -> Arc<Arena> {
    arena_of(ROOM)
}

fn arena_of(room: usize) -> Arc<Arena> {
    Arena::new(room, Protection::BestEffort).unwrap()
}

pub fn name(path: &str) -> Name {
    Name::new(path.split('/').filter(|s| !s.is_empty())).unwrap()
}

impl Bench {
    pub fn new() -> Self {
        Self::with_room(ROOM)
    }

    /// With an arena of so many bytes.
    pub fn with_room(room: usize) -> Self {
        let (arena, mut batch, mut disk) = (arena_of(room), Batch::default(), Disk::default());
        let barrier = Barrier::create(
            CLUSTER,
            &root_key(),
            arena.clone(),
            Arc::new(Seeded::default()),
            NOW,
            &mut batch,
        )
        .unwrap();
        disk.apply(batch);
        Self { arena, barrier, disk: Mutex::new(disk), room }
    }

    /// The same store, opened again.
    pub fn reopened(&self, root_key: &Secret) -> Result<Self, BarrierError> {
        let room = self.room;
        let (arena, disk) = (arena_of(room), self.disk.lock().unwrap().clone());
        let barrier = Barrier::open(CLUSTER, root_key, &disk, arena.clone(), Arc::new(Seeded::default()))?;
        Ok(Self { arena, barrier, disk: Mutex::new(disk), room })
    }

    pub fn view(&self) -> View {
        View::new(&self.barrier, NamespaceId::ROOT, MOUNT)
    }

    pub fn reader(&self) -> Reader {
        self.reader_of(&self.view())
    }

    pub fn reader_of(&self, view: &View) -> Reader {
        view.at(self.disk.lock().unwrap().snapshot())
    }

    /// What is on the disk now.
    pub fn disk(&self) -> Disk {
        self.disk.lock().unwrap().clone()
    }

    /// A new term, after something was encrypted with the newest one.
    pub fn rotate(&self, now: Timestamp, batch: &mut Batch) -> Result<Rotation, BarrierError> {
        self.barrier.rotate(&self.disk(), now, batch).map(|rotation| rotation.unwrap())
    }

    pub fn commit(&self, batch: Batch) {
        self.disk.lock().unwrap().apply(batch);
    }

    /// Commits one write of the usual mount, and tells the key it went to.
    pub fn write(&self, write: Write) -> Vec<u8> {
        self.write_to(&self.view(), write)
    }

    pub fn write_to(&self, view: &View, write: Write) -> Vec<u8> {
        let mut batch = Batch::default();
        view.seal(&write, &mut batch).unwrap();
        let key = batch.changes[0].key.clone();
        self.commit(batch);
        key
    }

    pub fn put(&self, path: &str, value: &str) -> Vec<u8> {
        self.write(Write::put(name(path), value.to_owned()))
    }

    pub fn get(&self, path: &str) -> Option<String> {
        text(self.reader().get(&name(path)).unwrap())
    }
}

pub fn text(entry: Option<strongroom_barrier::Entry>) -> Option<String> {
    entry.map(|entry| entry.value.expose_str().unwrap().to_owned())
}

pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub fn unhex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.replace(' ', "").as_bytes()).unwrap()
}
