//! The slot's key pair: X-Wing, which is ML-KEM-768 and X25519 together. Secure while either of them is.
//!
//! The keys and ciphertexts are X-Wing's (draft-connolly-cfrg-xwing-kem), but for one thing: the draft keeps a
//! secret key as a seed of 32 bytes, and aws-lc-rs cannot make an ML-KEM key from a seed, so the expanded key
//! is kept.
//!
//! ```text
//!              ┌───────────────────────────┬──────────────┐
//! secret key   │ ML-KEM-768 secret, 2400   │ X25519, 32   │  2432 bytes
//! public key   │ ML-KEM-768 public, 1184   │ X25519, 32   │  1216 bytes
//! ciphertext   │ ML-KEM-768, 1088          │ X25519, 32   │  1120 bytes
//!              └───────────────────────────┴──────────────┘
//! shared secret = SHA3-256(ss of ML-KEM ‖ ss of X25519 ‖ ct of X25519 ‖ public key of X25519 ‖ "\./" "/^\")
//! ```

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use aws_lc_rs::digest::{Context, SHA3_256};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use strongroom_types::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::SealError;
use crate::derive::Key;

const X25519_LEN: usize = 32;
/// Length of a secret key.
pub(crate) const SECRET_KEY_LEN: usize = 2400 + X25519_LEN;
/// Length of a public key.
pub(crate) const PUBLIC_KEY_LEN: usize = 1184 + X25519_LEN;
/// Length of a ciphertext.
pub(crate) const CIPHERTEXT_LEN: usize = 1088 + X25519_LEN;

const LABEL: &[u8; 6] = br"\.//^\";

/// A fresh secret key and its public key.
pub(crate) fn generate(entropy: &dyn Entropy) -> Result<(Secret, Vec<u8>), SealError> {
    let ml_kem = DecapsulationKey::generate(&ML_KEM_768).map_err(|_| ml_kem_failed())?;
    let ml_kem_secret = ml_kem.key_bytes().map_err(|_| ml_kem_failed())?;
    let ml_kem_public =
        ml_kem.encapsulation_key().and_then(|key| key.key_bytes()).map_err(|_| ml_kem_failed())?;
    let x25519_secret = Zeroizing::new(entropy.draw::<X25519_LEN>()?);
    let x25519_public = x25519_public(x25519_secret.as_slice())?;

    let mut secret = Vec::with_capacity(SECRET_KEY_LEN);
    secret.extend_from_slice(ml_kem_secret.as_ref());
    secret.extend_from_slice(x25519_secret.as_slice());
    Ok((Secret::from(secret), [ml_kem_public.as_ref(), &x25519_public].concat()))
}

/// A fresh shared secret for the holder of `public`, and the ciphertext that carries it.
pub(crate) fn encapsulate(public: &[u8], entropy: &dyn Entropy) -> Result<(Vec<u8>, Key), SealError> {
    let (ml_kem_public, x25519_public_key) = split_x25519(public)?;
    let (ml_kem_ct, ml_kem_ss) = EncapsulationKey::new(&ML_KEM_768, ml_kem_public)
        .map_err(|_| ml_kem_failed())?
        .encapsulate()
        .map_err(|_| ml_kem_failed())?;
    let ephemeral = Zeroizing::new(entropy.draw::<X25519_LEN>()?);
    let x25519_ct = x25519_public(ephemeral.as_slice())?;
    let x25519_ss = agree(ephemeral.as_slice(), x25519_public_key)?;

    let shared = combine(ml_kem_ss.as_ref(), x25519_ss.as_slice(), &x25519_ct, x25519_public_key);
    Ok(([ml_kem_ct.as_ref(), &x25519_ct].concat(), shared))
}

/// The shared secret in `ciphertext`. For a ciphertext that was not made for `secret` it is another one, or an
/// error: what it opens must be authenticated.
pub(crate) fn decapsulate(secret: &Secret, ciphertext: &[u8]) -> Result<Key, SealError> {
    let (ml_kem_secret, x25519_secret) = split_x25519(secret.expose())?;
    let (ml_kem_ct, x25519_ct) = split_x25519(ciphertext)?;
    let ml_kem_ss = DecapsulationKey::new(&ML_KEM_768, ml_kem_secret)
        .map_err(|_| ml_kem_failed())?
        .decapsulate(Ciphertext::from(ml_kem_ct))
        .map_err(|_| ml_kem_failed())?;
    let x25519_ss = agree(x25519_secret, x25519_ct)?;

    Ok(combine(ml_kem_ss.as_ref(), x25519_ss.as_slice(), x25519_ct, &x25519_public(x25519_secret)?))
}

