//! Encrypts for people's OpenPGP keys, and does nothing else of OpenPGP: shares and root tokens can then be handed out through hands
//! that must not see them.
//!
//! ```text
//! a key as it comes ─▶ text ─▶ packet ─▶ certificate ─▶ choose ─▶ Recipient ─▶ message
//!   armour, base64,    bytes   framed    key, names,    signatures   which key    session key, encrypted
//!   binary                               subkeys        checked      and how      text
//! ```
//!
//! Keys are those of RFC 4880 and RFC 9580 in version 4; messages are what each program for them reads: a session key for the key (PKESK
//! version 3), and the text under it with a modification check (SEIPD version 1). Every operation of cryptography is aws-lc-rs's; here
//! they are put together.
//!
//! Invariant: nothing is encrypted for a key that the owner's primary key has not signed, or whose signature, revocation or date
//! says no.

mod agree;
mod certificate;
mod choose;
mod error;
mod key;
mod message;
mod packet;
mod reader;
mod signature;
mod text;
mod verify;

#[cfg(test)]
mod tests;

use data_encoding::HEXLOWER;
use strongroom_types::{Entropy, Timestamp};

pub use error::{Failed, KeyError};

use certificate::Certificate;
use message::Lock;

/// Bytes of one key, without armour and base64. Keys with many people's signatures are larger; they are exported without.
pub const MAX_KEY: usize = 64 * 1024;

/// The fingerprint of a key of version 4.
type Fingerprint = [u8; 20];

/// Somebody to encrypt for.
pub struct Recipient {
    /// Of the primary key, by which people know it.
    fingerprint: Fingerprint,
    /// Of the key that is encrypted to.
    chosen: Fingerprint,
    lock: Lock,
    cipher: message::Cipher,
}

impl Recipient {
    /// Reads one person's key, binary, armoured, or either of them in base64; checks it as it stands at `now`; and encrypts nothing for
    /// it once, so that it is known to work before anything depends on it.
    pub fn parse(given: &[u8], now: Timestamp, entropy: &dyn Entropy) -> Result<Self, KeyError> {
        let bytes = text::decode(given)?;
        let certificate = Certificate::parse(bytes.expose())?;
        let recipient = choose::recipient(&certificate, now)?;
        recipient.encrypt(&[], entropy).map_err(KeyError::Untried)?;
        Ok(recipient)
    }

    /// What people compare: of the primary key, in lower case.
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(&self.fingerprint)
    }

    /// `text` for this key alone, as a binary message. The padding for RSA is drawn by aws-lc-rs from the system's generator, everything
    /// else from `entropy`.
    pub fn encrypt(&self, text: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, Failed> {
        message::encrypt(self, text, entropy)
    }
}
