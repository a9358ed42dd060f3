//! The tables of the file and the bytes of their rows. Drawn in the crate's documentation.

use redb::TableDefinition;

use super::health::Fault;
use crate::state::State;
use crate::{Revision, Space};

pub(super) type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;
pub(super) type Meta = TableDefinition<'static, &'static str, &'static [u8]>;

pub(super) const CLUSTER: Rows = Rows::new("cluster");
pub(super) const NODE: Rows = Rows::new("node");
pub(super) const META: Meta = Meta::new("meta");

/// The format of the file, as a `u32`.
pub(super) const FORMAT: &str = "format";
/// The one that is written here. Readers refuse any other.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Revision and sums.
pub(super) const STATE: &str = "state";

/// Before the value of a record.
pub(super) const RECORD_HEAD: usize = 8 + 4;

/// Fills `row`, which is [`RECORD_HEAD`] longer than `value`.
pub(super) fn write_record(row: &mut [u8], space: Space, key: &[u8], revision: Revision, value: &[u8]) {
    let sum = record_sum(space, key, revision, value);
    let head = revision.0.to_le_bytes().into_iter().chain(sum.to_le_bytes());
    row.iter_mut().zip(head).for_each(|(to, byte)| *to = byte);
    if let Some(rest) = row.get_mut(RECORD_HEAD..) {
        // Equal in length: the row was reserved for this value.
        rest.copy_from_slice(value);
    }
}

/// The revision and the value in `row`, which no commit after `newest` can have written.
pub(super) fn read_record<'a>(
    row: &'a [u8],
    space: Space,
    key: &[u8],
    newest: Revision,
) -> Result<(Revision, &'a [u8]), Fault> {
    let damaged = || Fault::Damaged("a record does not match its checksum".to_owned());
    let (revision, rest) = row.split_first_chunk().ok_or_else(damaged)?;
    let (sum, value) = rest.split_first_chunk().ok_or_else(damaged)?;
    let revision = Revision(u64::from_le_bytes(*revision));
    if record_sum(space, key, revision, value) != u32::from_le_bytes(*sum) || revision > newest {
        return Err(damaged());
    }
    Ok((revision, value))
}

/// Finds what a disk does by accident. What somebody does on purpose is the barrier's to find.
fn record_sum(space: Space, key: &[u8], revision: Revision, value: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(match space {
        Space::Cluster => b"c",
        Space::Node => b"n",
    });
    sum.update(&revision.0.to_le_bytes());
    sum.update(key);
    sum.update(value);
    sum.finalize()
}

const STATE_BYTES: usize = 8 + 32 + 32;

/// The row [`STATE`].
pub(super) fn write_state(state: &State) -> Vec<u8> {
    let mut row = [state.revision.0.to_le_bytes().as_slice(), &state.cluster, &state.node].concat();
    row.extend(crc32fast::hash(&row).to_le_bytes());
    row
}

/// The state in `row`.
pub(super) fn read_state(row: &[u8]) -> Result<State, Fault> {
    let damaged = || Fault::Damaged("the state row does not match its checksum".to_owned());
    let (fields, sum) = row.split_last_chunk().ok_or_else(damaged)?;
    if fields.len() != STATE_BYTES || crc32fast::hash(fields) != u32::from_le_bytes(*sum) {
        return Err(damaged());
    }
    let (revision, sums) = fields.split_first_chunk().ok_or_else(damaged)?;
    let (cluster, node) = sums.split_first_chunk().ok_or_else(damaged)?;
    Ok(State {
        revision: Revision(u64::from_le_bytes(*revision)),
        cluster: *cluster,
        node: node.try_into().map_err(|_| damaged())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64, value: &[u8]) -> Vec<u8> {
        let mut row = vec![0; RECORD_HEAD + value.len()];
        write_record(&mut row, Space::Cluster, b"key", Revision(revision), value);
        row
    }

    /// Pinned: files of version 1 look like this for ever.
    #[test]
    fn rows_of_version_1() {
        let hex = |row: &[u8]| row.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&record(0x0102, b"value")), "0201000000000000332fbc7476616c7565");
        let state = State { revision: Revision(3), cluster: [1; 32], node: [2; 32] };
        let expected = format!("0300000000000000{}{}951ea2d5", "01".repeat(32), "02".repeat(32));
        assert_eq!(hex(&write_state(&state)), expected);
        assert_eq!(read_state(&write_state(&state)).unwrap(), state);
    }

    #[test]
    fn any_change_of_a_record_is_noticed() {
        let row = record(7, b"some value");
        let read = |row: &[u8], space, key, newest| read_record(row, space, key, Revision(newest)).is_ok();
        assert!(read(&row, Space::Cluster, b"key", 7));
        assert!(!read(&row, Space::Cluster, b"key", 6), "from the future");
        assert!(!read(&row, Space::Node, b"key", 7), "of another space");
        assert!(!read(&row, Space::Cluster, b"kez", 7), "of another key");
        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!read(&flipped, Space::Cluster, b"key", u64::MAX), "bit {bit}");
        }
        for length in 0..row.len() {
            assert!(!read(&row[..length], Space::Cluster, b"key", 7), "cut to {length}");
        }
        let empty = record(0, b"");
        assert_eq!(read_record(&empty, Space::Cluster, b"key", Revision(0)).unwrap().1, b"");
    }

    #[test]
    fn any_change_of_the_state_is_noticed() {
        let row = write_state(&State { revision: Revision(9), cluster: [5; 32], node: [6; 32] });
        for bit in 0..row.len() * 8 {
            let mut flipped = row.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read_state(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..row.len() {
            assert!(read_state(&row[..length]).is_err(), "cut to {length}");
        }
    }
}