/// X-Wing's combiner.
fn combine(ml_kem_ss: &[u8], x25519_ss: &[u8], x25519_ct: &[u8], x25519_public: &[u8]) -> Key {
    let mut hash = Context::new(&SHA3_256);
    for part in [ml_kem_ss, x25519_ss, x25519_ct, x25519_public, LABEL] {
        hash.update(part);
    }
    let mut shared = Key::default();
    shared.copy_from_slice(hash.finish().as_ref());
    shared
}

fn agree(secret: &[u8], public: &[u8]) -> Result<Key, SealError> {
    let secret = PrivateKey::from_private_key(&X25519, secret).map_err(|_| SealError::Crypto("X25519"))?;
    agreement::agree(
        &secret,
        UnparsedPublicKey::new(&X25519, public),
        SealError::Crypto("X25519"),
        |shared| shared.try_into().map(Key::new).map_err(|_| SealError::Crypto("X25519")),
    )
}

fn x25519_public(secret: &[u8]) -> Result<Vec<u8>, SealError> {
    PrivateKey::from_private_key(&X25519, secret)
        .ok()
        .and_then(|secret| secret.compute_public_key().ok())
        .map(|public| public.as_ref().to_vec())
        .ok_or(SealError::Crypto("X25519"))
}

fn split_x25519(bytes: &[u8]) -> Result<(&[u8], &[u8]), SealError> {
    bytes
        .split_last_chunk::<X25519_LEN>()
        .map(|(ml_kem, x25519)| (ml_kem, x25519.as_slice()))
        .ok_or(SealError::Crypto("X25519"))
}

fn ml_kem_failed() -> SealError {
    SealError::Crypto("ML-KEM-768")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use data_encoding::HEXLOWER;

    /// A field of one of the draft's three vectors.
    fn vector(number: usize, name: &str) -> Vec<u8> {
        let file = [
            include_str!("../tests/golden/x-wing-1.txt"),
            include_str!("../tests/golden/x-wing-2.txt"),
            include_str!("../tests/golden/x-wing-3.txt"),
        ][number];
        let line = file.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
        HEXLOWER.decode(line.as_bytes()).unwrap()
    }

    #[test]
    fn the_drafts_vectors_decapsulate() {
        for number in 0..3 {
            let secret = Secret::from(vector(number, "sk"));
            assert_eq!(secret.len(), SECRET_KEY_LEN);
            assert_eq!(vector(number, "pk").len(), PUBLIC_KEY_LEN);
            assert_eq!(vector(number, "ct").len(), CIPHERTEXT_LEN);
            assert_eq!(decapsulate(&secret, &vector(number, "ct")).unwrap().to_vec(), vector(number, "ss"));
        }
    }

    #[test]
    fn what_is_encapsulated_to_the_drafts_keys_comes_back() {
        for number in 0..3 {
            let (ciphertext, shared) = encapsulate(&vector(number, "pk"), &SystemEntropy).unwrap();
            assert!(*decapsulate(&Secret::from(vector(number, "sk")), &ciphertext).unwrap() == *shared);
        }
    }

    #[test]
    fn lengths_are_as_drawn_and_any_changed_byte_gives_another_secret() {
        let (secret, public) = generate(&SystemEntropy).unwrap();
        let (ciphertext, shared) = encapsulate(&public, &SystemEntropy).unwrap();
        assert_eq!(
            (secret.len(), public.len(), ciphertext.len()),
            (SECRET_KEY_LEN, PUBLIC_KEY_LEN, CIPHERTEXT_LEN)
        );
        for at in (0..CIPHERTEXT_LEN).step_by(37).chain([CIPHERTEXT_LEN - 2]) {
            let mut changed = ciphertext.clone();
            changed[at] ^= 1;
            assert!(decapsulate(&secret, &changed).map_or(true, |other| *other != *shared), "byte {at}");
        }
        for length in [0, 31, 32, CIPHERTEXT_LEN - 1] {
            assert!(decapsulate(&secret, &ciphertext[..length]).is_err(), "length {length}");
        }
    }
}
