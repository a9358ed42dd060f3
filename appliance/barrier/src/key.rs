//! Keys in the store, and how names are encrypted in them.
//!
//! ```text
//! plain    0 │ text                                           what must be readable while sealed: module `plain`
//! record   1 │ namespace id, 16 │ mount id, 16 │ segment …
//! due      2 │ namespace id, 16 │ mount id, 16 │ minute, u32 BE │ segment …
//!
//! segment  blocks b, 1 to 251 │ AES-256-GCM-SIV of (text ‖ 0x80 ‖ zeros), 16·b │ tag, 16
//!          before the last one of a name with a rank: 0xFE │ rank, u32 BE
//! ```
//!
//! A segment is encrypted with the mount's name key, a nonce of zeros, and all bytes of the key before it as associated
//! data: the same name gives the same key, so that it can be looked up, but the same segment in another place gives
//! other bytes. The text always ends with 0x80 and as many zeros as fill the block.
//!
//! Both ids stand in the key because a mount id alone may be the same in two namespaces. Every part is of fixed
//! length or says its length, so that no two names give the same key; a key is a prefix of another only if its
//! name is. 0xFE and 0xFF are the length of no segment: `key ‖ 0xFF` is greater than everything below `key`.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use strongroom_types::id::{MountId, NamespaceId};
use zeroize::Zeroizing;

use crate::{BarrierError, Minute, Name};

/// First byte of a record's key.
const RECORD: u8 = 1;
/// First byte of a record's key that is ordered by a minute.
const DUE: u8 = 2;

const BLOCK: usize = 16;
const TAG_LEN: usize = 16;
/// What [`crate::name::MAX_SEGMENT`] bytes and the 0x80 take.
const MAX_BLOCKS: u8 = 251;
/// Greater than whatever a segment begins with.
const ABOVE: u8 = 0xFF;
/// Begins a segment with a rank: greater than the length of any.
const RANKED: u8 = 0xFE;
/// That and the rank.
const RANK_LEN: usize = 5;
/// Ends the text of a segment.
const END: u8 = 0x80;

/// The name key of a mount, ready for use. The expanded key lies in the library's heap memory, which the library
/// wipes when this is dropped: it is made for one operation.
pub(crate) struct NameCipher(LessSafeKey);

impl NameCipher {
    pub(crate) fn new(name_key: &[u8]) -> Result<Self, BarrierError> {
        UnboundKey::new(&AES_256_GCM_SIV, name_key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| BarrierError::Crypto("AES-256-GCM-SIV"))
    }

    /// `prefix`, then `name`, encrypted.
    pub(crate) fn key(&self, mut prefix: Vec<u8>, name: &Name) -> Result<Vec<u8>, BarrierError> {
        let len: usize = name.segments().iter().map(|s| 1 + padded(s) + TAG_LEN).sum();
        prefix.reserve_exact(RANK_LEN + len);
        let Some((last, parents)) = name.segments().split_last() else { return Ok(prefix) };
        for segment in parents {
            self.push(&mut prefix, segment)?;
        }
        if let Some(rank) = name.rank() {
            prefix.push(RANKED);
            prefix.extend_from_slice(&rank.to_be_bytes());
        }
        self.push(&mut prefix, last)?;
        Ok(prefix)
    }

    /// Adds `segment` to `key`.
    fn push(&self, key: &mut Vec<u8>, segment: &str) -> Result<(), BarrierError> {
        const FAILED: BarrierError = BarrierError::Crypto("AES-256-GCM-SIV");
        key.push(u8::try_from(padded(segment) / BLOCK).map_err(|_| FAILED)?);
        let start = key.len();
        key.extend_from_slice(segment.as_bytes());
        key.push(END);
        key.resize(start + padded(segment), 0);
        let (before, text) = key.split_at_mut(start);
        let tag =
            self.0.seal_in_place_separate_tag(nonce(), Aad::from(&*before), text).map_err(|_| FAILED)?;
        key.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// The text of the segment that lies in `key` from `start` up to `end`, which [`segment_end`] has found.
    pub(crate) fn read(&self, key: &[u8], start: usize, end: usize) -> Result<String, BarrierError> {
        let start = past_rank(key, start);
        let before = key.get(..start + 1).ok_or(BarrierError::Damaged)?;
        let mut text = Zeroizing::new(key.get(start + 1..end).ok_or(BarrierError::Damaged)?.to_vec());
        let padded =
            self.0.open_in_place(nonce(), Aad::from(before), &mut text).map_err(|_| BarrierError::Damaged)?;
        let unpadded = padded.iter().rposition(|byte| *byte != 0).and_then(|last| padded.get(..=last));
        match unpadded.and_then(<[u8]>::split_last) {
            Some((&END, text)) if !text.is_empty() => {
                String::from_utf8(text.to_vec()).map_err(|_| BarrierError::Damaged)
            }
            _ => Err(BarrierError::Damaged),
        }
    }
}

/// What the keys of a mount's records begin with.
pub(crate) fn record_prefix(namespace: NamespaceId, mount: MountId) -> Vec<u8> {
    [&[RECORD], namespace.0.as_slice(), &mount.0].concat()
}

/// What the keys of a mount's ordered records begin with.
pub(crate) fn due_prefix(namespace: NamespaceId, mount: MountId) -> Vec<u8> {
    [&[DUE], namespace.0.as_slice(), &mount.0].concat()
}

/// What the keys of a mount's records that are due at `minute` begin with.
pub(crate) fn due_at(namespace: NamespaceId, mount: MountId, minute: Minute) -> Vec<u8> {
    [due_prefix(namespace, mount).as_slice(), &minute.0.to_be_bytes()].concat()
}

/// The minute that follows the prefix in `key`, and where it ends.
pub(crate) fn read_minute(key: &[u8], start: usize) -> Result<(Minute, usize), BarrierError> {
    let bytes = key.get(start..).and_then(<[u8]>::first_chunk).ok_or(BarrierError::Damaged)?;
    Ok((Minute(u32::from_be_bytes(*bytes)), start + bytes.len()))
}

/// The rank of the segment that starts at `start`, if it has one.
pub(crate) fn rank(key: &[u8], start: usize) -> Option<u32> {
    let (&RANKED, rest) = key.get(start..)?.split_first()? else { return None };
    rest.first_chunk().map(|rank| u32::from_be_bytes(*rank))
}

fn past_rank(key: &[u8], start: usize) -> usize {
    if key.get(start) == Some(&RANKED) { start + RANK_LEN } else { start }
}

/// Where the segment that starts at `start` ends.
pub(crate) fn segment_end(key: &[u8], start: usize) -> Result<usize, BarrierError> {
    let start = past_rank(key, start);
    let blocks = *key.get(start).ok_or(BarrierError::Damaged)?;
    let end = start + 1 + usize::from(blocks) * BLOCK + TAG_LEN;
    if blocks == 0 || blocks > MAX_BLOCKS || end > key.len() { Err(BarrierError::Damaged) } else { Ok(end) }
}

/// Greater than every key below `key`, less than every other key that is greater than it.
pub(crate) fn above(key: &[u8]) -> Vec<u8> {
    [key, &[ABOVE]].concat()
}

fn padded(segment: &str) -> usize {
    (segment.len() / BLOCK + 1) * BLOCK
}

/// Always the same, so that a name can be looked up: AES-GCM-SIV reveals no more by that than that two names are equal.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}
