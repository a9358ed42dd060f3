//! A record that grows while it is written leaves no piece of itself behind. Alone in its binary, so that what it finds
//! is its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // the lints spare tests, not what tests share

use std::fmt;
use std::io::{Read, Seek, SeekFrom};

use serde::{Serialize, Serializer};
use strongroom_engine::record;

/// What is looked for, each byte inverted, so that this is not what is found.
const INVERTED: [u8; 24] = [
    0x8c, 0x9a, 0x9c, 0x8d, 0x9a, 0x8b, 0xd2, 0x90, 0x99, 0xd2, 0x8b, 0x97, 0x9a, 0xd2, 0x99, 0x96, 0x8d,
    0x8c, 0x8b, 0xd2, 0x8f, 0x8a, 0x9e, 0x8d,
];

/// The secret, a character at a time, and then so much that the record has to grow many times.
struct Value;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut write = |byte: u8| fmt::Write::write_char(f, char::from(!byte));
        INVERTED.iter().try_for_each(|byte| write(*byte))?;
        (0..100_000).try_for_each(|_| write(!b'x'))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// How often the secret stands in memory that this process can write to.
fn found() -> usize {
    const PIECE: usize = 1 << 20;
    let mut piece = vec![0; PIECE];
    let own = piece.as_ptr().addr() as u64;
    let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let writable = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.contains('w')));
    let mut count = 0;
    for range in writable.filter_map(|line| line.split(' ').next()?.split_once('-')) {
        let [mut at, end] = [range.0, range.1].map(|at| u64::from_str_radix(at, 16).unwrap());
        while at < end {
            // What the search itself has copied is left out.
            if (own..own + PIECE as u64).contains(&at) {
                at = own + PIECE as u64;
                continue;
            }
            let until = if at < own { end.min(own) } else { end };
            let length = PIECE.min(usize::try_from(until - at).unwrap());
            memory.seek(SeekFrom::Start(at)).unwrap();
            if memory.read_exact(&mut piece[..length]).is_err() {
                break;
            }
            piece[..length].iter_mut().for_each(|byte| *byte = !*byte);
            count += piece[..length].windows(INVERTED.len()).filter(|window| *window == INVERTED).count();
            piece[..length].fill(0);
            at += length as u64;
        }
    }
    count
}

#[test]
fn a_record_that_grows_leaves_no_piece_of_itself_behind() {
    let record = record::encode(1, &Value).unwrap();
    let length = 1 + 2 + INVERTED.len() + 100_000;
    assert_eq!((record.len(), found()), (length, 1), "the record itself, and nothing else");
    drop(record);
    assert_eq!(found(), 0);
}
