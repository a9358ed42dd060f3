//! The conformance suite and a model, over every store.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use crate::conformance::{self, wait};
use crate::faulty::{FaultyStore, Plan};
use crate::{
    Batch, Change, Condition, Expect, MemoryStore, Options, RedbStore, Reserve, Revision, Space, Store,
    StoreError, Stored,
};

fn redb(path: &Path) -> Arc<RedbStore> {
    RedbStore::open(path, Options { reserve: Reserve::NONE, ..Options::default() }).unwrap()
}

#[test]
fn memory_conforms() {
    conformance::run(&|| MemoryStore::new());
}

#[test]
fn redb_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    conformance::run(&|| {
        count.set(count.get() + 1);
        redb(&folder.path().join(count.get().to_string()))
    });
}

#[test]
fn faulty_without_faults_conforms() {
    conformance::run(&|| FaultyStore::new(MemoryStore::new(), Plan::default()));
}

/// What a store should do, as plainly as it can be said.
#[derive(Clone, Default)]
struct Model {
    revision: u64,
    rows: BTreeMap<(Space, Vec<u8>), Stored>,
    /// Modulo 2^128, which is enough for small deltas.
    sums: BTreeMap<Space, u128>,
}

impl Model {
    fn commit(&mut self, batch: &Batch) -> Result<Revision, StoreError> {
        let of_changes = batch.changes.iter().map(|Change { space, key, expect, .. }| (space, key, expect));
        let of_others = batch.conditions.iter().map(|Condition { space, key, expect }| (space, key, expect));
        for (space, key, expect) in of_changes.chain(of_others) {
            let there = self.rows.get(&(*space, key.clone()));
            let holds = match expect {
                Expect::Any => true,
                Expect::Absent => there.is_none(),
                Expect::Revision(revision) => there.is_some_and(|stored| stored.revision == *revision),
            };
            if !holds {
                return Err(StoreError::Conflict);
            }
        }
        self.revision += 1;
        let revision = Revision(self.revision);
        for Change { space, key, value, .. } in batch.changes.clone() {
            match value {
                Some(value) => drop(self.rows.insert((space, key), Stored { value, revision })),
                None => drop(self.rows.remove(&(space, key))),
            }
        }
        for (space, delta) in &batch.accumulate {
            let sum = self.sums.entry(*space).or_default();
            *sum = sum.wrapping_add(u128::from_le_bytes(delta[..16].try_into().unwrap()));
        }
        Ok(revision)
    }

    fn agrees(&self, store: &dyn Store) {
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.revision().0, self.revision);
        for space in [Space::Cluster, Space::Node] {
            let sum = snapshot.accumulated(space).unwrap();
            let expected = self.sums.get(&space).copied().unwrap_or_default();
            assert_eq!(sum[..16], expected.to_le_bytes());
            let mut from: Bound<Vec<u8>> = Bound::Unbounded;
            let mut rows = self.rows.iter().filter(|((of, _), _)| *of == space);
            loop {
                let found = snapshot.seek(space, from.as_ref().map(Vec::as_slice)).unwrap();
                let expected = rows.next().map(|((_, key), stored)| (key.clone(), stored.clone()));
                assert_eq!(found, expected);
                let Some((key, stored)) = found else { break };
                assert_eq!(snapshot.get(space, &key).unwrap(), Some(stored));
                from = Bound::Excluded(key);
            }
        }
    }
}

fn space() -> impl Strategy<Value = Space> {
    prop_oneof![3 => Just(Space::Cluster), 1 => Just(Space::Node)]
}

fn change() -> impl Strategy<Value = Change> {
    let expect = prop_oneof![
        6 => Just(Expect::Any),
        2 => Just(Expect::Absent),
        2 => (0..30_u64).prop_map(|revision| Expect::Revision(Revision(revision))),
    ];
    let key = prop::collection::vec(0..3_u8, 0..4);
    let value = prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..600));
    (space(), key, value, expect).prop_map(|(space, key, value, expect)| Change { space, key, value, expect })
}

fn batch() -> impl Strategy<Value = Batch> {
    let delta = any::<u64>().prop_map(|n| {
        let mut delta = [0; 32];
        delta[..8].copy_from_slice(&n.to_le_bytes());
        delta
    });
    let condition = change().prop_map(|Change { space, key, expect, .. }| Condition { space, key, expect });
    let conditions = prop::collection::vec(condition, 0..2);
    (prop::collection::vec(change(), 0..5), conditions, prop::collection::vec((space(), delta), 0..3))
        .prop_map(|(changes, conditions, accumulate)| Batch { changes, conditions, accumulate, frees: false })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_store_does_what_the_model_does(batches in prop::collection::vec(batch(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let memory: Arc<dyn Store> = MemoryStore::new();
        let stores = [Arc::clone(&memory), redb(&path), FaultyStore::new(memory, Plan::default())];
        let mut model = Model::default();
        for batch in batches {
            let expected = model.commit(&batch);
            // The third writes to the first.
            for store in &stores[..2] {
                prop_assert_eq!(&wait(store.commit(batch.clone())), &expected);
            }
            stores.iter().for_each(|store| model.agrees(&**store));
        }
        drop(stores);
        model.agrees(&*redb(&path));
    }
}
