//! JSON, written straight into the buffer that goes to the sink.

use serde::Serialize;

/// An object that is being written: `{` is there, `}` comes with [`Object::end`].
pub(crate) struct Object<'b> {
    out: &'b mut Vec<u8>,
    first: bool,
}

impl<'b> Object<'b> {
    pub(crate) fn begin(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Goes on with an object that already has members and no `}` yet.
    pub(crate) fn go_on(out: &'b mut Vec<u8>) -> Self {
        Self { out, first: false }
    }

    /// The buffer, behind `"key":`, for one value. The key is one of the format's own: nothing in it needs escaping.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// The same for a key that came from elsewhere.
    pub(crate) fn foreign_key(&mut self, key: &str) -> &mut Vec<u8> {
        self.comma();
        push(self.out, key);
        self.out.push(b':');
        self.out
    }

    fn comma(&mut self) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
    }

    pub(crate) fn put(&mut self, key: &'static str, value: impl Serialize) {
        push(self.key(key), value);
    }

    /// A value that is JSON already; left out if there is none.
    pub(crate) fn written(&mut self, key: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.key(key).extend_from_slice(value);
        }
    }

    /// Left out if empty, as clients know it.
    pub(crate) fn text(&mut self, key: &'static str, text: &str) {
        if !text.is_empty() {
            self.put(key, text);
        }
    }

    /// Left out if empty.
    pub(crate) fn texts(&mut self, key: &'static str, texts: &[String]) {
        if !texts.is_empty() {
            self.put(key, texts);
        }
    }

    /// Left out if 0.
    pub(crate) fn number(&mut self, key: &'static str, number: impl Into<i128>) {
        let number = number.into();
        if number != 0 {
            self.put(key, number);
        }
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
}

/// `value` as JSON. What is written here, texts and numbers and maps of them with text keys, cannot fail.
pub(crate) fn push(out: &mut Vec<u8>, value: impl Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, &value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}
