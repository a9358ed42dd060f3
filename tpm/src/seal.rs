//! Wrapping with a TPM: it seals a fresh key under the PCRs, and that key encrypts the secret.
//!
//! A sealed object holds at most 128 bytes and knows no associated data; so it holds a key, and AES-256-GCM does the
//! rest. The TPM needs no key by id: the id is part of the derivation.
//!
//! ```text
//! Wrapped, version 1
//!   1 u8 ‖ bank u16 ‖ PCR bitmap, 3 ‖ policy, 32 ‖ unique, 32 ‖ length u16 ‖ private ‖ ciphertext ‖ tag, 16
//!   └──────────────────────────────── head ────────────────────────────────┘
//!
//! object      keyed hash without a scheme, SHA-256 names, fixedTPM fixedParent noDA, authPolicy = policy:
//!             its public part is rebuilt from policy and unique, so no parser of TPM structures sees stored bytes
//! sealed key  32 random bytes, used once
//! AES key     HKDF-SHA256(sealed key, info: the context of `Purpose::TpmWrap`, field: key id)
//! nonce       12 zero bytes: the key is used once
//! aad         head ‖ the caller's
//! ```

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use strongroom_device_api::{DeviceError, DeviceErrorKind, KeyId, Wrapped};
use strongroom_types::{Purpose, Secret};
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::structures::{
    Digest, KeyedHashScheme, Private, Public, PublicBuilder, PublicKeyedHashParameters, SensitiveData,
};
use zeroize::Zeroizing;

use crate::error::{Failure, LOAD, sort};
use crate::policy::Pcrs;
use crate::session::Tpm;

const VERSION: u8 = 1;
const DIGEST: usize = 32;
const KEY: usize = 32;
const TAG: usize = 16;
/// Longest private part of a sealed object; swtpm's is 160 bytes.
const MAX_PRIVATE: usize = 1024;

/// A sealed object as it is stored.
struct Sealed<'a> {
    pcrs: Pcrs,
    policy: [u8; DIGEST],
    unique: [u8; DIGEST],
    private: &'a [u8],
}

impl Tpm {
    /// Wraps `plain` under `pcrs` as they are now, and unwraps it again before it is returned.
    pub(crate) fn wrap(
        &mut self,
        pcrs: Pcrs,
        id: &KeyId,
        aad: &[u8],
        plain: &Secret,
    ) -> Result<Wrapped, Failure> {
        let mut key = Zeroizing::new([0; KEY]);
        rand::fill(key.as_mut_slice()).map_err(|_| crypto_failed())?;
        let mut out = self.seal(pcrs, &key)?;
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let mut sealed = Zeroizing::new(plain.expose().to_vec());
        let tag = gcm(&key, id)?
            .seal_in_place_separate_tag(nonce, bound(&out, aad), sealed.as_mut_slice())
            .map_err(|_| crypto_failed())?;
        out.extend_from_slice(&sealed);
        out.extend_from_slice(tag.as_ref());
        let wrapped = Wrapped(out);
        if self.unwrap(id, aad, &wrapped)? != *plain {
            let message = "wrap: the TPM gives back other bytes than it was given: have it checked";
            return Err(DeviceError::new(DeviceErrorKind::Fatal, message).into());
        }
        Ok(wrapped)
    }

    /// What was wrapped.
    pub(crate) fn unwrap(&mut self, id: &KeyId, aad: &[u8], wrapped: &Wrapped) -> Result<Secret, Failure> {
        let (sealed, head, ciphertext) = decode(&wrapped.0).map_err(refused)?;
        let key = self.unseal(&sealed)?;
        let nonce = Nonce::assume_unique_for_key([0; 12]);
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let plain =
            gcm(&key, id)?.open_in_place(nonce, bound(head, aad), buffer.as_mut_slice()).map_err(|_| {
                refused("the bytes were altered, or were wrapped under another key id or for another purpose")
            })?;
        Ok(Secret::copy_of(plain))
    }

    /// Seals `key`; the head of the format.
    fn seal(&mut self, pcrs: Pcrs, key: &[u8; KEY]) -> Result<Vec<u8>, Failure> {
        let policy = self.policy_now(pcrs)?;
        let public = object(policy.clone(), Digest::default())?;
        let data = SensitiveData::try_from(key.to_vec()).map_err(|cause| sort("seal", cause))?;
        let primary = self.primary;
        let made =
            self.in_session("seal", |context| context.create(primary, public, None, Some(data), None, None))?;
        let Public::KeyedHash { unique, .. } = made.out_public else { return Err(odd()) };
        let private: &[u8] = &made.out_private;
        let length = u16::try_from(private.len()).map_err(|_| odd())?;
        if policy.len() != DIGEST || unique.len() != DIGEST || private.len() > MAX_PRIVATE {
            return Err(odd());
        }
        Ok([&[VERSION], &pcrs.encode()[..], &policy, &unique, &length.to_be_bytes(), private].concat())
    }

