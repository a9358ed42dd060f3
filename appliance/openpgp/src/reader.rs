//! Bytes from the front, never beyond their end.

use crate::KeyError;

/// What is not read yet.
#[derive(Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], KeyError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(KeyError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(KeyError::Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, KeyError> {
        self.array().map(|[byte]| byte)
    }

    /// A length of two bytes.
    pub fn length16(&mut self) -> Result<usize, KeyError> {
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// A number of four bytes.
    pub fn number32(&mut self) -> Result<u32, KeyError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number with its count of bits before it (RFC 9580, 3.2), without leading zeros.
    pub fn number(&mut self) -> Result<&'a [u8], KeyError> {
        let bits = self.length16()?;
        let bytes = self.take(bits.div_ceil(8))?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(bytes.get(zeros..).unwrap_or_default())
    }

    /// Refuses what comes after the end.
    pub fn end(self) -> Result<(), KeyError> {
        if self.0.is_empty() { Ok(()) } else { Err(KeyError::Malformed("something follows a key's numbers")) }
    }
}
