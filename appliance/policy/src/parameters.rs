//! `allowed_parameters`, `denied_parameters` and `required_parameters`.
//!
//! Lists of values compare so:
//!
//! | in the policy | matches |
//! |---|---|
//! | `[]` | every value |
//! | a text | a scalar of that text; `*` at its begin or end stands for any text |
//! | a number, a boolean | an equal scalar |
//! | a list, a block | a value that is equal as a whole |
//!
//! A scalar counts as its text (`3` as `"3"`), because engines read both as one value. What is *in* a list or an
//! object is not looked at: denying `"a"` denies neither `"a,b"` nor `["a","b"]`, as in Vault.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use strongroom_types::JsonMap;

use crate::hcl::Value;

/// Values by parameter, the parameter in lower case.
pub type Values = BTreeMap<String, Vec<Value>>;

/// Stands for every parameter.
const ANY: &str = "*";

/// Which parameters a request must have, and which it may.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// If there are any: only these, with one of their values.
    pub allowed: Values,
    /// Not these, if they have one of their values.
    pub denied: Values,
    /// All of these.
    pub required: BTreeSet<String>,
}

/// What a request's parameters did wrong. It does not name them: they come from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One of `required_parameters` is not there.
    Missing,
    /// One is among `denied_parameters`.
    Denied,
    /// One is not among `allowed_parameters`.
    NotAllowed,
}

impl Parameters {
    /// Adds the rules of another stanza for the same path.
    pub fn merge(&mut self, other: &Self) {
        merge(&mut self.allowed, &other.allowed);
        merge(&mut self.denied, &other.denied);
        self.required.extend(other.required.iter().cloned());
    }

    /// Whether a request with these parameters may go on.
    pub fn check(&self, given: &JsonMap) -> Result<(), Fault> {
        let is_missing = |name: &String| given.get(name).is_none_or(Json::is_null);
        if self.required.iter().any(is_missing) {
            return Err(Fault::Missing);
        }
        if given.is_empty() {
            return Ok(());
        }
        if self.denied.contains_key(ANY) {
            return Err(Fault::Denied);
        }
        for (name, value) in given {
            let name = name.to_lowercase();
            if self.denied.get(&name).is_some_and(|list| is_in(list, value)) {
                return Err(Fault::Denied);
            }
            let allowed = match self.allowed.get(&name) {
                Some(list) => is_in(list, value),
                None => self.allowed.is_empty() || self.allowed.contains_key(ANY),
            };
            if !allowed {
                return Err(Fault::NotAllowed);
            }
        }
        Ok(())
    }
}

/// By key: values add up, but an empty list, which means every value, stays empty.
fn merge(into: &mut Values, from: &Values) {
    for (name, list) in from {
        match into.get_mut(name) {
            None => {
                into.insert(name.clone(), list.clone());
            }
            Some(held) if held.is_empty() || list.is_empty() => held.clear(),
            Some(held) => held.extend(list.iter().cloned()),
        }
    }
}

fn is_in(list: &[Value], value: &Json) -> bool {
    list.is_empty() || list.iter().any(|entry| matches(entry, value))
}

fn matches(entry: &Value, value: &Json) -> bool {
    match (entry, scalar(value)) {
        (Value::Text(pattern), Some(text)) => glob(pattern, &text),
        _ => equal(entry, value),
    }
}

/// The text of a text, a number or a boolean.
fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// `*` at the begin or the end of `pattern` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    if pattern == ANY {
        return true;
    }
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (None, None) => text == pattern,
        (Some(end), None) => text.ends_with(end),
        (None, Some(begin)) => text.starts_with(begin),
        (Some(rest), Some(_)) => text.contains(rest.strip_suffix('*').unwrap_or(rest)),
    }
}

fn equal(entry: &Value, value: &Json) -> bool {
    match (entry, value) {
        (Value::List(entries), Json::Array(values)) => {
            entries.len() == values.len()
                && entries.iter().zip(values).all(|(entry, value)| equal(entry, value))
        }
        (Value::Block(body), Json::Object(object)) => {
            body.items().len() == object.len()
                && body.items().iter().all(|item| {
                    item.labels.is_empty()
                        && object.get(&item.key).is_some_and(|value| equal(&item.value, value))
                })
        }
        (entry, value) => scalar(value).is_some_and(|text| equal_scalar(entry, &text)),
    }
}

fn equal_scalar(entry: &Value, text: &str) -> bool {
    match entry {
        Value::Text(own) => own == text,
        Value::Bool(own) => text == if *own { "true" } else { "false" },
        Value::Number(own) => own == text || equal_number(own, text),
        Value::List(_) | Value::Block(_) => false,
    }
}

/// Whether both are numbers of the same value: `3`, `3.0`, `3e0`.
fn equal_number(own: &str, text: &str) -> bool {
    match (own.parse::<i128>(), text.parse::<i128>()) {
        (Ok(own), Ok(text)) => own == text,
        _ => own.parse::<f64>().is_ok_and(|own| text.parse::<f64>() == Ok(own)),
    }
}
