//! Keys from keys, and the one cipher. What for is in [`Purpose`], the one list of all derivations.
//!
//! A wrap is AES-256-GCM:
//!
//! ```text
//! ┌───────────┬────────────┬─────────┐
//! │ nonce, 12 │ ciphertext │ tag, 16 │
//! └───────────┴────────────┴─────────┘
//! ```

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use strongroom_types::id::ClusterId;
pub(crate) use strongroom_types::purpose::{Purpose, push_field};
use strongroom_types::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::{SealError, SlotId};

/// A key of 256 bits.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// How much longer a wrap is than what it wraps.
pub(crate) const WRAP_OVERHEAD: usize = NONCE_LEN + 16;

/// Where in the world of slots something belongs: the first fields of every [`context`].
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) cluster: ClusterId,
    pub(crate) slot: SlotId,
}

impl Place {
    /// The text above for something of this slot.
    pub(crate) fn context(self, purpose: Purpose, fields: &[&[u8]]) -> Vec<u8> {
        let place: [&[u8]; 2] = [&self.cluster.0, &self.slot.0];
        purpose.context(&[place.as_slice(), fields].concat())
    }
}

/// HKDF-SHA256 of `secret` for `context`.
pub(crate) fn derive(secret: &[u8], context: &[u8]) -> Result<Key, SealError> {
    let mut key = Key::default();
    Salt::new(HKDF_SHA256, &[])
        .extract(secret)
        .expand(&[context], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .map_err(|_| SealError::Crypto("HKDF-SHA256"))?;
    Ok(key)
}

/// Wraps `plain` under `key`, bound to `context`, with a random nonce.
pub(crate) fn wrap(
    key: &Key,
    context: &[u8],
    plain: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    let nonce: [u8; NONCE_LEN] = entropy.draw()?;
    let mut sealed = Zeroizing::new(Vec::with_capacity(plain.len() + WRAP_OVERHEAD));
    sealed.extend_from_slice(plain);
    cipher(key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut *sealed)
        .map_err(|_| SealError::Crypto("AES-256-GCM"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// What [`wrap`] was given; `None` for other bytes, another key or another context.
pub(crate) fn unwrap(key: &Key, context: &[u8], wrapped: &[u8]) -> Result<Option<Secret>, SealError> {
    let Some((nonce, sealed)) = wrapped.split_first_chunk::<NONCE_LEN>() else { return Ok(None) };
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let opened =
        cipher(key)?.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut buffer);
    Ok(opened.ok().map(|plain| Secret::copy_of(plain)))
}

fn cipher(key: &Key) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| SealError::Crypto("AES-256-GCM"))?;
    Ok(LessSafeKey::new(key))
}
