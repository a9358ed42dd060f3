//! AES-256-GCM on the token, and the format of what is wrapped.
//!
//! ```text
//! Wrapped, version 1
//!   1 u8 ‖ length of the IV u8, 12 to 16 ‖ IV ‖ ciphertext ‖ tag, 16
//!
//! associated data
//!   "strongroom/pkcs11-wrap/v1" ‖ length of the key id u8 ‖ key id ‖ the caller's
//! ```
//!
//! The IV is read back after the call: some HSMs take the caller's, some put in their own.

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use strongroom_device_api::{DeviceError, DeviceErrorKind, KeyId, Wrapped};
use strongroom_types::Secret;

use crate::error::{Failure, may_be_bad_input, sort};

const VERSION: u8 = 1;
const IV: usize = 12;
const LONGEST_IV: usize = 16;
const TAG: usize = 16;

/// Wraps `plain`, and unwraps it again before it is returned.
pub(crate) fn wrap(
    session: &Session,
    key: ObjectHandle,
    id: &KeyId,
    aad: &[u8],
    plain: &Secret,
) -> Result<Wrapped, Failure> {
    let aad = bound(id, aad);
    let mut iv = [0; IV];
    session.generate_random_slice(&mut iv).map_err(|cause| sort("random", cause))?;
    let sealed = {
        let parameters = GcmParams::new(&mut iv, &aad, tag_bits()).map_err(|cause| sort("wrap", cause))?;
        session
            .encrypt(&Mechanism::AesGcm(parameters), key, plain.expose())
            .map_err(|cause| sort("wrap", cause))?
    };
    let back =
        decrypt(session, key, &iv, &aad, &sealed).map_err(|cause| sort("wrap, verification", cause))?;
    if back != *plain || sealed.len() != plain.len() + TAG {
        let message = "wrap: the token gives back other bytes than it was given: have it checked";
        return Err(DeviceError::new(DeviceErrorKind::Fatal, message).into());
    }
    Ok(Wrapped(encode(&iv, &sealed)))
}

/// What was wrapped.
pub(crate) fn unwrap(
    session: &Session,
    key: ObjectHandle,
    id: &KeyId,
    aad: &[u8],
    wrapped: &Wrapped,
) -> Result<Secret, Failure> {
    let refused =
        |why: &str| Failure::from(DeviceError::new(DeviceErrorKind::Refused, format!("unwrap: {why}")));
    let (iv, sealed) = decode(&wrapped.0).map_err(refused)?;
    match decrypt(session, key, iv, &bound(id, aad), sealed) {
        Ok(plain) => Ok(plain),
        // Many modules answer to a wrong tag as to a broken device. A device that can still do its work is not broken.
        Err(cause) if may_be_bad_input(&cause) && probe(session, key).is_ok() => {
            Err(refused("the bytes were altered, or were wrapped by another key or for another purpose"))
        }
        Err(cause) => Err(sort("unwrap", cause)),
    }
}

/// Whether the token can use `key` now.
pub(crate) fn probe(session: &Session, key: ObjectHandle) -> Result<(), Failure> {
    let probe = KeyId::new("probe").ok_or(Failure::NoKey)?;
    wrap(session, key, &probe, b"", &Secret::from(vec![0; 16])).map(drop)
}

fn decrypt(
    session: &Session,
    key: ObjectHandle,
    iv: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Secret, Error> {
    let mut iv = iv.to_vec();
    let parameters = GcmParams::new(&mut iv, aad, tag_bits())?;
    session.decrypt(&Mechanism::AesGcm(parameters), key, sealed).map(Secret::from)
}

fn tag_bits() -> cryptoki::types::Ulong {
    128.into()
}

fn bound(id: &KeyId, aad: &[u8]) -> Vec<u8> {
    let id = id.as_str().as_bytes();
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    [b"strongroom/pkcs11-wrap/v1", [length].as_slice(), id, aad].concat()
}

fn encode(iv: &[u8; IV], sealed: &[u8]) -> Vec<u8> {
    let length = u8::try_from(iv.len()).unwrap_or(u8::MAX);
    [&[VERSION, length], iv.as_slice(), sealed].concat()
}

/// IV and ciphertext with tag.
fn decode(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let cut = "the bytes were cut";
    let ([version, length], rest) = bytes.split_first_chunk().ok_or(cut)?;
    if *version != VERSION {
        return Err("the bytes were not wrapped by this kind of bridge, or by a later version");
    }
    let length = usize::from(*length);
    if !(IV..=LONGEST_IV).contains(&length) {
        return Err("the length of the IV was altered");
    }
    let (iv, sealed) = rest.split_at_checked(length).ok_or(cut)?;
    if sealed.len() <= TAG { Err(cut) } else { Ok((iv, sealed)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_nothing_else() {
        let bytes = encode(&[7; IV], &[9; 20]);
        assert_eq!(decode(&bytes).unwrap(), (&[7; IV][..], &[9; 20][..]));
        for length in 0..2 + IV + TAG + 1 {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        for (at, value) in [(0, 0), (0, 2), (1, 0), (1, 11), (1, 17), (1, 255)] {
            let mut changed = bytes.clone();
            changed[at] = value;
            assert!(decode(&changed).is_err());
        }
    }

    #[test]
    fn the_associated_data_has_one_meaning() {
        let id = |text| KeyId::new(text).unwrap();
        assert_ne!(bound(&id("a"), b"b"), bound(&id("ab"), b""));
        assert!(bound(&id("root"), b"x").ends_with(b"\x04rootx"));
    }
}
