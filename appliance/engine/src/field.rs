//! Typed fields: declared once, converted and checked before a handler runs.
//!
//! The conversions are those of Vault's field schema: numbers may come as text, durations as seconds or as
//! `1h30m`, lists as an array or as `a,b`. JSON null means absent.

use std::marker::PhantomData;

use serde_json::Value;
use strongroom_types::time::parse_duration;
use strongroom_types::{JsonMap, Refusal};

/// A declared field, without its Rust type: what a route table lists.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The key in the body or the query.
    pub name: &'static str,
    /// For people.
    pub help: &'static str,
    /// What it is converted to.
    pub kind: Kind,
    /// Whether the audit log shows it in clear.
    pub clear_in_audit: bool,
}

/// What a field is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; numbers and booleans are taken as text.
    Text,
    /// A whole number, or text that is one.
    Int,
    /// A boolean, or `true`, `false`, `1`, `0` and their like as text.
    Bool,
    /// An object.
    Map,
    /// An object whose values become text.
    KvPairs,
    /// A duration.
    Seconds,
    /// An array of texts, or one text with commas.
    TextList,
    /// An array of whole numbers, or one, or a text with commas.
    IntList,
    /// Any JSON.
    Any,
}

/// A declared field with its Rust type: `const VERSION: Field<i64> = Field::new("version", "…")`.
pub struct Field<T> {
    spec: FieldSpec,
    kind: PhantomData<fn() -> T>,
}

/// A duration as clients send it; may be negative or parts of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds {
    /// In nanoseconds.
    pub nanos: i64,
}

impl Seconds {
    /// Whole seconds, rounded towards zero.
    pub fn secs(self) -> i64 {
        self.nanos / 1_000_000_000
    }
}

/// An object whose values are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvPairs(pub Vec<(String, String)>);

/// The Rust types of fields.
pub trait FieldType: Sized {
    /// What the field is converted to.
    const KIND: Kind;
    /// From the converted JSON; `None` cannot happen after [`convert`].
    fn from_json(value: &Value) -> Option<Self>;
}

impl<T: FieldType> Field<T> {
    /// Declares a field.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { spec: FieldSpec { name, help, kind: T::KIND, clear_in_audit: false }, kind: PhantomData }
    }

    /// The same field, shown in clear in the audit log.
    pub const fn clear_in_audit(mut self) -> Self {
        self.spec.clear_in_audit = true;
        self
    }

    /// For a route table.
    pub const fn spec(&self) -> FieldSpec {
        self.spec
    }

    /// The field's value in `fields`, which [`convert`] has made; `None` if absent or null.
    pub fn of(&self, fields: &JsonMap) -> Option<T> {
        fields.get(self.spec.name).and_then(T::from_json)
    }
}

macro_rules! field_type {
    ($type:ty, $kind:ident, $from:expr) => {
        impl FieldType for $type {
            const KIND: Kind = Kind::$kind;
            fn from_json(value: &Value) -> Option<Self> {
                let from: fn(&Value) -> Option<Self> = $from;
                from(value)
            }
        }
    };
}

field_type!(String, Text, |v| v.as_str().map(str::to_owned));
field_type!(i64, Int, Value::as_i64);
field_type!(bool, Bool, Value::as_bool);
field_type!(JsonMap, Map, |v| v.as_object().cloned());
field_type!(Seconds, Seconds, |v| v.as_i64().map(|nanos| Seconds { nanos }));
field_type!(Vec<String>, TextList, |v| {
    v.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
});
field_type!(Vec<i64>, IntList, |v| v.as_array()?.iter().map(Value::as_i64).collect());
field_type!(Value, Any, |v| Some(v.clone()));
field_type!(KvPairs, KvPairs, |v| {
    let pairs = v.as_object()?.iter();
    pairs.map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect::<Option<_>>().map(KvPairs)
});

