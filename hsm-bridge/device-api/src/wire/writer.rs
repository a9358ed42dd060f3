//! Writes the fields of a frame.

use strongroom_types::Secret;

use super::{Answer, Call, MAX_BODY, MAX_TEXT, WireError};
use crate::limits::{MAX_AAD, MAX_WRAPPED};

/// `text`, cut to [`MAX_TEXT`] bytes at a character's end.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Writes into a buffer that never grows, so that no copy of a secret stays behind.
pub(super) struct Writer {
    out: Vec<u8>,
    too_large: Option<usize>,
}

impl Writer {
    pub(super) fn new() -> Self {
        let mut out = Vec::with_capacity(MAX_WRAPPED + MAX_AAD + 256);
        out.extend_from_slice(&[0; 4]);
        Self { out, too_large: None }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let size = self.out.len() + bytes.len();
        if size > self.out.capacity() {
            self.too_large = Some(size);
        } else {
            self.out.extend_from_slice(bytes);
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(length) => {
                self.put(&length.to_be_bytes());
                self.put(bytes);
            }
            Err(_) => self.too_large = Some(bytes.len()),
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(cut(text).as_bytes());
    }

    pub(super) fn call(&mut self, call: &Call) {
        self.put(&[call.operation().0]);
        match call {
            Call::Identity | Call::Health => {}
            Call::Random(count) => self.put(&count.to_be_bytes()),
            Call::EnsureKey(id) => self.text(id.as_str()),
            Call::Wrap(id, aad, plain) => {
                self.text(id.as_str());
                self.bytes(aad);
                self.bytes(plain.expose());
            }
            Call::Unwrap(id, aad, wrapped) => {
                self.text(id.as_str());
                self.bytes(aad);
                self.bytes(&wrapped.0);
            }
        }
    }

    pub(super) fn answer(&mut self, answer: &Answer) {
        self.put(&[0]);
        match answer {
            Answer::Identity(identity) => {
                self.put(&[1]);
                self.text(&identity.kind);
                self.text(&identity.model);
                self.text(&identity.serial);
            }
            Answer::Health => self.put(&[2]),
            Answer::Random(random) => {
                self.put(&[3]);
                self.bytes(random.expose());
            }
            Answer::EnsureKey => self.put(&[4]),
            Answer::Wrap(wrapped) => {
                self.put(&[5]);
                self.bytes(&wrapped.0);
            }
            Answer::Unwrap(plain) => {
                self.put(&[6]);
                self.bytes(plain.expose());
            }
        }
    }

    pub(super) fn finish(mut self) -> Result<Secret, WireError> {
        let length = self.out.len().saturating_sub(4);
        let too_large = self.too_large.or((length > MAX_BODY).then_some(length));
        if let Some(prefix) = self.out.first_chunk_mut::<4>() {
            *prefix = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        }
        // Wrapped first, so that a frame that is refused is wiped too.
        let frame = Secret::from(self.out);
        too_large.map_or(Ok(frame), |size| Err(WireError::Size(size)))
    }
}
