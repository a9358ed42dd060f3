//! The derivations of this crate, in one list.
//!
//! A key is HKDF-SHA256 with this text as `info`; the same text with another purpose is the associated data of a
//! record, or what a MAC is over:
//!
//! ```text
//! ┌───────────────┬───────────────────────────┬───────────────────────────┬───
//! │ strongroom/v1 │ length, u32 BE │ purpose  │ length, u32 BE │ field    │ … more fields
//! └───────────────┴───────────────────────────┴───────────────────────────┴───
//! ```

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};

use crate::BarrierError;

/// Bytes of every key: 256 bits.
pub(crate) const KEY_LEN: usize = 32;

/// What a key, a record or a MAC is for. Two purposes never give the same bytes.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Root key ▸ keyring key. Fields: cluster.
    KeyringKey,
    /// Associated data of the keyring's record. Fields: frame version, cluster, storage key.
    Keyring,
    /// Index key ▸ a mount's name key. Fields: cluster, namespace, mount.
    NameKey,
    /// A term's key ▸ a mount's data key. Fields: cluster, namespace, mount.
    DataKey,
    /// Data key or keyring key, with the record's salt ▸ the key of one record. No fields.
    RecordKey,
    /// Associated data of a record. Fields: frame version, cluster, namespace, mount, term, storage key.
    Record,
    /// What the table key's MAC is over. Fields: cluster, slot table.
    TableMac,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::KeyringKey => "barrier/keyring-key",
            Self::Keyring => "barrier/keyring",
            Self::NameKey => "barrier/name-key",
            Self::DataKey => "barrier/data-key",
            Self::RecordKey => "barrier/record-key",
            Self::Record => "barrier/record",
            Self::TableMac => "barrier/table-mac",
        }
    }

    /// The text above.
    pub(crate) fn context(self, fields: &[&[u8]]) -> Vec<u8> {
        let fields = || std::iter::once(self.name().as_bytes()).chain(fields.iter().copied());
        let len = DOMAIN.len() + fields().map(|field| 4 + field.len()).sum::<usize>();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(DOMAIN);
        for field in fields() {
            // No field comes near 4 GiB: the longest is a slot table or a storage key.
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(field);
        }
        out
    }
}

const DOMAIN: &[u8] = b"strongroom/v1";

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
