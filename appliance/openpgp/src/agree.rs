//! A session key for a point on a curve: a key of the moment and that point agree on a secret, which wraps it (RFC 6637 and RFC 9580,
//! 11.5; RFC 9580, 5.1.6).

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::cipher::{self, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{self, Context};
use aws_lc_rs::hkdf::{self, HKDF_SHA256, Salt};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use strongroom_types::Entropy;
use zeroize::Zeroizing;

use crate::key::{Curve, Nist, algorithm};
use crate::{Failed, Fingerprint};

/// How a key of the older form derives and wraps, as it says itself.
pub struct Derivation {
    hash: u8,
    cipher: u8,
    digest: &'static digest::Algorithm,
    wrap: Wrap,
}

#[derive(Clone, Copy)]
enum Wrap {
    Aes128,
    Aes192,
    Aes256,
}

/// What is sent: the public half of the key of the moment, and the wrapped session key.
pub struct Agreed {
    pub ephemeral: Vec<u8>,
    pub wrapped: Vec<u8>,
}

impl Wrap {
    /// RFC 3394. `key` may be longer than is needed.
    fn wrap(self, key: &[u8], session: &[u8]) -> Result<Vec<u8>, Failed> {
        let (cipher, length) = match self {
            Self::Aes128 => (&AES_128, 16),
            Self::Aes192 => return wrap_192(key.get(..24).ok_or(Failed::Rejected)?, session),
            Self::Aes256 => (&AES_256, 32),
        };
        let key = key.get(..length).ok_or(Failed::Rejected)?;
        let mut out = vec![0; session.len() + 8];
        AesKek::new(cipher, key)?.wrap(session, &mut out)?;
        Ok(out)
    }
}

/// The same for AES-192, which aws-lc-rs wraps no keys by, and the curve P-384 usually does: RFC 3394, 2.2.1, over its blocks.
fn wrap_192(key: &[u8], session: &[u8]) -> Result<Vec<u8>, Failed> {
    let key = EncryptingKey::ecb(UnboundCipherKey::new(&cipher::AES_192, key)?)?;
    let (parts, []) = session.as_chunks::<8>() else { return Err(Failed::Rejected) };
    let mut parts = Zeroizing::new(parts.to_vec());
    let mut first = [0xa6; 8];
    let mut step: u64 = 0;
    for _ in 0..6 {
        for part in parts.iter_mut() {
            let mut block = Zeroizing::new([0; 16]);
            let (left, right) = block.split_at_mut(8);
            left.copy_from_slice(&first);
            right.copy_from_slice(part);
            key.encrypt(block.as_mut())?;
            let (left, right) = block.split_at(8);
            part.copy_from_slice(right);
            step += 1;
            first.iter_mut().zip(left.iter().zip(step.to_be_bytes())).for_each(|(to, (a, b))| *to = a ^ b);
        }
    }
    Ok([&first, parts.as_flattened()].concat())
}

impl Derivation {
    /// From the ids of RFC 9580, 9.5 and 9.3; or why not.
    pub fn of(hash: u8, cipher: u8) -> Result<Self, String> {
        let digest = match hash {
            8 => &digest::SHA256,
            9 => &digest::SHA384,
            10 => &digest::SHA512,
            hash => return Err(format!("derives keys by hash {hash}, which is not supported")),
        };
        let wrap = match cipher {
            7 => Wrap::Aes128,
            8 => Wrap::Aes192,
            9 => Wrap::Aes256,
            cipher => return Err(format!("wraps keys by cipher {cipher}, which is not supported")),
        };
        Ok(Self { hash, cipher, digest, wrap })
    }
}

/// For a key of the older form. `session` is the session key with its cipher and checksum; `fingerprint` is that of the key itself.
pub fn older(
    (curve, point): (Curve, &[u8]),
    derivation: &Derivation,
    fingerprint: &Fingerprint,
    session: &[u8],
    entropy: &dyn Entropy,
) -> Result<Agreed, Failed> {
    let own = moment(curve, entropy)?;
    let public = own.compute_public_key()?;
    let ephemeral = match curve {
        Curve::X25519 => [&[0x40], public.as_ref()].concat(),
        Curve::Nist(_) => public.as_ref().to_vec(),
    };
    // To a multiple of eight bytes, each of the added ones saying how many they are.
    let added = 8 - session.len() % 8;
    let fill = u8::try_from(added).map_err(|_| Failed::Rejected)?;
    let mut padded = Zeroizing::new(Vec::with_capacity(session.len() + added));
    padded.extend_from_slice(session);
    padded.extend(std::iter::repeat_n(fill, added));
    let wrapped = agree(&own, UnparsedPublicKey::new(how(curve), point), Failed::Rejected, |secret| {
        let key = derive(derivation, curve, secret, fingerprint)?;
        derivation.wrap.wrap(key.as_ref(), &padded)
    })?;
    Ok(Agreed { ephemeral, wrapped })
}

/// RFC 6637, 7.
fn derive(
    derivation: &Derivation,
    curve: Curve,
    secret: &[u8],
    fingerprint: &Fingerprint,
) -> Result<digest::Digest, Failed> {
    let oid = curve.oid();
    let length = u8::try_from(oid.len()).map_err(|_| Failed::Rejected)?;
    let mut context = Context::new(derivation.digest);
    for piece in [
        &[0, 0, 0, 1],
        secret,
        &[length],
        oid,
        &[algorithm::ECDH, 3, 1, derivation.hash, derivation.cipher],
        b"Anonymous Sender    ",
        fingerprint,
    ] {
        context.update(piece);
    }
    Ok(context.finish())
}

/// For a key of the newer form: the session key alone.
pub fn newer(point: &[u8; 32], session: &[u8], entropy: &dyn Entropy) -> Result<Agreed, Failed> {
    newer_with(&moment(Curve::X25519, entropy)?, point, session)
}

fn newer_with(own: &PrivateKey, point: &[u8; 32], session: &[u8]) -> Result<Agreed, Failed> {
    let ephemeral = own.compute_public_key()?.as_ref().to_vec();
    let wrapped =
        agree(own, UnparsedPublicKey::new(&agreement::X25519, point), Failed::Rejected, |secret| {
            let mut input = Zeroizing::new(Vec::with_capacity(96));
            [&ephemeral, point.as_slice(), secret].iter().for_each(|piece| input.extend_from_slice(piece));
            let derived = Salt::new(HKDF_SHA256, &[]).extract(&input);
            let mut key = Zeroizing::new([0; 16]);
            derived.expand(&[b"OpenPGP X25519"], Sixteen)?.fill(key.as_mut())?;
            Wrap::Aes128.wrap(key.as_ref(), session)
        })?;
    Ok(Agreed { ephemeral, wrapped })
}

/// The length of a key for AES-128.
struct Sixteen;

impl hkdf::KeyType for Sixteen {
    fn len(&self) -> usize {
        16
    }
}

fn how(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::X25519 => &agreement::X25519,
        Curve::Nist(Nist::P256) => &agreement::ECDH_P256,
        Curve::Nist(Nist::P384) => &agreement::ECDH_P384,
        Curve::Nist(Nist::P521) => &agreement::ECDH_P521,
    }
}