/// Converts the declared fields of `given` in place; nulls of declared fields are removed, other keys stay
/// as they came. A field that cannot be converted is the client's mistake.
pub fn convert(fields: &[FieldSpec], given: &mut JsonMap) -> Result<(), Refusal> {
    for field in fields {
        let Some(value) = given.get_mut(field.name) else { continue };
        if value.is_null() {
            given.remove(field.name);
            continue;
        }
        let converted = field.kind.convert(value).ok_or_else(|| {
            let (name, kind) = (field.name, field.kind.name());
            Refusal::bad_request(format!(
                "Field validation failed: error converting input for field \"{name}\": cannot parse value as {kind}"
            ))
        })?;
        *value = converted;
    }
    Ok(())
}

impl Kind {
    /// For error texts and the OpenAPI document's description.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Map => "map",
            Self::KvPairs => "key-value pairs",
            Self::Seconds => "duration",
            Self::TextList => "list of strings",
            Self::IntList => "list of ints",
            Self::Any => "any",
        }
    }

    /// `value` as this kind; durations become whole nanoseconds.
    fn convert(self, value: &Value) -> Option<Value> {
        match self {
            Self::Any => Some(value.clone()),
            Self::Text => text(value).map(Value::from),
            Self::Int => int(value).map(Value::from),
            Self::Bool => boolean(value).map(Value::from),
            Self::Map => value.is_object().then(|| value.clone()),
            Self::Seconds => text(value).and_then(|t| parse_duration(&t)).map(Value::from),
            Self::KvPairs => {
                let pairs = value.as_object()?.iter();
                pairs.map(|(k, v)| Some((k.clone(), Value::from(text(v)?)))).collect::<Option<JsonMap>>().map(Value::from)
            }
            Self::TextList => list(value, |item| text(item).map(Value::from)),
            Self::IntList => list(value, |item| int(item).map(Value::from)),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `1e3` and `2.0` are whole numbers too; beyond 2^53 they are not exact and are refused.
#[allow(clippy::cast_possible_truncation)] // checked on the line before
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => Some(number.as_i64()? != 0),
        Value::String(text) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn list(value: &Value, item: fn(&Value) -> Option<Value>) -> Option<Value> {
    match value {
        Value::Array(items) => items.iter().map(item).collect::<Option<Vec<_>>>().map(Value::from),
        Value::String(text) => {
            let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
            parts.map(|p| item(&Value::from(p))).collect::<Option<Vec<_>>>().map(Value::from)
        }
        Value::Object(_) => None,
        single => item(single).map(|one| Value::from(vec![one])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const N: Field<i64> = Field::new("n", "");
    const B: Field<bool> = Field::new("b", "");
    const D: Field<Seconds> = Field::new("d", "");
    const L: Field<Vec<String>> = Field::new("l", "");
    const V: Field<Vec<i64>> = Field::new("v", "");
    const M: Field<KvPairs> = Field::new("m", "");
    const ALL: &[FieldSpec] = &[N.spec(), B.spec(), D.spec(), L.spec(), V.spec(), M.spec()];

    fn given(body: Value) -> Result<JsonMap, Refusal> {
        let mut map = body.as_object().unwrap().clone();
        convert(ALL, &mut map).map(|()| map)
    }

    #[test]
    fn text_is_taken_for_what_it_says() {
        let map = given(json!({"n": "7", "b": "true", "d": "1h", "l": "a, b", "v": "2", "m": {"k": 1}})).unwrap();
        assert_eq!(N.of(&map), Some(7));
        assert_eq!(B.of(&map), Some(true));
        assert_eq!(D.of(&map).unwrap().secs(), 3600);
        assert_eq!(L.of(&map).unwrap(), ["a", "b"]);
        assert_eq!(V.of(&map).unwrap(), [2]);
        assert_eq!(M.of(&map).unwrap().0, [("k".into(), "1".into())]);
    }

    #[test]
    fn null_is_absent_and_nonsense_is_refused() {
        let map = given(json!({"n": null, "other": null})).unwrap();
        assert_eq!(N.of(&map), None);
        assert!(map.contains_key("other"));
        for body in [json!({"n": "x"}), json!({"n": 1.5}), json!({"b": "perhaps"}), json!({"d": "soon"}), json!({"v": ["x"]}), json!({"m": "x"})] {
            assert!(given(body).is_err());
        }
    }
}
