//! A token, its key and its accessor.
//!
//! ```text
//! token     hvs. ‖ own, 26 base62 ‖ rank ⊕ mask, 6 base62 ‖ checksum, 8 base62
//! tag       HMAC-SHA256(salt, own)         mask: its first 4 bytes, mac: the next 12
//! key       rank, u32 BE ‖ mac             in base64url; under it the record stands
//! accessor  AES-256(key), 22 base62 ‖ checksum, 2 base62
//! ```
//!
//! The rank counts the tokens that were made: the records of those that are made one after the other, and so often end, lie beside
//! each other on the disk, and a commit of many logins writes few of its pages. It is masked, so that no token tells how many
//! there are. A token that somebody chose is its own `own`, and has the rank 0.
//!
//! An accessor is a permutation of the key: whoever knows one of the two learns nothing of the other, and neither needs a
//! record that leads to the other. What is chosen once more has the same accessor once more.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use strongroom_types::Refusal;

use super::mint::{BASE62, OWN, PREFIX, digit};
use crate::fault::damaged;

/// Bytes of a key.
const KEY_LEN: usize = 16;
/// Digits of an accessor: 128 bits.
const DIGITS: usize = 22;
/// Digits of a rank: 32 bits.
pub(super) const RANK_DIGITS: usize = 6;
/// Digits of an accessor's checksum.
const CHECK: usize = 2;

/// What leads from tokens to keys, and from those to accessors and back.
pub(super) struct Keys {
    salt: hmac::Key,
    encrypt: EncryptingKey,
    decrypt: DecryptingKey,
}

impl Keys {
    /// With the salt of the tokens.
    pub(super) fn new(salt: hmac::Key) -> Result<Self, Refusal> {
        let tag = hmac::sign(&salt, b"accessor\0");
        let key = || UnboundCipherKey::new(&AES_256, tag.as_ref()).map_err(damaged);
        Ok(Self {
            encrypt: EncryptingKey::ecb(key()?).map_err(damaged)?,
            decrypt: DecryptingKey::ecb(key()?).map_err(damaged)?,
            salt,
        })
    }

    /// The key of `token`.
    pub(super) fn of(&self, token: &[u8]) -> String {
        let (own, disguised) = match made_here(token) {
            Some((own, disguised)) => (own, Some(disguised)),
            None => (token, None),
        };
        let (mask, mac) = self.tag(own);
        let rank = disguised.map_or(0, |disguised| disguised ^ mask);
        BASE64URL_NOPAD.encode(&(u128::from(rank) << 96 | mac).to_be_bytes())
    }

    /// What stands for `rank` in the token with this `own`.
    pub(super) fn disguised(&self, own: &[u8], rank: u32) -> String {
        digits((rank ^ self.tag(own).0).into(), RANK_DIGITS)
    }

    /// Mask and mac.
    fn tag(&self, own: &[u8]) -> (u32, u128) {
        let tag = hmac::sign(&self.salt, own);
        let tag = tag.as_ref().first_chunk().map_or(0, |tag| u128::from_be_bytes(*tag));
        let (mask, mac) = (tag >> 96, tag & (u128::MAX >> 32));
        (u32::try_from(mask).unwrap_or_default(), mac)
    }

    /// The accessor of the token with this key.
    pub(super) fn accessor(&self, key: &str) -> Result<String, Refusal> {
        let mut block = bytes(key).ok_or_else(|| damaged("a token's key is not one"))?;
        self.encrypt.encrypt(&mut block).map_err(damaged)?;
        let mut accessor = digits(u128::from_be_bytes(block), DIGITS);
        let check = self.check(&accessor);
        accessor.push_str(&check);
        Ok(accessor)
    }

    /// The key of the token whose accessor this would be: `None` if it can be nobody's.
    pub(super) fn named(&self, accessor: &str) -> Option<String> {
        let (digits, check) = accessor.split_at_checked(DIGITS)?;
        let mut block = number(digits.as_bytes())?.to_be_bytes();
        if check != self.check(digits) {
            return None;
        }
        self.decrypt.decrypt(&mut block, DecryptionContext::None).ok()?;
        Some(BASE64URL_NOPAD.encode(&block))
    }

