//! What keys are derived for: every purpose in one list, and the one text that names them.
//!
//! A key is HKDF-SHA256 with this text as `info`; the same text with another purpose is the associated data of
//! something encrypted, or what a MAC or a digest is over:
//!
//! ```text
//! ┌───────────────┬───────────────────────────┬───────────────────────────┬───
//! │ strongroom/v1 │ length, u32 BE │ purpose  │ length, u32 BE │ field    │ … more fields
//! └───────────────┴───────────────────────────┴───────────────────────────┴───
//! ```
//!
//! The crates that derive and encrypt are elsewhere: these are bytes only.

/// What a key, a record, a wrap, a MAC or a digest is for. Two purposes never give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
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
    /// Key that a TPM has sealed ▸ key of one wrap. Fields: key id.
    TpmWrap,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::KeyringKey,
        Self::Keyring,
        Self::NameKey,
        Self::DataKey,
        Self::RecordKey,
        Self::Record,
        Self::TableMac,
        Self::GroupSecret,
        Self::SlotKey,
        Self::RootKeyWrap,
        Self::HolderWrap,
        Self::PrivateKeyWrap,
        Self::RootKey,
        Self::ShareDigest,
        Self::TpmWrap,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::KeyringKey => "barrier/keyring-key",
            Self::Keyring => "barrier/keyring",
            Self::NameKey => "barrier/name-key",
            Self::DataKey => "barrier/data-key",
            Self::RecordKey => "barrier/record-key",
            Self::Record => "barrier/record",
            Self::TableMac => "barrier/table-mac",
            Self::GroupSecret => "seal/group-secret",
            Self::SlotKey => "seal/slot-key",
            Self::RootKeyWrap => "seal/root-key-wrap",
            Self::HolderWrap => "seal/holder-wrap",
            Self::PrivateKeyWrap => "seal/private-key-wrap",
            Self::RootKey => "seal/root-key",
            Self::ShareDigest => "seal/share-digest",
            Self::TpmWrap => "tpm/wrap",
        }
    }

    /// The text above.
    pub fn context(self, fields: &[&[u8]]) -> Vec<u8> {
        let fields = || std::iter::once(self.name().as_bytes()).chain(fields.iter().copied());
        let len = DOMAIN.len() + fields().map(|field| 4 + field.len()).sum::<usize>();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(DOMAIN);
        for field in fields() {
            push_field(&mut out, field);
        }
        out
    }
}

const DOMAIN: &[u8] = b"strongroom/v1";

/// Length, then bytes. No field comes near 4 GiB: the longest is a slot table or a storage key.
pub fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_text_is_as_it_is_drawn() {
        let text = Purpose::SlotKey.context(&[b"ab", b""]);
        assert_eq!(text, b"strongroom/v1\0\0\0\x0dseal/slot-key\0\0\0\x02ab\0\0\0\0");
    }

    #[test]
    fn no_two_texts_are_the_same() {
        let fields: [&[&[u8]]; 4] = [&[], &[b""], &[b"ab"], &[b"a", b"b"]];
        let all = Purpose::ALL.iter().flat_map(|purpose| fields.map(|fields| purpose.context(fields)));
        assert_eq!(all.collect::<BTreeSet<_>>().len(), 4 * Purpose::ALL.len());
    }
}