/// A key that is used once.
fn moment(curve: Curve, entropy: &dyn Entropy) -> Result<PrivateKey, Failed> {
    let width = match curve {
        Curve::X25519 => 32,
        Curve::Nist(nist) => nist.width(),
    };
    // Almost every number is below the order of its curve; that of P-521 has one bit in its first byte.
    for _ in 0..64 {
        let mut number = Zeroizing::new(vec![0; width]);
        entropy.fill(&mut number)?;
        if let (Curve::Nist(Nist::P521), Some(first)) = (curve, number.first_mut()) {
            *first &= 1;
        }
        if let Ok(key) = PrivateKey::from_private_key(how(curve), &number) {
            return Ok(key);
        }
    }
    Err(Failed::Rejected)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_session_key_is_wrapped_as_rfc_9580_a_8_has_it() {
        let own = hex("af1e43c0d123efe893a7d4d390f3a761e3fac33dfc7f3edaa830c9011352c779");
        let own = PrivateKey::from_private_key(&agreement::X25519, &own).unwrap();
        let point = hex("8693248367f9e5015db922f8f48095dda784987f2d5985b12fbad16caf5e4435");
        let session = hex("dd708f6fa1ed65114d68d2343e7c2f1d");
        let agreed = newer_with(&own, &point.try_into().unwrap(), &session).unwrap();
        let ephemeral = hex("87cf18d5f1b53f817cce5a004cf393cc8958bddc065f25f84af509b17dd36764");
        assert_eq!(agreed.ephemeral, ephemeral);
        assert_eq!(agreed.wrapped, hex("dea355437956617901e06957fbca8a6a47a5b5153e8d3ab7"));
    }

    #[test]
    fn keys_are_wrapped_as_rfc_3394_has_it() {
        let data = "00112233445566778899aabbccddeeff";
        let short = Wrap::Aes128.wrap(&hex("000102030405060708090a0b0c0d0e0f"), &hex(data)).unwrap();
        assert_eq!(short, hex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"));
        let key = hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        let middle = Wrap::Aes192.wrap(&key, &hex(data)).unwrap();
        assert_eq!(middle, hex("96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"));
        let longer = format!("{data}0001020304050607");
        let middle = Wrap::Aes192.wrap(&key, &hex(&longer)).unwrap();
        assert_eq!(middle, hex("031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"));
        let long = Wrap::Aes256.wrap(&key, &hex(&format!("{data}000102030405060708090a0b0c0d0e0f"))).unwrap();
        let wrapped = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
        assert_eq!(long, hex(wrapped));
    }
}
