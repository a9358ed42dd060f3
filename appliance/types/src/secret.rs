//! Bytes that must not leave by accident.

use std::io;

use subtle::ConstantTimeEq;
use zeroize::zeroize_bytes;

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
pub struct Secret(Wiped);

/// Bytes that are wiped when they are dropped, with the room behind them.
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        // Fits without growing. All at once: byte by byte, as vectors are wiped elsewhere, takes ten times as long.
        self.0.resize(self.0.capacity(), 0);
        zeroize_bytes(&mut self.0);
    }
}

impl Secret {
    /// A secret with a copy of `bytes`; the caller wipes the original.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Wiped(bytes.to_vec()))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0.0
    }

    /// The bytes as text, if they are UTF-8.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(self.expose()).ok()
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

/// A secret that is written piece by piece. A `Vec` that grows leaves what it held in memory that is nobody's; this one
/// wipes it.
pub struct SecretWriter(Wiped);

impl SecretWriter {
    /// With room for `bytes` before it has to grow.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Wiped(Vec::with_capacity(bytes)))
    }

    /// Adds one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.extend_from_slice(&[byte]);
    }

    /// Adds `piece`.
    #[inline]
    pub fn extend_from_slice(&mut self, piece: &[u8]) {
        if piece.len() > self.0.0.capacity() - self.0.0.len() {
            self.grow(piece.len());
        }
        self.0.0.extend_from_slice(piece);
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let held = &self.0.0;
        let least = held.len().saturating_add(by);
        let mut larger = Wiped(Vec::with_capacity(least.max(2 * held.capacity())));
        larger.0.extend_from_slice(held);
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
        self.extend_from_slice(piece);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Wiped(bytes))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Wiped(text.into_bytes()))
    }
}

impl PartialEq for Secret {
    /// In constant time for equal lengths.
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
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
