//! Keys from keys: what for is in [`Purpose`], the one list of all derivations.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

pub(crate) use strongroom_types::Purpose;

use crate::BarrierError;

/// Bytes of every key: 256 bits.
pub(crate) const KEY_LEN: usize = 32;

/// HKDF-SHA256 of `secret` with `salt` for `context`, written over `key`.
pub(crate) fn derive(secret: &[u8], salt: &[u8], context: &[u8], key: &mut [u8]) -> Result<(), BarrierError> {
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[context], KeyLength)
        .and_then(|okm| okm.fill(key))
        .map_err(|_| BarrierError::Crypto("HKDF-SHA256"))
}

/// [`KEY_LEN`] as HKDF wants it: any other length of `key` is refused.
struct KeyLength;

impl aws_lc_rs::hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_LEN
    }
}
