//! The hash of a text: `hmac-sha256:` and 64 hexadecimal digits, as `sys/audit-hash` answers it.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use strongroom_types::Secret;

/// The key under which one sink's texts are hashed. Core keeps it behind the barrier; it stays the same as long as the
/// sink exists, so that a hash can be searched for.
pub struct Salt(hmac::Key);

impl Salt {
    /// From at least 16 random bytes.
    pub fn new(bytes: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
    }

    /// The hash of `text`.
    pub fn hash(&self, text: &[u8]) -> String {
        let mut out = Vec::with_capacity(HASH_LEN);
        self.push_hash(&mut out, text);
        out.into_iter().map(char::from).collect()
    }

    /// The hash of `text`, behind what `out` already holds.
    pub(crate) fn push_hash(&self, out: &mut Vec<u8>, text: &[u8]) {
        let tag = hmac::sign(&self.0, text);
        let mut digits = [0; 64];
        HEXLOWER.encode_mut(tag.as_ref(), &mut digits);
        out.extend_from_slice(PREFIX);
        out.extend_from_slice(&digits);
    }
}

const PREFIX: &[u8] = b"hmac-sha256:";
const HASH_LEN: usize = PREFIX.len() + 64;
