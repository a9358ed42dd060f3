//! The frame of a record.
//!
//! ```text
//! ┌─────────────┬──────────────┬──────────┬────────────┬─────────┐
//! │ version = 1 │ term, u32 BE │ salt, 24 │ ciphertext │ tag, 16 │
//! └─────────────┴──────────────┴──────────┴────────────┴─────────┘
//! ```
//!
//! AES-256-GCM under a key that HKDF makes from the data key and the salt, for this record alone: the nonce is
//! therefore zero, and no number of records wears a data key out. What else is authenticated is the caller's
//! associated data, which repeats version and term and adds where the record lies.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use strongroom_types::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::BarrierError;
use crate::purpose::{KEY_LEN, Purpose, derive};

/// The version of the frame.
pub(crate) const VERSION: u8 = 1;
/// How much longer a frame is than what it holds.
pub(crate) const OVERHEAD: usize = HEADER_LEN + TAG_LEN;
/// The frame's own version and term, then the salt.
const HEADER_LEN: usize = 1 + 4 + SALT_LEN;
const SALT_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// A frame, taken apart but not opened: hostile bytes.
pub(crate) struct Frame<'a> {
    /// The term that it says it belongs to.
    pub(crate) term: u32,
    salt: &'a [u8; SALT_LEN],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_LEN],
}

impl<'a> Frame<'a> {
    /// Takes `bytes` apart; whatever is not a frame of this version is damaged.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, BarrierError> {
        let take_apart = || {
            let (version, rest) = bytes.split_first()?;
            let (term, rest) = rest.split_first_chunk()?;
            let (salt, rest) = rest.split_first_chunk()?;
            let (ciphertext, tag) = rest.split_last_chunk()?;
            (*version == VERSION).then_some(Self { term: u32::from_be_bytes(*term), salt, ciphertext, tag })
        };
        take_apart().ok_or(BarrierError::Damaged)
    }

    /// What it holds, if it was sealed with this `key` and `associated` data.
    pub(crate) fn open(&self, key: &[u8], associated: &[u8]) -> Result<Secret, BarrierError> {
        let mut plain = Zeroizing::new(vec![0; self.ciphertext.len()]);
        record_key(key, self.salt)?
            .open_separate_gather(nonce(), Aad::from(associated), self.ciphertext, self.tag, &mut plain)
            .map_err(|_| BarrierError::Damaged)?;
        Ok(Secret::from(std::mem::take(&mut *plain)))
    }
}

/// A frame that holds `plain`.
pub(crate) fn seal(
    key: &[u8],
    term: u32,
    associated: &[u8],
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, BarrierError> {
    let salt: [u8; SALT_LEN] = entropy.draw()?;
    let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
    out.push(VERSION);
    out.extend_from_slice(&term.to_be_bytes());
    out.extend_from_slice(&salt);
    out.resize(plain.len() + OVERHEAD, 0);
    let (_, body) = out.split_at_mut(HEADER_LEN);
    let (ciphertext, tag) = body.split_at_mut(plain.len());
    record_key(key, &salt)?
        .seal_out_of_place_scatter(nonce(), Aad::from(associated), plain, ciphertext, &[], tag)
        .map_err(|_| BarrierError::Crypto("AES-256-GCM"))?;
    Ok(out)
}

fn record_key(key: &[u8], salt: &[u8; SALT_LEN]) -> Result<LessSafeKey, BarrierError> {
    let mut record_key = Zeroizing::new([0; KEY_LEN]);
    derive(key, salt, &Purpose::RecordKey.context(&[]), record_key.as_mut_slice())?;
    UnboundKey::new(&AES_256_GCM, record_key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| BarrierError::Crypto("AES-256-GCM"))
}

/// Of a key that encrypts once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}
