//! Bytes that must not leave by accident.

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
}
