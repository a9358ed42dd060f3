//! Reading: one record, a directory, a tree, what is due.

use std::collections::BinaryHeap;
use std::ops::Bound;
use std::sync::Arc;

use strongroom_store::{Revision, Snapshot, Space};

use crate::frame::Frame;
use crate::keys::MountKeys;
use crate::view::store_key;
use crate::{BarrierError, Due, Entry, Minute, Name, key};

/// A view at one snapshot.
pub struct Reader {
    pub(crate) keys: Arc<MountKeys>,
    pub(crate) snapshot: Arc<dyn Snapshot>,
}

impl Reader {
    /// The commit that the snapshot is the result of.
    pub fn revision(&self) -> Revision {
        self.snapshot.revision()
    }

    /// The record `name`.
    pub fn get(&self, name: &Name) -> Result<Option<Entry>, BarrierError> {
        self.read(None, name)
    }

    /// Whether there is a record `name`; it is not opened.
    pub fn has(&self, name: &Name) -> Result<bool, BarrierError> {
        let Some(key) = store_key(&self.keys, None, name)? else { return Ok(false) };
        Ok(self.snapshot.get(Space::Cluster, &key)?.is_some())
    }

    /// The record `name` that is ordered under `minute`.
    pub fn get_due(&self, minute: Minute, name: &Name) -> Result<Option<Entry>, BarrierError> {
        self.read(Some(minute), name)
    }

    fn read(&self, due: Option<Minute>, name: &Name) -> Result<Option<Entry>, BarrierError> {
        let Some(key) = store_key(&self.keys, due, name)? else { return Ok(None) };
        let Some(stored) = self.snapshot.get(Space::Cluster, &key)? else { return Ok(None) };
        let frame = Frame::parse(&stored.value)?;
        let associated = self.keys.associated(frame.term, &key);
        let value = self.keys.with_data_key(frame.term, |data_key| frame.open(data_key, &associated))?;
        Ok(Some(Entry { value, revision: stored.revision }))
    }

    /// The names directly below `parent`, in order of their bytes; a name that has others below it ends in `/`, and
    /// stands beside the same name without one if that is a record too. Only those greater than `after`, at most
    /// `limit`.
    ///
    /// Looks at every name of the directory, since they lie in another order on the disk, but at none further below.
    pub fn list(
        &self,
        parent: &Name,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Vec<String>, BarrierError> {
        let cipher = self.keys.name_cipher()?;
        let parent = cipher.key(key::record_prefix(self.keys.namespace, self.keys.mount), parent)?;
        let mut names = Smallest::new(after, limit);
        let mut from = Bound::Excluded(parent.clone());
        while let Some(found) = self.seek_below(&parent, &from)? {
            let end = key::segment_end(&found, parent.len())?;
            let name = cipher.read(&found, parent.len(), end)?;
            let child = found.get(..end).ok_or(BarrierError::Damaged)?;
            if found.len() == end {
                names.offer(name);
                from = Bound::Excluded(found);
            } else {
                // What follows must be a segment; a byte above every length would be found again and again.
                key::segment_end(&found, end)?;
                names.offer(name + "/");
                from = Bound::Included(key::above(child));
            }
        }
        Ok(names.into_sorted())
    }

    /// All records below `parent`, as the segments that follow it, in no particular order, to `visit`, which may stop
    /// by `false`.
    pub fn walk(&self, parent: &Name, visit: &mut dyn FnMut(&[String]) -> bool) -> Result<(), BarrierError> {
        self.walk_on(parent, parent, visit)
    }

    /// The same, but only what a walk has not come to when it visits `after`, the whole name of a record below `parent`
    /// that may be gone by now.
    pub fn walk_on(
        &self,
        parent: &Name,
        after: &Name,
        visit: &mut dyn FnMut(&[String]) -> bool,
    ) -> Result<(), BarrierError> {
        let cipher = self.keys.name_cipher()?;
        let prefix = || key::record_prefix(self.keys.namespace, self.keys.mount);
        let parent = cipher.key(prefix(), parent)?;
        let mut from = cipher.key(prefix(), after)?;
        // Where each segment of `from` ends, and its text: the next key mostly shares the first ones.
        let (mut ends, mut path) = (Vec::new(), Vec::new());
        while let Some(found) = self.seek_below(&parent, &Bound::Excluded(from.clone()))? {
            let shared = ends.iter().take_while(|end| from.get(..**end) == found.get(..**end)).count();
            ends.truncate(shared);
            path.truncate(shared);
            let mut start = ends.last().copied().unwrap_or(parent.len());
            while start < found.len() {
                let end = key::segment_end(&found, start)?;
                path.push(cipher.read(&found, start, end)?);
                ends.push(end);
                start = end;
            }
            if !visit(&path) {
                break;
            }
            from = found;
        }
        Ok(())
    }

    /// The ordered records of all minutes up to and with `until`, the earliest first, in no particular order within
    /// a minute. Only those that stand behind `after`, at most `limit`.
    pub fn due(&self, until: Minute, after: Option<&Due>, limit: usize) -> Result<Vec<Due>, BarrierError> {
        let cipher = self.keys.name_cipher()?;
        let prefix = key::due_prefix(self.keys.namespace, self.keys.mount);
        let mut from = match after {
            Some(due) => {
                cipher.key(key::due_at(self.keys.namespace, self.keys.mount, due.minute), &due.name)?
            }
            None => prefix.clone(),
        };
        let mut all = Vec::new();
        while all.len() < limit
            && let Some(found) = self.seek_below(&prefix, &Bound::Excluded(from))?
        {
            let (minute, mut start) = key::read_minute(&found, prefix.len())?;
            if minute > until {
                break;
            }
            let (mut segments, mut rank) = (Vec::new(), None);
            while start < found.len() {
                let end = key::segment_end(&found, start)?;
                segments.push(cipher.read(&found, start, end)?);
                rank = key::rank(&found, start);
                start = end;
            }
            let name = Name::new(segments).map_err(|_| BarrierError::Damaged)?;
            all.push(Due { minute, name: name.ranked(rank) });
            from = found;
        }
        Ok(all)
    }

    /// The next key that begins with `prefix`; an error once the barrier is sealed.
    fn seek_below(&self, prefix: &[u8], from: &Bound<Vec<u8>>) -> Result<Option<Vec<u8>>, BarrierError> {
        self.keys.check_unsealed()?;
        let from = from.as_ref().map(Vec::as_slice);
        let found = self.snapshot.seek(Space::Cluster, from)?;
        Ok(found.map(|(key, _)| key).filter(|key| key.starts_with(prefix)))
    }
}

/// The smallest names of those offered: no more are held than are asked for.
struct Smallest<'a> {
    names: BinaryHeap<String>,
    after: Option<&'a str>,
    limit: usize,
}

impl<'a> Smallest<'a> {
    fn new(after: Option<&'a str>, limit: Option<usize>) -> Self {
        Self { names: BinaryHeap::new(), after, limit: limit.unwrap_or(usize::MAX) }
    }

    fn offer(&mut self, name: String) {
        if self.after.is_some_and(|after| name.as_str() <= after) {
            return;
        }
        self.names.push(name);
        if self.names.len() > self.limit {
            self.names.pop();
        }
    }

    fn into_sorted(self) -> Vec<String> {
        self.names.into_sorted_vec()
    }
}
