//! Accessors: names of tokens that are not tokens, and that nothing has to store.
//!
//! ```text
//! key       16 bytes: HMAC-SHA256(salt, token), cut        under which the record stands
//! accessor  22 base62 digits of AES-256(key) ‖ 2 of a keyed checksum
//! ```
//!
//! A permutation of the keys: whoever knows one of the two learns nothing of the other, and the appliance has each from the
//! other without a record. A token whose id somebody chose has the same accessor each time that it is made.

use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use strongroom_types::Refusal;

use super::mint::{BASE62, digit};
use crate::fault::damaged;

/// Bytes of a token's key.
const KEY_LEN: usize = 16;
/// Digits that 128 bits take.
const DIGITS: usize = 22;
/// Characters of the checksum.
const CHECK: usize = 2;

/// The two ways between keys and accessors.
pub(super) struct Accessors {
    encrypt: EncryptingKey,
    decrypt: DecryptingKey,
    salt: hmac::Key,
}

impl Accessors {
    /// Under keys that derive from the salt of the tokens.
    pub(super) fn new(salt: &hmac::Key) -> Result<Self, Refusal> {
        let tag = hmac::sign(salt, b"accessor\0");
        let key = || UnboundCipherKey::new(&AES_256, tag.as_ref()).map_err(damaged);
        Ok(Self {
            encrypt: EncryptingKey::ecb(key()?).map_err(damaged)?,
            decrypt: DecryptingKey::ecb(key()?).map_err(damaged)?,
            salt: salt.clone(),
        })
    }

    /// The accessor of the token with this key.
    pub(super) fn of(&self, key: &str) -> Result<String, Refusal> {
        let bytes = BASE64URL_NOPAD.decode(key.as_bytes()).map_err(damaged)?;
        let mut block: [u8; KEY_LEN] = bytes.try_into().map_err(|_| damaged("a token's key is not one"))?;
        self.encrypt.encrypt(&mut block).map_err(damaged)?;
        let mut accessor = digits(u128::from_be_bytes(block));
        let check = self.check(&accessor);
        accessor.push_str(&check);
        Ok(accessor)
    }

    /// The key of the token whose accessor this would be: `None` if it can be nobody's.
    pub(super) fn key(&self, accessor: &str) -> Option<String> {
        let (digits, check) = accessor.split_at_checked(DIGITS)?;
        let number = number(digits)?;
        if check != self.check(digits) {
            return None;
        }
        let mut block = number.to_be_bytes();
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

/// The key of the token that `salt` makes this tag of.
pub(super) fn key_of(tag: &hmac::Tag) -> String {
    BASE64URL_NOPAD.encode(tag.as_ref().get(..KEY_LEN).unwrap_or_default())
}

/// Whether `text` has the form of a key.
pub(super) fn is_key(text: &str) -> bool {
    BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|key| key.len() == KEY_LEN)
}

fn digits(mut number: u128) -> String {
    let mut digits = Vec::with_capacity(DIGITS);
    for _ in 0..DIGITS {
        digits.push(digit((number % 62) as u8));
        number /= 62;
    }
    digits.iter().rev().collect()
}

/// What [`digits`] writes so, and in no other way.
fn number(digits: &str) -> Option<u128> {
    digits.bytes().try_fold(0_u128, |number, byte| {
        let value = BASE62.iter().position(|digit| *digit == byte)?;
        number.checked_mul(62)?.checked_add(value as u128)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accessors() -> Accessors {
        Accessors::new(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])).unwrap()
    }

    /// Pinned: people write accessors down.
    #[test]
    fn accessors_of_version_1() {
        let key = BASE64URL_NOPAD.encode(&[0x5a; KEY_LEN]);
        assert_eq!(accessors().of(&key).unwrap(), "6SH2SMCJhCBhdPOLf2VLFyfS");
    }

    proptest! {
        #[test]
        fn there_and_back(block: [u8; KEY_LEN]) {
            let key = BASE64URL_NOPAD.encode(&block);
            let accessor = accessors().of(&key).unwrap();
            prop_assert_eq!(accessor.len(), DIGITS + CHECK);
            prop_assert_eq!(accessors().key(&accessor), Some(key));
        }

        #[test]
        fn anything_else_is_nobodys(text in ".{0,40}") {
            prop_assert_eq!(accessors().key(&text), None);
        }

        #[test]
        fn a_changed_one_is_nobodys_or_another(at in 0..DIGITS + CHECK, to in 0..62_u8) {
            let key = BASE64URL_NOPAD.encode(&[1; KEY_LEN]);
            let mut accessor = accessors().of(&key).unwrap();
            let to = digit(to).to_string();
            let is_same = accessor[at..=at] == to;
            accessor.replace_range(at..=at, &to);
            prop_assert_eq!(accessors().key(&accessor) == Some(key), is_same);
        }
    }
}
