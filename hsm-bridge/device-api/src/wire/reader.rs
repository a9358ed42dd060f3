//! Reads the fields of a frame, whatever the bytes are.

use strongroom_types::Secret;

use super::{Answer, Call, FLAG_HARMLESS, MAGIC, MAX_TEXT, Reply, Request, WireError, kind_of};
use crate::limits::{MAX_AAD, MAX_PLAIN, MAX_RANDOM, MAX_WRAPPED};
use crate::{DeviceError, Identity, KeyId, Wrapped};

/// What is left to read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WireError::Malformed(what))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        self.take(N, what)?.try_into().map_err(|_| WireError::Malformed(what))
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, WireError> {
        self.array::<1>(what).map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        self.array(what).map(u16::from_be_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        self.array(what).map(u64::from_be_bytes)
    }

    pub(super) fn magic(&mut self) -> Result<(), WireError> {
        if &self.array::<4>("magic")? == MAGIC { Ok(()) } else { Err(WireError::Malformed("magic")) }
    }

    /// Length-prefixed, `least` to `most` bytes.
    fn bytes(&mut self, what: &'static str, least: usize, most: usize) -> Result<&'a [u8], WireError> {
        let length = usize::from(self.u16(what)?);
        if !(least..=most).contains(&length) {
            return Err(WireError::Malformed(what));
        }
        self.take(length, what)
    }

    fn text(&mut self, what: &'static str) -> Result<String, WireError> {
        let bytes = self.bytes(what, 0, MAX_TEXT)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| WireError::Malformed(what))
    }

    fn key_id(&mut self) -> Result<KeyId, WireError> {
        KeyId::new(&self.text("key id")?).ok_or(WireError::Malformed("key id"))
    }

    pub(super) fn request(&mut self) -> Result<Request, WireError> {
        let id = self.u64("id")?;
        let deadline_ms = u32::from_be_bytes(self.array("deadline")?);
        let flags = self.byte("flags")?;
        if flags & !FLAG_HARMLESS != 0 {
            return Err(WireError::Malformed("flags"));
        }
        let call = match self.byte("operation")? {
            1 => Call::Identity,
            2 => Call::Health,
            3 => match self.u16("count")? {
                count if (1..=MAX_RANDOM).contains(&usize::from(count)) => Call::Random(count),
                _ => return Err(WireError::Malformed("count")),
            },
            4 => Call::EnsureKey(self.key_id()?),
            5 => {
                let (id, aad) = (self.key_id()?, self.bytes("aad", 0, MAX_AAD)?.to_vec());
                Call::Wrap(id, aad, Secret::copy_of(self.bytes("secret", 1, MAX_PLAIN)?))
            }
            6 => {
                let (id, aad) = (self.key_id()?, self.bytes("aad", 0, MAX_AAD)?.to_vec());
                Call::Unwrap(id, aad, Wrapped(self.bytes("wrapped secret", 1, MAX_WRAPPED)?.to_vec()))
            }
            operation => return Err(WireError::UnknownOperation { id, operation }),
        };
        Ok(Request { id, deadline_ms, harmless: flags & FLAG_HARMLESS != 0, call })
    }

    pub(super) fn reply(&mut self) -> Result<Reply, WireError> {
        let id = self.u64("id")?;
        let outcome = match self.byte("outcome")? {
            0 => Ok(self.answer()?),
            number => {
                let kind = kind_of(number).ok_or(WireError::Malformed("outcome"))?;
                Err(DeviceError { kind, message: self.text("message")? })
            }
        };
        Ok(Reply { id, outcome })
    }

    fn answer(&mut self) -> Result<Answer, WireError> {
        Ok(match self.byte("operation")? {
            1 => Answer::Identity(Identity {
                kind: self.text("device kind")?,
                model: self.text("model")?,
                serial: self.text("serial")?,
            }),
            2 => Answer::Health,
            3 => Answer::Random(Secret::copy_of(self.bytes("random", 1, MAX_RANDOM)?)),
            4 => Answer::EnsureKey,
            5 => Answer::Wrap(Wrapped(self.bytes("wrapped secret", 1, MAX_WRAPPED)?.to_vec())),
            6 => Answer::Unwrap(Secret::copy_of(self.bytes("secret", 1, MAX_PLAIN)?)),
            _ => return Err(WireError::Malformed("operation")),
        })
    }

    pub(super) fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Malformed("end")) }
    }
}
