//! What every store does in the same way: sums, preconditions, sizes.

use crate::{Batch, Expect, Revision, Space, StoreError};

/// Largest batch by default, in bytes: keys and values, and 64 for each change.
pub const MAX_BATCH: usize = 64 << 20;

/// What a change costs beside its bytes.
const RECORD_COST: usize = 64;

/// What a store knows beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The last commit.
    pub(crate) revision: Revision,
    /// Of [`Space::Cluster`].
    pub(crate) cluster: [u8; 32],
    /// Of [`Space::Node`].
    pub(crate) node: [u8; 32],
}

impl State {
    /// The sum of `space`.
    pub(crate) fn sum(&self, space: Space) -> [u8; 32] {
        match space {
            Space::Cluster => self.cluster,
            Space::Node => self.node,
        }
    }

    /// What it is after `batch`.
    pub(crate) fn after(mut self, batch: &Batch) -> Self {
        self.revision = Revision(self.revision.0.saturating_add(1));
        for (space, delta) in &batch.accumulate {
            match space {
                Space::Cluster => add(&mut self.cluster, delta),
                Space::Node => add(&mut self.node, delta),
            }
        }
        self
    }
}

/// 256-bit little-endian addition that wraps.
fn add(sum: &mut [u8; 32], delta: &[u8; 32]) {
    let mut carry = false;
    for (byte, other) in sum.iter_mut().zip(delta) {
        let (half, first) = byte.overflowing_add(*other);
        let (whole, second) = half.overflowing_add(u8::from(carry));
        *byte = whole;
        carry = first || second;
    }
}

/// Whether every precondition of `batch` holds, when `seen` tells which commit wrote a key.
pub(crate) fn holds<E>(
    batch: &Batch,
    mut seen: impl FnMut(Space, &[u8]) -> Result<Option<Revision>, E>,
) -> Result<bool, E> {
    let of_changes = batch.changes.iter().map(|change| (change.space, &change.key, change.expect));
    let of_others = batch.conditions.iter().map(|other| (other.space, &other.key, other.expect));
    for (space, key, expect) in of_changes.chain(of_others) {
        let held = match expect {
            Expect::Any => true,
            Expect::Absent => seen(space, key)?.is_none(),
            Expect::Revision(revision) => seen(space, key)? == Some(revision),
        };
        if !held {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The size of `batch`, if it is at most `limit`.
pub(crate) fn sized(batch: &Batch, limit: usize) -> Result<usize, StoreError> {
    let value = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
    let changes = batch.changes.iter().map(|change| change.key.len() + value(&change.value) + RECORD_COST);
    let conditions = batch.conditions.iter().map(|condition| condition.key.len() + RECORD_COST);
    let size = changes.chain(conditions).sum::<usize>() + batch.accumulate.len() * RECORD_COST;
    if size > limit { Err(StoreError::TooLarge) } else { Ok(size) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addition_carries_and_wraps() {
        let mut sum = [0xff; 32];
        let mut one = [0; 32];
        one[0] = 1;
        add(&mut sum, &one);
        assert_eq!(sum, [0; 32]);
        add(&mut sum, &[0xff; 32]);
        add(&mut sum, &[0xff; 32]);
        let mut minus_two = [0xff; 32];
        minus_two[0] = 0xfe;
        assert_eq!(sum, minus_two);
    }
}
