//! A sorted map whose copies share what they have in common.
//!
//! ```text
//! Sorted ─▶ Arc<[ Arc<Chunk> , Arc<Chunk> , … ]>        in order, none empty
//!                    └▶ [ Arc<Entry>, … at most 128 ]   in order
//! ```
//!
//! A copy is one reference. A change copies the list of chunks and one chunk, unless nobody else holds them: some
//! microseconds at 100,000 entries.

use std::ops::Bound;
use std::sync::Arc;

use crate::Revision;

/// A chunk is split when it grows beyond this.
const CHUNK: usize = 128;

/// A key, its value and the commit that wrote it.
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) revision: Revision,
}

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Sorted {
    chunks: Arc<Vec<Arc<Chunk>>>,
}

#[derive(Clone)]
struct Chunk(Vec<Arc<Entry>>);

impl Sorted {
    /// What is at `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Entry> {
        let chunk = self.chunks.get(self.chunk_of(key))?;
        let at = chunk.find(key).ok()?;
        chunk.0.get(at).map(Arc::as_ref)
    }

    /// The first entry within the bound `from`.
    pub(crate) fn first(&self, from: Bound<&[u8]>) -> Option<&Entry> {
        let before = |entry: &Entry| match from {
            Bound::Unbounded => false,
            Bound::Included(key) => entry.key.as_slice() < key,
            Bound::Excluded(key) => entry.key.as_slice() <= key,
        };
        let chunk = self.chunks.partition_point(|chunk| chunk.0.last().is_some_and(|entry| before(entry)));
        let chunk = self.chunks.get(chunk)?;
        chunk.0.get(chunk.0.partition_point(|entry| before(entry))).map(Arc::as_ref)
    }

    /// Puts `entry` in the place of what has the same key.
    pub(crate) fn insert(&mut self, entry: Entry) {
        let at = self.chunk_of(&entry.key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Arc::new(Chunk(vec![Arc::new(entry)])));
            return;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.find(&entry.key) {
            Ok(same) => {
                if let Some(place) = chunk.0.get_mut(same) {
                    *place = Arc::new(entry);
                }
            }
            Err(gap) => chunk.0.insert(gap, Arc::new(entry)),
        }
        if chunk.0.len() > CHUNK {
            let upper = chunk.0.split_off(CHUNK / 2);
            chunks.insert(at + 1, Arc::new(Chunk(upper)));
        }
    }

    /// Takes away what is at `key`, if anything is.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        if self.get(key).is_none() {
            return;
        }
        let at = self.chunk_of(key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at).map(Arc::make_mut) else { return };
        if let Ok(found) = chunk.find(key) {
            chunk.0.remove(found);
        }
        if chunk.0.is_empty() {
            chunks.remove(at);
        }
    }

    /// The chunk where `key` is or would go: the last that does not start after it.
    fn chunk_of(&self, key: &[u8]) -> usize {
        let starts = |chunk: &Arc<Chunk>| chunk.0.first().is_some_and(|entry| entry.key.as_slice() <= key);
        self.chunks.partition_point(starts).saturating_sub(1)
    }
}

impl Chunk {
    /// Where `key` is, or where it would go.
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| entry.key.as_slice().cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(key: u16, revision: u64) -> Entry {
        Entry { key: key.to_be_bytes().to_vec(), value: Vec::new(), revision: Revision(revision) }
    }

    fn content(map: &Sorted) -> Vec<(Vec<u8>, u64)> {
        map.chunks
            .iter()
            .flat_map(|chunk| &chunk.0)
            .map(|entry| (entry.key.clone(), entry.revision.0))
            .collect()
    }

    proptest! {
        #[test]
        fn does_what_a_btreemap_does(steps in prop::collection::vec((any::<bool>(), 0..600_u16), 0..1500)) {
            let (mut map, mut model) = (Sorted::default(), BTreeMap::new());
            for (step, (put, key)) in (0..).zip(steps) {
                if put {
                    map.insert(entry(key, step));
                    model.insert(key.to_be_bytes().to_vec(), step);
                } else {
                    map.remove(&key.to_be_bytes());
                    model.remove(key.to_be_bytes().as_slice());
                }
            }
            prop_assert_eq!(content(&map), model.iter().map(|(k, v)| (k.clone(), *v)).collect::<Vec<_>>());
            for key in 0..610_u16 {
                let key = key.to_be_bytes();
                prop_assert_eq!(map.get(&key).map(|e| e.revision.0), model.get(key.as_slice()).copied());
                for from in [Bound::Included(key.as_slice()), Bound::Excluded(key.as_slice())] {
                    let expected = model.range::<[u8], _>((from, Bound::Unbounded)).next().map(|(k, _)| k);
                    prop_assert_eq!(map.first(from).map(|e| &e.key), expected);
                }
            }
            prop_assert!(map.chunks.iter().all(|chunk| (1..=CHUNK).contains(&chunk.0.len())));
        }
    }

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut map = Sorted::default();
        (0..1000).for_each(|key| map.insert(entry(key, 1)));
        let copy = map.clone();
        (0..1000_u16).step_by(2).for_each(|key| map.remove(&key.to_be_bytes()));
        (1..1000).step_by(2).for_each(|key| map.insert(entry(key, 2)));
        assert_eq!(content(&copy).len(), 1000);
        assert!(content(&copy).iter().all(|(_, revision)| *revision == 1));
        assert_eq!(content(&map).len(), 500);
    }
}
