//! What a custodian is given: opaque to every client, in hexadecimal or base64.
//!
//! ```text
//! ┌─────────────┬────────────┬──────────┬───────────┬──────────────┐
//! │ version = 1 │ digest, 16 │ index, 1 │ share, 32 │ blinding, 32 │  82 bytes
//! └─────────────┴────────────┴──────────┴───────────┴──────────────┘
//!   digest   first half of SHA-256 over cluster, slot, group and commitments: a share of another cluster
//!            or slot is told from a wrong one
//!   index    the holder's number in its group, from 1
//! ```
//!
//! There is no checksum: the commitments in the slot table find any change, and name the index.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use strongroom_types::Secret;

use crate::ShareError;
use crate::derive::{Place, Purpose};
use crate::sharing::{Commitment, PART_LEN, Part};

/// Length of a share in bytes.
pub const SHARE_LEN: usize = 1 + DIGEST_LEN + 1 + PART_LEN;

const VERSION: u8 = 1;
const DIGEST_LEN: usize = 16;

/// Which group a share belongs to.
pub(crate) type GroupDigest = [u8; DIGEST_LEN];

/// The bytes of a share from what a client sends: hexadecimal, or else base64.
pub fn from_text(text: &str) -> Result<Secret, ShareError> {
    let text = text.trim().as_bytes();
    [HEXLOWER_PERMISSIVE.decode(text), BASE64.decode(text)]
        .into_iter()
        .flatten()
        .map(Secret::from)
        .find(|bytes| bytes.len() == SHARE_LEN)
        .ok_or(ShareError::Malformed)
}

/// The digest of group number `group` (from 0) of a slot.
pub(crate) fn group_digest(place: Place, group: u8, commitments: &[Commitment]) -> GroupDigest {
    let context = place.context(Purpose::ShareDigest, &[&[group], commitments.as_flattened()]);
    let whole = digest(&SHA256, &context);
    let mut half = GroupDigest::default();
    half.iter_mut().zip(whole.as_ref()).for_each(|(to, from)| *to = *from);
    half
}

/// A custodian's part as the bytes above.
pub(crate) fn encode(group: &GroupDigest, part: &Part) -> Secret {
    let mut bytes = Vec::with_capacity(SHARE_LEN);
    bytes.push(VERSION);
    bytes.extend_from_slice(group);
    bytes.push(part.index);
    bytes.extend_from_slice(part.bytes.as_slice());
    Secret::from(bytes)
}

/// The group and the part in the bytes above; the part is not verified yet.
pub(crate) fn decode(bytes: &[u8]) -> Result<(GroupDigest, Part), ShareError> {
    let (&version, rest) = bytes.split_first().ok_or(ShareError::Malformed)?;
    let (group, rest) = rest.split_first_chunk().ok_or(ShareError::Malformed)?;
    let (&index, rest) = rest.split_first().ok_or(ShareError::Malformed)?;
    let part = Part::from_bytes(index, rest).ok_or(ShareError::Malformed)?;
    if version != VERSION || index == 0 {
        return Err(ShareError::Malformed);
    }
    Ok((*group, part))
}
