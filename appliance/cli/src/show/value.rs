//! Single values, as the `vault` command prints them.

use serde_json::Value;
use strongroom_types::time::format_duration;

/// A value as text: lists are `[a b]`, maps `map[k:v]`, null `<nil>`.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => value.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name}:{}", plain(value))).collect();
            format!("map[{}]", members.join(" "))
        }
    }
}

/// A value as a cell of a table; what is empty is `n/a`.
pub fn cell(value: &Value) -> String {
    match plain(value) {
        text if text.is_empty() => "n/a".into(),
        text => text,
    }
}

/// The value of `name` as a cell: seconds of what is called a period, a ttl or a duration are written as one.
pub fn named_cell(name: &str, value: &Value) -> String {
    let is_time = ["period", "ttl", "duration"]
        .iter()
        .any(|word| name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')));
    match value.as_i64() {
        Some(seconds) if is_time || matches!(name, "lease_max" | "ttl_max") => duration(seconds),
        _ => cell(value),
    }
}

/// Seconds as people write them: `768h`, `1h30m`, `10m`, `0s`.
pub fn duration(seconds: i64) -> String {
    let text = format_duration(seconds.saturating_mul(1_000_000_000));
    let text = text.strip_suffix("m0s").map(|rest| format!("{rest}m")).unwrap_or(text);
    text.strip_suffix("h0m").map(|rest| format!("{rest}h")).unwrap_or(text)
}

/// Texts as `["a" "b"]`, as policies are printed.
pub fn quoted(value: &Value) -> String {
    let texts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<_> = texts.iter().map(|text| format!("{:?}", plain(text))).collect();
    format!("[{}]", texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_printed_as_go_prints_them() {
        assert_eq!(
            plain(&json!({ "b": [true, null, "x"], "a": { "n": 1 } })),
            "map[a:map[n:1] b:[true <nil> x]]"
        );
        assert_eq!(plain(&serde_json::from_str("9007199254740993").unwrap()), "9007199254740993");
        assert_eq!((cell(&json!("")).as_str(), cell(&Value::Null).as_str()), ("n/a", "<nil>"));
        assert_eq!(quoted(&json!(["default", "dev"])), "[\"default\" \"dev\"]");
        assert_eq!(quoted(&Value::Null), "[]");
    }

    #[test]
    fn durations_are_short() {
        for (seconds, text) in [
            (0, "0s"),
            (600, "10m"),
            (3600, "1h"),
            (5400, "1h30m"),
            (2_764_800, "768h"),
            (61, "1m1s"),
            (3661, "1h1m1s"),
            (3601, "1h0m1s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(named_cell("creation_ttl", &json!(3600)), "1h");
        assert_eq!(named_cell("ttl", &json!(3600)), "1h");
        assert_eq!(named_cell("battle", &json!(3600)), "3600");
        assert_eq!(named_cell("wattl", &json!(3600)), "3600");
        assert_eq!(named_cell("lease_max", &json!("30m")), "30m");
    }
}
