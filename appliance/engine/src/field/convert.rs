//! What clients write for a value of each kind, and what it becomes.

use serde_json::Value;
use strongroom_types::JsonMap;
use strongroom_types::time::parse_duration;

use super::Kind;

impl Kind {
    /// `value` as this kind; durations become whole nanoseconds. `None` if it cannot be.
    pub fn convert(self, value: &Value) -> Option<Value> {
        match self {
            Self::Any => Some(value.clone()),
            Self::Text => text(value).map(Value::from),
            Self::Int => int(value).map(Value::from),
            Self::Bool => boolean(value).map(Value::from),
            Self::Map => value.is_object().then(|| value.clone()),
            Self::Seconds => duration(value).map(Value::from),
            Self::KvPairs => pairs(value).map(Value::from),
            Self::TextList => list(value, |item| text(item).map(Value::from)),
            Self::IntList => list(value, |item| int(item).map(Value::from)),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(if *truth { "1" } else { "0" }.to_owned()),
        _ => None,
    }
}

/// In nanoseconds. A bare number counts seconds.
fn duration(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => parse_duration(text),
        Value::Number(_) => int(value)?.checked_mul(1_000_000_000),
        _ => None,
    }
}

fn pairs(value: &Value) -> Option<JsonMap> {
    match value {
        Value::Object(map) => map.iter().map(|(k, v)| Some((k.clone(), Value::from(text(v)?)))).collect(),
        Value::Array(items) => items.iter().map(|item| pair(item.as_str()?)).collect(),
        Value::String(text) => [pair(text)].into_iter().collect(),
        _ => None,
    }
}

/// `k=v`.
fn pair(text: &str) -> Option<(String, Value)> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), Value::from(value)))
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(truth) => Some(i64::from(*truth)),
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
