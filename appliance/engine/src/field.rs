//! Typed fields: declared once, converted and checked before a handler runs.
//!
//! The conversions are those of Vault's field schema: numbers may come as text, durations as seconds or as
//! `1h30m`, lists as an array or as `a,b`. JSON null means absent.

mod convert;

use std::marker::PhantomData;

use serde_json::Value;
use strongroom_types::time::whole_seconds;
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
    /// Whether a body without it is refused.
    pub required: bool,
}

impl FieldSpec {
    /// Stands for every key that is not declared: in the table of an endpoint that takes any object (KV v1), so that
    /// nothing in it is unrecognized.
    pub const REST: Self = Self {
        name: "*",
        help: "Any other key, as it comes.",
        kind: Kind::Any,
        clear_in_audit: false,
        required: false,
    };

    /// Whether this is [`FieldSpec::REST`].
    pub fn is_rest(&self) -> bool {
        self.name == Self::REST.name
    }
}

/// What a field is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; numbers are taken as text, booleans as `1` and `0`.
    Text,
    /// A whole number, or text that is one; empty text is 0.
    Int,
    /// A boolean, or `true`, `false`, `1`, `0` and their like as text.
    Bool,
    /// An object.
    Map,
    /// An object whose values become text; or `k=v`, or an array of those.
    KvPairs,
    /// A duration; empty text is 0.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seconds {
    /// In nanoseconds.
    pub nanos: i64,
}

impl Seconds {
    /// Whole seconds, rounded towards zero; part of a second is a whole one, for 0 often is no limit.
    pub fn secs(self) -> i64 {
        whole_seconds(self.nanos)
    }
}

/// An object whose values are text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvPairs(pub Vec<(String, String)>);

/// The Rust types of fields.
pub trait FieldType: Sized {
    /// What the field is converted to.
    const KIND: Kind;
    /// From the converted JSON; `None` cannot happen after [`convert()`].
    fn from_json(value: &Value) -> Option<Self>;
}

impl<T: FieldType> Field<T> {
    /// Declares a field.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            spec: FieldSpec { name, help, kind: T::KIND, clear_in_audit: false, required: false },
            kind: PhantomData,
        }
    }

    /// The same field, shown in clear in the audit log.
    pub const fn clear_in_audit(mut self) -> Self {
        self.spec.clear_in_audit = true;
        self
    }

    /// The same field, without which the body is refused. The handler refuses, in its own words; documents and tests
    /// read it here.
    pub const fn required(mut self) -> Self {
        self.spec.required = true;
        self
    }

    /// For a route table.
    pub const fn spec(&self) -> FieldSpec {
        self.spec
    }

    /// The field's value in `fields`, which [`convert()`] has made; `None` if absent or null.
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
    for field in fields.iter().filter(|field| !field.is_rest()) {
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
        let map =
            given(json!({"n": "7", "b": "true", "d": "1h", "l": "a, b", "v": "2", "m": {"k": 1}})).unwrap();
        assert_eq!(N.of(&map), Some(7));
        assert_eq!(B.of(&map), Some(true));
        assert_eq!(D.of(&map).unwrap().secs(), 3600);
        assert_eq!(L.of(&map).unwrap(), ["a", "b"]);
        assert_eq!(V.of(&map).unwrap(), [2]);
        assert_eq!(M.of(&map).unwrap().0, [("k".into(), "1".into())]);
    }

    #[test]
    fn every_form_that_clients_send_is_taken() {
        let map =
            given(json!({"n": "", "b": 1, "d": "", "l": 3, "v": [1, "2"], "m": ["a=1", "b=x=y"]})).unwrap();
        assert_eq!(N.of(&map), Some(0));
        assert_eq!(B.of(&map), Some(true));
        assert_eq!(D.of(&map).unwrap().nanos, 0);
        assert_eq!(L.of(&map).unwrap(), ["3"]);
        assert_eq!(V.of(&map).unwrap(), [1, 2]);
        assert_eq!(M.of(&map).unwrap().0, [("a".into(), "1".into()), ("b".into(), "x=y".into())]);
        let map = given(json!({"n": true, "b": "", "d": 90, "l": "", "v": 7, "m": "a=b"})).unwrap();
        assert_eq!(N.of(&map), Some(1));
        assert_eq!(B.of(&map), Some(false));
        assert_eq!(D.of(&map).unwrap().secs(), 90);
        assert_eq!(L.of(&map).unwrap(), Vec::<String>::new());
        assert_eq!(V.of(&map).unwrap(), [7]);
        assert_eq!(M.of(&map).unwrap().0, [("a".into(), "b".into())]);
    }

    #[test]
    fn numbers_are_not_rounded() {
        let map = given(json!({"n": 9_007_199_254_740_993_i64})).unwrap();
        assert_eq!(N.of(&map), Some(9_007_199_254_740_993));
        let exact: JsonMap = serde_json::from_str(r#"{"n": 2.0, "d": 1e3}"#).unwrap();
        let map = given(Value::from(exact)).unwrap();
        assert_eq!(N.of(&map), Some(2));
        assert_eq!(D.of(&map).unwrap().secs(), 1000);
        for body in [r#"{"n": 9007199254740993.0}"#, r#"{"n": 1e30}"#, r#"{"n": 99999999999999999999}"#] {
            assert!(given(serde_json::from_str(body).unwrap()).is_err(), "{body}");
        }
    }

    #[test]
    fn null_is_absent_and_nonsense_is_refused() {
        let map = given(json!({"n": null, "other": null})).unwrap();
        assert_eq!(N.of(&map), None);
        assert!(map.contains_key("other"));
        for body in [
            json!({"n": "x"}),
            json!({"n": 1.5}),
            json!({"n": [1]}),
            json!({"b": "perhaps"}),
            json!({"d": "soon"}),
            json!({"d": true}),
            json!({"l": {}}),
            json!({"l": [[]]}),
            json!({"v": ["x"]}),
            json!({"m": "x"}),
            json!({"m": {"k": []}}),
        ] {
            assert!(given(body).is_err());
        }
    }
}
