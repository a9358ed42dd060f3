//! The values of requests and answers: hashed text by text, as far as they are not in clear.

use serde_json::Value;
use strongroom_types::JsonMap;

use super::{Style, TooManyStrings};
use crate::Clear;
use crate::json::{Object, push};

/// The values of one line's data, counted.
pub(super) struct Texts<'s> {
    pub(super) style: &'s Style<'s>,
    /// How many more texts may be hashed.
    pub(super) left: usize,
}

impl Texts<'_> {
    /// The outermost object. Under the keys `counted` stands how many there are, instead of what they are.
    pub(super) fn map(
        &mut self,
        out: &mut Vec<u8>,
        data: &JsonMap,
        clear: Clear<'_>,
        counted: Option<&[&str]>,
    ) -> Result<(), TooManyStrings> {
        let mut object = Object::begin(out);
        for (key, value) in data {
            let out = object.foreign_key(key);
            let count = match value {
                Value::Array(items) => Some(items.len()),
                Value::Object(members) => Some(members.len()),
                _ => None,
            };
            match count.filter(|_| counted.is_some_and(|counted| counted.contains(&key.as_str()))) {
                Some(count) => push(out, count),
                None if (clear.field)(key) => push(out, value),
                None => self.value(out, value, is_named(clear.keys, key), clear.keys)?,
            }
        }
        object.end();
        Ok(())
    }

    /// Any value; `shown` if the key it stands under is in clear.
    pub(super) fn value(
        &mut self,
        out: &mut Vec<u8>,
        value: &Value,
        shown: bool,
        clear_keys: &[String],
    ) -> Result<(), TooManyStrings> {
        match value {
            Value::String(text) if !shown => {
                self.left = self.left.checked_sub(1).ok_or(TooManyStrings)?;
                self.style.secret(out, text.as_bytes());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => push(out, value),
            Value::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    self.value(out, item, shown, clear_keys)?;
                }
                out.push(b']');
            }
            Value::Object(members) => {
                let mut object = Object::begin(out);
                for (key, value) in members {
                    self.value(object.foreign_key(key), value, is_named(clear_keys, key), clear_keys)?;
                }
                object.end();
            }
        }
        Ok(())
    }
}

pub(super) fn is_named(keys: &[String], key: &str) -> bool {
    keys.iter().any(|named| named == key)
}
