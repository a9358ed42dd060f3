//! HCL (version 1) and JSON, read into one tree with positions: policies and the server's configuration.
//!
//! A document whose first character that is not white space is `{` is JSON; everything else is HCL. Nothing
//! is evaluated: `${…}` and `{{…}}` are plain text. Line breaks are white space, as in HCL version 1, so that
//! several attributes may stand on one line.
//!
//! ```
//! use strongroom_policy::hcl::Document;
//!
//! let document = Document::parse("listener \"tcp\" {\n  address = \"127.0.0.1:8200\"\n}").unwrap();
//! let listeners = document.body.blocks("listener", 1).unwrap();
//! assert_eq!(listeners[0].labels, ["tcp"]);
//! let address = listeners[0].body.get("address").unwrap().unwrap();
//! assert_eq!((address.text().unwrap(), address.line), ("127.0.0.1:8200", 2));
//! ```

use std::fmt;

use strongroom_types::time::parse_duration;

mod cursor;
mod json;
mod lexer;
mod parser;

/// Longest document, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// How deep blocks and lists may be nested.
pub const MAX_DEPTH: usize = 64;

/// A parsed document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What stands at the top level.
    pub body: Body,
}

/// What stands between two braces, or at the top level: items in order, duplicates kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    items: Vec<Item>,
}

/// `key = value`, or `key "label" … { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The first word, without quotes.
    pub key: String,
    /// The words between the key and the brace; always empty in JSON and before `=`.
    pub labels: Vec<String>,
    /// What the item holds.
    pub value: Value,
    /// The line of the key, from 1.
    pub line: u32,
    /// The column of the key in characters, from 1.
    pub column: u32,
}

/// What an item holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A quoted text or a heredoc, with its escapes resolved.
    Text(String),
    /// A number as it is written.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// `[…]`.
    List(Vec<Value>),
    /// `{…}`.
    Block(Body),
}

/// A block with its labels, however it was written: see [`Body::blocks`].
#[derive(Clone, Debug, PartialEq)]
pub struct Block<'a> {
    /// As many as were asked for.
    pub labels: Vec<&'a str>,
    /// Between the braces.
    pub body: &'a Body,
    /// The line of the block's key or, where the labels are keys, of the last of them; from 1.
    pub line: u32,
    /// The column of the same.
    pub column: u32,
}

/// What is wrong with a document, and where. It names words of the grammar and the keys that were asked for; what the
/// document says is not repeated: errors are shown and logged in clear, and in the wrong place anything may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HclError {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong, for the writer of the document.
    pub what: String,
}

impl fmt::Display for HclError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on line {}, column {}", self.what, self.line, self.column)
    }
}

impl std::error::Error for HclError {}

impl Document {
    /// From HCL or JSON of at most [`MAX_BYTES`], nested at most [`MAX_DEPTH`] deep.
    pub fn parse(text: &str) -> Result<Self, HclError> {
        if text.len() > MAX_BYTES {
            let what = format!("the document is longer than {MAX_BYTES} bytes");
            return Err(HclError { line: 1, column: 1, what });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let body = if text.trim_start().starts_with('{') { json::parse(text)? } else { parser::parse(text)? };
        Ok(Self { body })
    }
}

impl Body {
    /// The items in order, duplicates among them.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The one item with this key, if there is one; an error if there are more.
    pub fn get(&self, key: &str) -> Result<Option<&Item>, HclError> {
        let mut found = self.items.iter().filter(|item| item.key == key);
        let first = found.next();
        match found.next() {
            Some(again) => Err(again.error(format!("\"{key}\" is given twice"))),
            None => Ok(first),
        }
    }

    /// An error at the first key which is not in `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), HclError> {
        match self.items.iter().find(|item| !known.contains(&item.key.as_str())) {
            Some(item) => Err(item.error("invalid key")),
            None => Ok(()),
        }
    }

    /// The blocks `key "label" … { … }` with `labels` labels, in every way they are written:
    /// `key "a" {}`, `key { a {} }`, `key = { "a" = {} }`, `{"key": {"a": {}}}`, `{"key": [{"a": {}}]}`.
    ///
    /// An error if an item of this key is not of that shape.
    pub fn blocks(&self, key: &str, labels: usize) -> Result<Vec<Block<'_>>, HclError> {
        let items = self.items.iter().filter(|item| item.key == key);
        let blocks: Result<Vec<_>, _> = items.map(|item| item.blocks(labels)).collect();
        Ok(blocks?.into_iter().flatten().collect())
    }
}

