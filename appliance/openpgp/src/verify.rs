//! Whether a key has made a signature. No SHA-1 and nothing older: others could have found a second meaning for such a one.

use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::key::{Material, Nist, PublicKey, algorithm};
use crate::reader::Reader;
use crate::signature::Signature;

/// The digests that are believed.
#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// RFC 9580, 9.5.
    fn of(id: u8) -> Option<Self> {
        match id {
            8 => Some(Self::Sha256),
            9 => Some(Self::Sha384),
            10 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn digest(self, message: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest(algorithm, message)
    }

    fn rsa(self) -> &'static RsaParameters {
        match self {
            Self::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Self::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        }
    }

    fn ecdsa(self, curve: Nist) -> &'static EcdsaVerificationAlgorithm {
        match (curve, self) {
            (Nist::P256, Self::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Nist::P256, Self::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Nist::P256, Self::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Nist::P384, Self::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Nist::P384, Self::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Nist::P384, Self::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Nist::P521, Self::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
            (Nist::P521, Self::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
            (Nist::P521, Self::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        }
    }
}

/// Whether signatures of this key can be checked at all.
pub fn can(key: &PublicKey<'_>) -> bool {
    matches!(key.material, Material::Rsa { .. } | Material::Ed25519(_) | Material::Ecdsa { .. })
        && key.algorithm != algorithm::RSA_ENCRYPT
}

/// Whether `key` has made `signature` over `subject`.
pub fn is_true(key: &PublicKey<'_>, signature: &Signature<'_>, subject: &[u8]) -> bool {
    check(key, signature, subject).is_some()
}

fn check(key: &PublicKey<'_>, signature: &Signature<'_>, subject: &[u8]) -> Option<()> {
    let hash = Hash::of(signature.hash)?;
    if signature.algorithm != key.algorithm || !can(key) {
        return None;
    }
    let message = signature.signed(subject);
    let mut numbers = Reader(signature.numbers);
    match &key.material {
        Material::Rsa { n, e } => {
            // As wide as the modulus.
            let number = padded(numbers.number().ok()?, n.len())?;
            RsaPublicKeyComponents { n, e }.verify(hash.rsa(), &message, &number).ok()
        }
        Material::Ed25519(point) => {
            let made = match key.algorithm {
                algorithm::ED25519 => numbers.take(64).ok()?.to_vec(),
                _ => [padded(numbers.number().ok()?, 32)?, padded(numbers.number().ok()?, 32)?].concat(),
            };
            // OpenPGP signs the digest, and Ed25519 hashes that once more.
            let digest = hash.digest(&message);
            UnparsedPublicKey::new(&signature::ED25519, point).verify(digest.as_ref(), &made).ok()
        }
        Material::Ecdsa { curve, point } => {
            let made = sequence(numbers.number().ok()?, numbers.number().ok()?)?;
            UnparsedPublicKey::new(hash.ecdsa(*curve), point).verify(&message, &made).ok()
        }
        _ => None,
    }
}

/// With zeros before it, to `width` bytes.
fn padded(number: &[u8], width: usize) -> Option<Vec<u8>> {
    let zeros = width.checked_sub(number.len())?;
    Some([&vec![0; zeros], number].concat())
}

/// Two numbers as ASN.1 has a signature's. None is longer than 66 bytes, or it is none of these curves.
fn sequence(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    let integer = |number: &[u8]| {
        // A number that would look negative has a zero before it; so does none at all.
        let number = match number.first() {
            Some(first) if first & 0x80 == 0 => number.to_vec(),
            _ => [&[0], number].concat(),
        };
        let length = u8::try_from(number.len()).ok().filter(|length| *length <= 67)?;
        Some([[0x02, length].as_slice(), &number].concat())
    };
    let both = [integer(r)?, integer(s)?].concat();
    let length = u8::try_from(both.len()).ok()?;
    let header: &[u8] = if length < 0x80 { &[0x30, length] } else { &[0x30, 0x81, length] };
    Some([header, &both].concat())
}
