//! What a commit consists of.

/// Two maps that share a file. `Cluster` is the same on every node of a cluster, `Node` is one board's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Replicated: everything but what belongs to one board.
    Cluster,
    /// One board's: TPM blobs, the epoch, the PIN latch.
    Node,
}

/// The sequence number of a commit. The empty store is at 0, its first commit makes 1.
///
/// Every batch that is accepted has a number of its own, one above the last, whether or not it shares the disk's
/// sync with others; a refused one has none. So no two batches that wrote the same key carry the same number, and
/// a precondition that held is never mistaken for one that holds again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// What must hold for a change to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Any,
    /// The key is not there.
    Absent,
    /// The key is there, and was last written by this commit.
    Revision(Revision),
}

/// One put (`value` is some) or delete (`value` is none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub space: Space,
    /// Which key.
    pub key: Vec<u8>,
    /// The new value; `None` deletes, and to delete what is not there is no error.
    pub value: Option<Vec<u8>>,
    /// The precondition.
    pub expect: Expect,
}

/// What must hold for a batch to happen, of a key that it does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Where.
    pub space: Space,
    /// Which key.
    pub key: Vec<u8>,
    /// The precondition.
    pub expect: Expect,
}

/// Changes that happen together or not at all. Two changes of one key: the later one counts, both
/// preconditions are checked against the state before the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Puts and deletes.
    pub changes: Vec<Change>,
    /// Preconditions on other keys; without a change they commit nothing.
    pub conditions: Vec<Condition>,
    /// Deltas to the sum of a space, as 256-bit little-endian integers, wrapping: commutative.
    pub accumulate: Vec<(Space, [u8; 32])>,
    /// Whether it may use the reserve of free space: see [`Batch::frees`].
    pub frees: bool,
}

impl Batch {
    /// Adds a put.
    pub fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>, expect: Expect) {
        self.changes.push(Change { space, key, value: Some(value), expect });
    }

    /// Adds a delete.
    pub fn delete(&mut self, space: Space, key: Vec<u8>, expect: Expect) {
        self.changes.push(Change { space, key, value: None, expect });
    }

    /// Adds a precondition on a key that need not change.
    pub fn only_if(&mut self, space: Space, key: Vec<u8>, expect: Expect) {
        self.conditions.push(Condition { space, key, expect });
    }

    /// Adds `delta` to the sum of `space`.
    pub fn accumulate(&mut self, space: Space, delta: [u8; 32]) {
        self.accumulate.push((space, delta));
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.accumulate.is_empty()
    }

    /// Says that it takes away, though it does so by writing: ends a token, marks a mount for the sweep, deletes a version
    /// in its secret's record. A full disk must not keep anybody from that. It may use the reserve, so it must not
    /// make the store larger but by a few bytes, however often it is repeated.
    pub fn frees(&mut self) {
        self.frees = true;
    }

    /// Whether it only deletes: allowed whatever space is left.
    pub fn only_deletes(&self) -> bool {
        self.changes.iter().all(|c| c.value.is_none())
    }
}
