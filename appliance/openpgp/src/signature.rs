//! A signature (RFC 9580, 5.2), version 4: what it says, and which bytes it is over. Whether it is true, [`crate::verify`] says.

use strongroom_types::Timestamp;

use crate::reader::Reader;
use crate::{Fingerprint, KeyError, key};

/// One signature.
pub struct Signature<'a> {
    /// What it is for; see [`kind`].
    pub kind: u8,
    /// RFC 9580, 9.1.
    pub algorithm: u8,
    /// RFC 9580, 9.5.
    pub hash: u8,
    /// The numbers of the signature, as its algorithm has them.
    pub numbers: &'a [u8],
    /// The part of it that is signed, too; nothing for one of version 3, which is never believed.
    hashed: &'a [u8],
    /// Ids and fingerprints of who is said to have made it.
    issuers: Vec<&'a [u8]>,
    /// What it says, and vouches for.
    pub said: Said<'a>,
}

/// What a signature vouches for.
#[derive(Default)]
pub struct Said<'a> {
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Seconds until it counts no more; 0 is never.
    pub lasts: u32,
    /// Seconds from the making of the key until that counts no more; 0 is never.
    pub key_lasts: u32,
    /// What the key may be used for.
    pub flags: Option<u8>,
    /// Ciphers that its owner reads, the best first.
    pub ciphers: Option<&'a [u8]>,
    /// It has a part that a reader has to understand, and this one does not.
    pub is_beyond: bool,
}

/// RFC 9580, 5.2.1.
pub mod kind {
    pub const NAME_FIRST: u8 = 0x10;
    pub const NAME_LAST: u8 = 0x13;
    pub const SUBKEY: u8 = 0x18;
    pub const DIRECT: u8 = 0x1f;
    pub const KEY_REVOKED: u8 = 0x20;
    pub const SUBKEY_REVOKED: u8 = 0x28;
    pub const NAME_REVOKED: u8 = 0x30;
}

/// May be used to encrypt what is sent, or what is kept.
const ENCRYPTS: u8 = 0x04 | 0x08;

/// RFC 9580, 5.2.3.
mod part {
    pub const CREATED: u8 = 2;
    pub const LASTS: u8 = 3;
    pub const KEY_LASTS: u8 = 9;
    pub const CIPHERS: u8 = 11;
    pub const ISSUER: u8 = 16;
    pub const FLAGS: u8 = 27;
    pub const ISSUER_FINGERPRINT: u8 = 33;
    /// Understood as far as they matter to whoever only encrypts: exportable, trust, hashes, compressions, key server, primary name,
    /// policy, signer's name, features, embedded signature, recipient.
    pub const HARMLESS: [u8; 12] = [4, 5, 21, 22, 23, 24, 25, 26, 28, 30, 32, 35];
}

impl<'a> Signature<'a> {
    /// From the body of its packet.
    pub fn parse(body: &'a [u8]) -> Result<Self, KeyError> {
        let mut reader = Reader(body);
        match reader.byte()? {
            4 => Self::version4(body, reader),
            // Old keys have some of other people. None is ever believed, but it may revoke.
            3 => {
                let [_, kind, _, _, _, _] = reader.array()?;
                let issuers = vec![reader.take(8)?];
                let [algorithm, hash] = reader.array()?;
                let (numbers, hashed, said) = (reader.0, [].as_slice(), Said::default());
                Ok(Self { kind, algorithm, hash, numbers, hashed, issuers, said })
            }
            version => Err(KeyError::Unsupported(format!("a signature of OpenPGP's version {version}"))),
        }
    }

    fn version4(body: &'a [u8], mut reader: Reader<'a>) -> Result<Self, KeyError> {
        let [kind, algorithm, hash] = reader.array()?;
        let length = reader.length16()?;
        let parts = reader.take(length)?;
        let hashed = body.get(..body.len() - reader.0.len()).unwrap_or_default();
        let length = reader.length16()?;
        let unhashed = reader.take(length)?;
        // The first two bytes of the digest, which say nothing that the signature does not.
        reader.take(2)?;
        let (mut said, mut issuers) = (Said::default(), Vec::new());
        said.read(parts, &mut issuers)?;
        // Anybody could have changed these: only who is to be asked is taken from them.
        Said::default().read(unhashed, &mut issuers)?;
        Ok(Self { kind, algorithm, hash, numbers: reader.0, hashed, issuers, said })
    }

    /// What of `subject` and of the signature itself is signed.
    pub fn signed(&self, subject: &[u8]) -> Vec<u8> {
        let length = u32::try_from(self.hashed.len()).unwrap_or(u32::MAX);
        [subject, self.hashed, &[4, 0xff], &length.to_be_bytes()].concat()
    }

