//! The derivations of this crate, in one list, and the one cipher.
//!
//! A key is HKDF-SHA256 with no salt and this text as `info`; the same text with another purpose is the
//! associated data of a wrap, or what a digest is taken over:
//!
//! ```text
//! ┌───────────────┬───────────────────────────┬───────────────────────────┬───
//! │ strongroom/v1 │ length, u32 BE │ purpose  │ length, u32 BE │ field    │ … more fields
//! └───────────────┴───────────────────────────┴───────────────────────────┴───
//! ```
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
use strongroom_types::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::{SealError, SlotId};

/// A key of 256 bits.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// How much longer a wrap is than what it wraps.
pub(crate) const WRAP_OVERHEAD: usize = NONCE_LEN + 16;

/// What a key, a wrap or a digest is for. Two purposes never give the same bytes.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Scalar of a group ▸ group secret. Fields: cluster, slot, group.
    GroupSecret,
    /// Group secrets ▸ slot key. Fields: cluster, slot.
    SlotKey,
    /// Shared secret of X-Wing ▸ key that wraps the root key. Fields: cluster, slot.
    RootKeyWrap,
    /// Associated data of a device's wrap of a share. Fields: cluster, slot, group, holder.
    HolderWrap,
    /// Associated data of a slot's private key. Fields: cluster, slot, public key.
    PrivateKeyWrap,
    /// Associated data of the root key. Fields: cluster, slot.
    RootKey,
    /// Digest in a custodian's share. Fields: cluster, slot, group, commitments.
    ShareDigest,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::GroupSecret => "seal/group-secret",
            Self::SlotKey => "seal/slot-key",
            Self::RootKeyWrap => "seal/root-key-wrap",
            Self::HolderWrap => "seal/holder-wrap",
            Self::PrivateKeyWrap => "seal/private-key-wrap",
            Self::RootKey => "seal/root-key",
            Self::ShareDigest => "seal/share-digest",
        }
    }
}

/// Where in the world of slots something belongs: the first fields of every [`context`].
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) cluster: ClusterId,
    pub(crate) slot: SlotId,
}

impl Place {
    /// The text above for something of this slot.
    pub(crate) fn context(self, purpose: Purpose, fields: &[&[u8]]) -> Vec<u8> {
        let mut out = b"strongroom/v1".to_vec();
        push_field(&mut out, purpose.name().as_bytes());
        push_field(&mut out, &self.cluster.0);
        push_field(&mut out, &self.slot.0);
        for field in fields {
            push_field(&mut out, field);
        }
        out
    }
}

/// Length, then bytes. No field here comes near 4 GiB: the longest is a table's worth of commitments.
pub(crate) fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
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