/// Adds the blocks of `key` below `value`, which `item` holds; `before` are the labels from outside of `item`.
fn collect<'a>(
    found: &mut Vec<Block<'a>>,
    key: &str,
    item: &'a Item,
    wanted: usize,
    before: &[&'a str],
    value: &'a Value,
) -> Result<(), HclError> {
    let labels: Vec<&str> = before.iter().copied().chain(item.labels.iter().map(String::as_str)).collect();
    if labels.len() > wanted {
        return Err(item.error(format!("\"{key}\" takes {wanted} label(s)")));
    }
    match value {
        Value::List(values) => {
            values.iter().try_for_each(|value| collect(found, key, item, wanted, before, value))
        }
        Value::Block(body) if labels.len() == wanted => {
            found.push(Block { labels, body, line: item.line, column: item.column });
            Ok(())
        }
        Value::Block(body) => body.items.iter().try_for_each(|inner| {
            let mut labels = labels.clone();
            labels.push(&inner.key);
            collect(found, key, inner, wanted, &labels, &inner.value)
        }),
        _ => Err(item.error(format!("\"{key}\" is not a block with {wanted} label(s)"))),
    }
}

impl Item {
    /// An error at this item's place.
    pub fn error(&self, what: impl Into<String>) -> HclError {
        HclError { line: self.line, column: self.column, what: what.into() }
    }

    /// The blocks with `labels` labels that this item holds; see [`Body::blocks`].
    pub fn blocks(&self, labels: usize) -> Result<Vec<Block<'_>>, HclError> {
        let mut found = Vec::new();
        collect(&mut found, &self.key, self, labels, &[], &self.value)?;
        Ok(found)
    }

    /// The value as text, or an error that says where and what was expected.
    pub fn text(&self) -> Result<&str, HclError> {
        self.value.as_text().ok_or_else(|| self.mismatch("a text in quotes"))
    }

    /// The value as a list of texts, or an error.
    pub fn texts(&self) -> Result<Vec<&str>, HclError> {
        let texts = self.value.as_list().and_then(|list| list.iter().map(Value::as_text).collect());
        texts.ok_or_else(|| self.mismatch("a list of texts in quotes"))
    }

    /// The value as yes or no, or an error; see [`Value::as_bool`].
    pub fn boolean(&self) -> Result<bool, HclError> {
        self.value.as_bool().ok_or_else(|| self.mismatch("true or false"))
    }

    /// The value as an integer, or an error; see [`Value::as_integer`].
    pub fn integer(&self) -> Result<i64, HclError> {
        self.value.as_integer().ok_or_else(|| self.mismatch("an integer"))
    }

    /// The value as a duration in nanoseconds, or an error; see [`Value::as_duration`].
    pub fn duration(&self) -> Result<i64, HclError> {
        self.value.as_duration().ok_or_else(|| self.mismatch("a duration such as \"30s\""))
    }

    /// The value as a block, or an error.
    pub fn block(&self) -> Result<&Body, HclError> {
        match self.labels.first() {
            None => self.value.as_block().ok_or_else(|| self.mismatch("a block")),
            Some(_) => Err(self.error(format!("\"{}\" takes no label", self.key))),
        }
    }

    fn mismatch(&self, expected: &str) -> HclError {
        self.error(format!("\"{}\" is not {expected}", self.key))
    }
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The block, if it is one.
    pub fn as_block(&self) -> Option<&Body> {
        if let Self::Block(body) = self { Some(body) } else { None }
    }

    /// Yes or no: a boolean, or as Vault's users also write it: `1`, `0`, `"true"`, `"false"`, `"1"`, `"0"`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) | Self::Number(text) => match text.as_str() {
                "1" | "true" | "True" | "TRUE" => Some(true),
                "0" | "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// An integer, with or without quotes; `0x1f` is hexadecimal, `0600` octal.
    pub fn as_integer(&self) -> Option<i64> {
        let (Self::Text(text) | Self::Number(text)) = self else { return None };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.as_str()),
        };
        let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let (digits, radix) = match (hexadecimal, digits.strip_prefix('0')) {
            (Some(digits), _) => (digits, 16),
            (None, Some(digits)) if !digits.is_empty() => (digits, 8),
            _ => (digits, 10),
        };
        if !digits.starts_with(|c: char| c.is_digit(radix)) {
            return None;
        }
        let sign = if negative { "-" } else { "" };
        i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
    }

    /// Nanoseconds: a number of seconds, or a text such as `"30s"` or `"1h30m"`.
    pub fn as_duration(&self) -> Option<i64> {
        match self {
            Self::Text(text) | Self::Number(text) => parse_duration(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
