//! Bytes that must not leave by accident.

use std::io;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret bytes: wiped on drop, compared in constant time, and without `Debug`, `Display`, `Clone` or
/// `Serialize`, so that a line that would print or copy one does not compile.
///
/// [`Secret::expose`] is the only way to the bytes; search for it to see every place that uses one.
///
/// ```compile_fail
/// let pin = strongroom_types::Secret::from(b"1234".to_vec());
/// println!("{pin:?}");
/// ```
/// ```compile_fail
/// let pin = strongroom_types::Secret::from(b"1234".to_vec());
/// let copy = pin.clone();
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A secret with a copy of `bytes`; the caller wipes the original.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text, if they are UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A secret that is written piece by piece. A `Vec` that grows leaves what it held in memory that is nobody's; this one
/// wipes it.
pub struct SecretWriter(Zeroizing<Vec<u8>>);

impl SecretWriter {
    /// With room for `bytes` before it has to grow.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let least = self.0.len().saturating_add(by);
        let mut larger = Zeroizing::new(Vec::with_capacity(least.max(2 * self.0.capacity())));
        larger.extend_from_slice(&self.0);
        // The smaller one is wiped here.
        self.0 = larger;
    }

    /// What has been written.
    pub fn finish(self) -> Secret {
        Secret(self.0)
    }
}

impl io::Write for SecretWriter {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.len() > self.0.capacity() - self.0.len() {
            self.grow(piece.len());
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text.into_bytes()))
    }
}

impl PartialEq for Secret {
    /// In constant time for equal lengths.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_value() {
        assert!(Secret::copy_of(b"a") == Secret::copy_of(b"a"));
        assert!(Secret::copy_of(b"a") != Secret::copy_of(b"b"));
        assert!(Secret::copy_of(b"a") != Secret::copy_of(b"ab"));
    }

    #[test]
    fn what_is_written_in_pieces_is_whole() {
        let mut writer = SecretWriter::with_capacity(3);
        let mut whole = Vec::new();
        for length in [0_u8, 1, 2, 3, 40, 1, 200, 0] {
            let piece: Vec<u8> = (0..length).collect();
            io::Write::write_all(&mut writer, &piece).unwrap();
            whole.extend_from_slice(&piece);
        }
        assert_eq!(writer.finish().expose(), whole);
    }
}
