//! Writes JSON values into a buffer.
//!
//! What is written most is long plain texts: secrets. They are looked at eight bytes at a time and copied in runs, which
//! a general serialiser cannot do. The result is the same as serde_json's, byte for byte; a test compares the two.

use std::io::Write;

use serde_json::Value;
use strongroom_types::{JsonMap, SecretWriter};

/// A value. It is no deeper than what was parsed or built, which is limited.
pub(crate) fn value(out: &mut SecretWriter, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        // As it came: with its digits, its zeros, its exponent.
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(value) => text(out, value),
        Value::Array(values) => list(out, values, self::value),
        Value::Object(members) => object(out, members),
    }
}

/// An object.
pub(crate) fn object(out: &mut SecretWriter, members: &JsonMap) {
    out.push(b'{');
    for (at, (name, member)) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        value(out, member);
    }
    out.push(b'}');
}

/// An array of texts.
pub(crate) fn texts(out: &mut SecretWriter, texts: &[String]) {
    list(out, texts, |out, one| text(out, one));
}

fn list<T>(out: &mut SecretWriter, items: &[T], write: impl Fn(&mut SecretWriter, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// A text in quotes.
pub(crate) fn text(out: &mut SecretWriter, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((plain, special, after)) = split(rest) {
        out.extend_from_slice(plain);
        escape(out, special);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// What stands before the first byte that has to be escaped, that byte, and what follows.
fn split(bytes: &[u8]) -> Option<(&[u8], u8, &[u8])> {
    let plain = bytes.chunks_exact(8).take_while(|eight| !has_special(eight)).count() * 8;
    let (_, tail) = bytes.split_at_checked(plain)?;
    let at = plain + tail.iter().position(|&byte| is_special(byte))?;
    let (before, from) = bytes.split_at_checked(at)?;
    let (special, after) = from.split_first()?;
    Some((before, *special, after))
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether one of eight bytes is special; all at once, by the top bit of each.
fn has_special(eight: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let Ok(eight) = <[u8; 8]>::try_from(eight) else { return true };
    let word = u64::from_le_bytes(eight);
    // A borrow can only make a byte above a special one look special too, which costs a closer look and no more.
    let below = |limit: u64, word: u64| word.wrapping_sub(ONES * limit) & !word & TOPS;
    let is = |byte: u8| below(1, word ^ (ONES * u64::from(byte)));
    below(0x20, word) | is(b'"') | is(b'\\') != 0
}

fn escape(out: &mut SecretWriter, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        other => {
            // Writing to memory does not fail.
            let _ = write!(out, "\\u{other:04x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(value: &Value) -> String {
        let mut out = SecretWriter::with_capacity(1);
        super::value(&mut out, value);
        out.finish().expose_str().unwrap().to_owned()
    }

    #[test]
    fn every_byte_at_every_place() {
        for code in 0..=0x17f_u32 {
            let Some(c) = char::from_u32(code) else { continue };
            for before in 0..17 {
                let text = format!("{}{c}{}", "x".repeat(before), "y".repeat(16 - before));
                assert_eq!(written(&text.as_str().into()), serde_json::to_string(&text).unwrap());
            }
        }
    }

    #[test]
    fn numbers_are_copied() {
        let text = "{\"a\":[9007199254740993,1.0,-0.0,1e+400],\"b\":{},\"c\":[],\"d\":[true,false,null]}";
        assert_eq!(written(&serde_json::from_str(text).unwrap()), text);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[ -~\n\"\\\\é]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_same_as_serde_json(value in values()) {
            prop_assert_eq!(written(&value), serde_json::to_string(&value).unwrap());
        }
    }
}