    /// Whether the key of `fingerprint` is said to have made it, or nobody is named.
    pub fn may_be_of(&self, fingerprint: &Fingerprint) -> bool {
        let id = key::id(fingerprint);
        self.issuers.is_empty() || self.issuers.iter().any(|issuer| *issuer == id || issuer == fingerprint)
    }

    /// Whether it counts at `now`, if it is true.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        let Some(created) = self.said.created else { return false };
        !self.said.is_beyond && created <= now && !is_over(created, self.said.lasts, now)
    }

    /// Whether it lets its key encrypt.
    pub fn lets_encrypt(&self) -> bool {
        self.said.flags.is_some_and(|flags| flags & ENCRYPTS != 0)
    }
}

/// Whether what began at `since` and lasts so many seconds is over. 0 is never.
pub fn is_over(since: Timestamp, lasts: u32, now: Timestamp) -> bool {
    lasts != 0 && since.plus_secs(lasts.into()) <= now
}

impl<'a> Said<'a> {
    /// Reads all parts of an area.
    fn read(&mut self, area: &'a [u8], issuers: &mut Vec<&'a [u8]>) -> Result<(), KeyError> {
        let mut area = Reader(area);
        while !area.0.is_empty() {
            let length = match area.byte()? {
                short @ 0..192 => usize::from(short),
                middle @ 192..255 => (usize::from(middle) - 192) * 256 + usize::from(area.byte()?) + 192,
                255 => usize::try_from(area.number32()?).unwrap_or(usize::MAX),
            };
            let mut part = Reader(area.take(length)?);
            let kind = part.byte()?;
            let (is_critical, kind) = (kind & 0x80 != 0, kind & 0x7f);
            match kind {
                part::CREATED => self.created = Some(Timestamp::from_secs(part.number32()?.into())),
                part::LASTS => self.lasts = part.number32()?,
                part::KEY_LASTS => self.key_lasts = part.number32()?,
                part::CIPHERS => self.ciphers = Some(part.0),
                part::FLAGS => self.flags = Some(part.0.first().copied().unwrap_or_default()),
                part::ISSUER => issuers.push(part.take(8)?),
                part::ISSUER_FINGERPRINT => {
                    part.byte()?;
                    issuers.push(part.0);
                }
                kind => self.is_beyond |= is_critical && !part::HARMLESS.contains(&kind),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binding of version 4 with these parts, signed or not.
    fn body(hashed: &[u8], unhashed: &[u8]) -> Vec<u8> {
        let area = |area: &[u8]| [&u16::try_from(area.len()).unwrap().to_be_bytes(), area].concat();
        [&[4, kind::SUBKEY, 22, 8], area(hashed).as_slice(), &area(unhashed), &[0, 0]].concat()
    }

    #[test]
    fn a_signature_counts_from_its_date_while_it_lasts() {
        const MADE: [u8; 6] = [5, 2, 0, 0, 1, 0];
        const LASTS: [u8; 6] = [5, 3, 0, 0, 0, 10];
        let in_force = |hashed: &[u8], unhashed: &[u8], secs: i64| {
            let body = body(hashed, unhashed);
            Signature::parse(&body).unwrap().is_in_force(Timestamp::from_secs(secs))
        };
        assert!(!in_force(&MADE, &[], 255) && in_force(&MADE, &[], 256) && in_force(&MADE, &[], i64::MAX));
        let both = [MADE, LASTS].concat();
        assert!(in_force(&both, &[], 265) && !in_force(&both, &[], 266));
        // What is not signed says nothing; without a date there is no signature.
        assert!(!in_force(&[], &MADE, 300) && in_force(&MADE, &LASTS, 300));
        // A part that has to be understood, and is not: a notation. One that need not be.
        let [mut critical, mut harmless] = [[2, 20, 0], [2, 20, 0]];
        critical[1] |= 0x80;
        assert!(!in_force(&[MADE.as_slice(), &critical].concat(), &[], 300));
        assert!(in_force(&[MADE.as_slice(), &harmless].concat(), &[], 300));
        harmless[1] = 0x80 | 30;
        assert!(in_force(&[MADE.as_slice(), &harmless].concat(), &[], 300));
    }

    #[test]
    fn only_signed_flags_let_a_key_encrypt() {
        const FLAGS: [u8; 3] = [2, 27, 0x0c];
        let lets = |hashed: &[u8], unhashed: &[u8]| {
            let body = body(hashed, unhashed);
            Signature::parse(&body).unwrap().lets_encrypt()
        };
        assert!(
            lets(&FLAGS, &[]) && !lets(&[], &FLAGS) && !lets(&[2, 27, 0x23], &[]) && !lets(&[1, 27], &[])
        );
    }
}
