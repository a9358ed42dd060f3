//! An encrypted message: two packets.
//!
//! ```text
//! ┌───────────────────────────────────────────────┬────────────────────────────────────────────────────────┐
//! │ PKESK v3: id of the key, session key for it   │ SEIPD v1: AES-CFB under the session key, zero IV, of    │
//! │   RSA     PKCS #1 v1.5 of cipher, key, sum    │   16 random bytes, the last two of them again           │
//! │   ECDH    a point, and the same three wrapped │   a literal packet: binary, no name, no date, the text  │
//! │   X25519  32 bytes, cipher, the wrapped key   │   0xd3 0x14, and the SHA-1 of all that is before        │
//! └───────────────────────────────────────────────┴────────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing is compressed: how long the text is, is seen; shares are all of one length, and so are tokens.

use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use strongroom_types::Entropy;
use zeroize::Zeroizing;

use crate::agree::{self, Derivation};
use crate::key::{self, Curve, algorithm};
use crate::packet::{header_length, write};
use crate::{Failed, Recipient};

/// How a session key is put where only one person gets it out.
pub enum Lock {
    /// PKCS #1 v1.5, the only padding that OpenPGP has.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// In the older form.
    Ecdh { curve: Curve, point: Vec<u8>, derivation: Derivation },
    /// In the newer form.
    X25519([u8; 32]),
}

impl Lock {
    /// In the older form; `derivation` as the key says it. Or why not.
    pub fn ecdh(curve: Curve, point: &[u8], derivation: (u8, u8)) -> Result<Self, String> {
        let derivation = Derivation::of(derivation.0, derivation.1)?;
        Ok(Self::Ecdh { curve, point: point.to_vec(), derivation })
    }
}

/// What the text is encrypted with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cipher {
    Aes128,
    Aes256,
}

impl Cipher {
    /// AES-256, unless the owner lists ciphers and that is none of them: AES-128 is read by everybody (RFC 9580, 9.3).
    pub fn preferred(listed: Option<&[u8]>) -> Self {
        match listed {
            Some(listed) if !listed.contains(&Self::Aes256.id()) => Self::Aes128,
            _ => Self::Aes256,
        }
    }

    /// RFC 9580, 9.3.
    fn id(self) -> u8 {
        match self {
            Self::Aes128 => 7,
            Self::Aes256 => 9,
        }
    }

    fn algorithm(self) -> (&'static cipher::Algorithm, usize) {
        match self {
            Self::Aes128 => (&cipher::AES_128, 16),
            Self::Aes256 => (&cipher::AES_256, 32),
        }
    }
}

const SESSION_KEY: u8 = 1;
const LITERAL: u8 = 11;
const ENCRYPTED: u8 = 18;
/// The header of the packet with the SHA-1, which is part of what is hashed.
const CHECK: [u8; 2] = [0xd3, 0x14];
const BLOCK: usize = 16;

/// `text` for `recipient`.
pub fn encrypt(recipient: &Recipient, text: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Failed> {
    let (_, length) = recipient.cipher.algorithm();
    let mut session = Zeroizing::new(vec![0; length]);
    entropy.fill(&mut session)?;
    let mut message = Vec::new();
    write(SESSION_KEY, &locked(recipient, &session, entropy)?, &mut message);
    write(ENCRYPTED, &encrypted(recipient.cipher, &session, text, entropy)?, &mut message);
    Ok(message)
}

/// The session key for the recipient.
fn locked(recipient: &Recipient, session: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Failed> {
    let cipher = recipient.cipher.id();
    let mut body = vec![3];
    body.extend_from_slice(key::id(&recipient.chosen));
    match &recipient.lock {
        Lock::Rsa { n, e } => {
            let key: PublicEncryptingKey = RsaPublicKeyComponents { n, e }.try_into()?;
            let key = Pkcs1PublicEncryptingKey::new(key)?;
            let mut out = vec![0; key.ciphertext_size()];
            let number = key.encrypt(&summed(cipher, session), &mut out)?;
            body.push(algorithm::RSA);
            put_number(number, &mut body)?;
        }
        Lock::Ecdh { curve, point, derivation } => {
            let summed = summed(cipher, session);
            let agreed = agree::older((*curve, point), derivation, &recipient.chosen, &summed, entropy)?;
            body.push(algorithm::ECDH);
            put_number(&agreed.ephemeral, &mut body)?;
            body.push(short(agreed.wrapped.len())?);
            body.extend_from_slice(&agreed.wrapped);
        }
        Lock::X25519(point) => {
            let agreed = agree::newer(point, session, entropy)?;
            body.push(algorithm::X25519);
            body.extend_from_slice(&agreed.ephemeral);
            body.push(short(1 + agreed.wrapped.len())?);
            body.push(cipher);
            body.extend_from_slice(&agreed.wrapped);
        }
    }
    Ok(body)
}

/// The session key with its cipher before it, and the sum of its bytes behind it.
fn summed(cipher: u8, session: &[u8]) -> Zeroizing<Vec<u8>> {
    let sum = session.iter().fold(0_u16, |sum, byte| sum.wrapping_add((*byte).into()));
    let mut all = Zeroizing::new(Vec::with_capacity(session.len() + 3));
    all.push(cipher);
    all.extend_from_slice(session);
    all.extend_from_slice(&sum.to_be_bytes());
    all
}

/// The text under the session key.
fn encrypted(cipher: Cipher, session: &[u8], text: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Failed> {
    // Format, length of the name, date; then the text.
    let header = [b'b', 0, 0, 0, 0, 0];
    let length = header_length(header.len() + text.len());
    let begin: [u8; BLOCK] = entropy.draw()?;
    let again = begin.last_chunk::<2>().ok_or(Failed::Rejected)?;
    // Room for all of it: what grows leaves copies behind. It is wiped, as long as it is no ciphertext.
    let mut all = Zeroizing::new(Vec::with_capacity(text.len() + 64));
    for piece in [&begin, again.as_slice(), &[0xc0 | LITERAL], &length, &header, text, &CHECK] {
        all.extend_from_slice(piece);
    }
    let check = digest(&SHA1_FOR_LEGACY_USE_ONLY, &all);
    all.extend_from_slice(check.as_ref());
    let (algorithm, _) = cipher.algorithm();
    let key = EncryptingKey::cfb128(UnboundCipherKey::new(algorithm, session)?)?;
    // The random block is what differs from message to message; and so is the key.
    key.less_safe_encrypt(&mut all, EncryptionContext::Iv128(FixedLength::from([0; BLOCK])))?;
    Ok([&[1], all.as_slice()].concat())
}

/// A number with its count of bits before it.
fn put_number(number: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let free = number.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = u16::try_from(8 * number.len() - free).map_err(|_| Failed::Rejected)?;
    out.extend_from_slice(&bits.to_be_bytes());
    out.extend_from_slice(number);
    Ok(())
}

fn short(length: usize) -> Result<u8, Failed> {
    u8::try_from(length).map_err(|_| Failed::Rejected)
}