    /// Finds slips of the hand before the storage is asked.
    fn check(&self, digits: &str) -> String {
        let mut keyed = hmac::Context::with_key(&self.salt);
        keyed.update(b"accessor checksum\0");
        keyed.update(digits.as_bytes());
        keyed.sign().as_ref().iter().take(CHECK).map(|byte| digit(*byte % 62)).collect()
    }
}

/// The rank in a key; `None` of what is none.
pub(super) fn rank(key: &str) -> Option<u32> {
    bytes(key)?.first_chunk().map(|rank| u32::from_be_bytes(*rank))
}

fn bytes(key: &str) -> Option<[u8; KEY_LEN]> {
    let mut bytes = [0; KEY_LEN];
    let is_whole = BASE64URL_NOPAD.decode_len(key.len()) == Ok(KEY_LEN)
        && BASE64URL_NOPAD.decode_mut(key.as_bytes(), &mut bytes).is_ok();
    is_whole.then_some(bytes)
}

/// `own` and the disguised rank of a token of our form.
fn made_here(token: &[u8]) -> Option<(&[u8], u32)> {
    let (own, rest) = token.strip_prefix(PREFIX.as_bytes())?.split_at_checked(OWN)?;
    let disguised = number(rest.get(..RANK_DIGITS)?)?;
    Some((own, u32::try_from(disguised).ok()?))
}

/// `number` with as many digits, which must do for it.
fn digits(mut number: u128, count: usize) -> String {
    let mut digits = Vec::with_capacity(count);
    for _ in 0..count {
        digits.push(digit((number % 62) as u8));
        number /= 62;
    }
    digits.iter().rev().collect()
}

/// What [`digits`] writes so.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, byte| {
        let value = BASE62.iter().position(|digit| digit == byte)?;
        number.checked_mul(62)?.checked_add(value as u128)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> Keys {
        Keys::new(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])).unwrap()
    }

    /// Pinned: tokens and accessors are in people's hands, and keys on disks.
    #[test]
    fn tokens_of_version_1() {
        let own = "abcdefghijklmnopqrstuvwxyz";
        let token = format!("hvs.{own}{}", keys().disguised(own.as_bytes(), 0x0102_0304));
        let key = keys().of(format!("{token}12345678").as_bytes());
        let accessor = keys().accessor(&key).unwrap();
        assert_eq!(
            [token, key, accessor, keys().of(b"chosen")],
            [
                "hvs.abcdefghijklmnopqrstuvwxyz16end5",
                "AQIDBFiWvS5qXR0Yi2whvQ",
                "6Nd9dz5sWUPp4WV0ARKnuTTb",
                "AAAAAB3G9t6Bfa7nq6KmAg"
            ]
        );
    }

    proptest! {
        #[test]
        fn a_token_of_a_rank_has_a_key_of_that_rank(own in "[0-9A-Za-z]{26}", rank: u32, check in "[0-9A-Za-z]{8}") {
            let token = format!("hvs.{own}{}{check}", keys().disguised(own.as_bytes(), rank));
            prop_assert_eq!(token.len(), super::super::TOKEN_LEN);
            let key = keys().of(token.as_bytes());
            prop_assert_eq!(super::rank(&key), Some(rank));
            let neighbour = format!("hvs.{own}{}{check}", keys().disguised(own.as_bytes(), rank ^ 1));
            prop_assert_ne!(keys().of(neighbour.as_bytes()), key.clone());

            let accessor = keys().accessor(&key).unwrap();
            prop_assert_eq!(accessor.len(), DIGITS + CHECK);
            prop_assert_eq!(keys().named(&accessor), Some(key));
        }

        #[test]
        fn whatever_somebody_has_chosen_has_a_key(token: Vec<u8>) {
            prop_assert_eq!(super::rank(&keys().of(&token)), Some(0));
        }

        #[test]
        fn anything_else_is_nobodys_accessor_and_no_key(text in ".{0,40}") {
            prop_assert_eq!(keys().named(&text), None);
            prop_assert!(super::rank(&text).is_none() || text.len() == 22);
        }

        #[test]
        fn a_changed_accessor_is_nobodys_or_anothers(at in 0..DIGITS + CHECK, to in 0..62_u8) {
            let key = keys().of(b"chosen");
            let mut accessor = keys().accessor(&key).unwrap();
            let to = digit(to).to_string();
            let is_same = accessor[at..=at] == to;
            accessor.replace_range(at..=at, &to);
            prop_assert_eq!(keys().named(&accessor) == Some(key), is_same);
        }
    }
}