    /// The key in `sealed`, if the PCRs are as they were.
    fn unseal(&mut self, sealed: &Sealed<'_>) -> Result<Zeroizing<[u8; KEY]>, Failure> {
        let digest = |bytes: &[u8]| Digest::try_from(bytes).map_err(|cause| sort(LOAD, cause));
        let public = object(digest(&sealed.policy)?, digest(&sealed.unique)?)?;
        let private = Private::try_from(sealed.private).map_err(|cause| sort(LOAD, cause))?;
        let primary = self.primary;
        let handle = self.in_session(LOAD, |context| context.load(primary, private, public))?.into();
        let data = self
            .with_pcrs(sealed.pcrs, |context| context.unseal(handle).map_err(|cause| sort("unseal", cause)));
        self.flush(handle);
        let data = data?;
        let bytes: &[u8] = &data;
        bytes.try_into().map(Zeroizing::new).map_err(|_| refused("the sealed key has another length"))
    }
}

/// The public part of a sealed object: opened by its policy only, never by a password, and no wrong try counts.
fn object(policy: Digest, unique: Digest) -> Result<Public, Failure> {
    let build = || {
        let attributes = ObjectAttributesBuilder::new()
            .with_fixed_tpm(true)
            .with_fixed_parent(true)
            .with_no_da(true)
            .build()?;
        PublicBuilder::new()
            .with_public_algorithm(PublicAlgorithm::KeyedHash)
            .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
            .with_object_attributes(attributes)
            .with_auth_policy(policy)
            .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
            .with_keyed_hash_unique_identifier(unique)
            .build()
    };
    build().map_err(|cause| sort("sealed object's template", cause))
}

fn gcm(key: &[u8; KEY], id: &KeyId) -> Result<LessSafeKey, Failure> {
    let info = Purpose::TpmWrap.context(&[id.as_str().as_bytes()]);
    let info = [info.as_slice()];
    let derived = Salt::new(HKDF_SHA256, &[]).extract(key);
    let derived = derived.expand(&info, &AES_256_GCM).map_err(|_| crypto_failed())?;
    Ok(LessSafeKey::new(UnboundKey::from(derived)))
}

fn bound(head: &[u8], aad: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([head, aad].concat())
}

/// The object, the head, and ciphertext with tag.
fn decode(bytes: &[u8]) -> Result<(Sealed<'_>, &[u8], &[u8]), &'static str> {
    const CUT: &str = "the bytes were cut";
    let (version, rest) = bytes.split_first().ok_or(CUT)?;
    if *version != VERSION {
        return Err("the bytes were not wrapped by this kind of bridge, or by a later version");
    }
    let (pcrs, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let pcrs = Pcrs::decode(*pcrs).ok_or("the PCR selection was altered")?;
    let (policy, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let (unique, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let (length, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let length = usize::from(u16::from_be_bytes(*length));
    if !(1..=MAX_PRIVATE).contains(&length) {
        return Err("the length of the sealed object was altered");
    }
    let (private, ciphertext) = rest.split_at_checked(length).ok_or(CUT)?;
    let head = bytes.get(..bytes.len() - ciphertext.len()).ok_or(CUT)?;
    if ciphertext.len() <= TAG {
        return Err(CUT);
    }
    Ok((Sealed { pcrs, policy: *policy, unique: *unique, private }, head, ciphertext))
}

fn refused(why: &str) -> Failure {
    DeviceError::new(DeviceErrorKind::Refused, format!("unwrap: {why}")).into()
}

fn crypto_failed() -> Failure {
    DeviceError::new(DeviceErrorKind::Fatal, "AES-256-GCM or its randomness fails: replace the machine")
        .into()
}

fn odd() -> Failure {
    DeviceError::new(DeviceErrorKind::Fatal, "seal: the TPM makes another object than was asked for").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let pcrs = Pcrs::parse("sha256:7").unwrap().encode();
        [&[1][..], &pcrs, &[2; 32], &[3; 32], &[0, 5], &[4; 5], &[9; 17]].concat()
    }

    #[test]
    fn what_is_drawn_is_decoded() {
        let bytes = sample();
        let (sealed, head, ciphertext) = decode(&bytes).unwrap();
        assert_eq!((sealed.policy, sealed.unique, sealed.private), ([2; 32], [3; 32], &[4; 5][..]));
        assert_eq!((head.len(), ciphertext), (77, &[9; 17][..]));
    }

    #[test]
    fn what_is_cut_or_foreign_is_refused() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        for (at, value) in [(0, 0), (0, 2), (2, 4), (3, 0), (70, 0xff), (71, 0)] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert!(decode(&changed).is_err(), "{at}");
        }
    }
}
