//! YAML out of JSON values. Only written, never read; what could be taken for anything but text is quoted.

use serde_json::Value;

/// The whole document.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    block(&mut out, value, 0);
    out
}

fn block(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                pad(out, indent);
                out.push_str(&text(name));
                out.push(':');
                after(out, value, indent);
            }
        }
        Value::Array(values) if !values.is_empty() => {
            for value in values {
                pad(out, indent);
                out.push('-');
                // A collection begins on the line of its dash.
                let mut inner = String::new();
                block(&mut inner, value, indent + 2);
                out.push(' ');
                out.push_str(inner.trim_start());
            }
        }
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn after(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            block(out, value, indent + 2);
        }
        // Lists stand under the first letter of their name.
        Value::Array(values) if !values.is_empty() => {
            out.push('\n');
            block(out, value, indent);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        Value::Object(_) => "{}".into(),
        Value::Array(_) => "[]".into(),
        other => other.to_string(),
    }
}

/// Bare if it can only be text; else a JSON string, which is YAML too.
fn text(value: &str) -> String {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "nan"];
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-/.@+ ".contains(c);
    let first = value.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let plain = first
        && value.chars().all(bare)
        && !value.ends_with(' ')
        && !WORDS.contains(&value.to_ascii_lowercase().as_str());
    if plain { value.to_owned() } else { Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents() {
        let value = json!({
            "data": { "n": "7", "user": "ann", "on": true, "none": null, "empty": {}, "list": ["a", { "b": 1, "c": [2] }] },
            "lease_id": "",
            "when": "2026-11-24T14:00:00Z",
        });
        let expected = "data:\n  empty: {}\n  list:\n  - a\n  - b: 1\n    c:\n    - 2\n  \"n\": \"7\"\n  none: null\n  \
                        \"on\": true\n  user: ann\nlease_id: \"\"\nwhen: \"2026-11-24T14:00:00Z\"\n";
        assert_eq!(write(&value), expected);
        assert_eq!(write(&json!(["a"])), "- a\n");
        assert_eq!(write(&json!([["a"], []])), "- - a\n- []\n");
    }

    #[test]
    fn what_is_not_plainly_text_is_quoted() {
        for text in [
            "", "1", "1e5", "0x1", "yes", "No", "null", "~", "- a", "a: b", "a #b", " a", "a ", "a\nb", "\"",
            "'", "*a", "&a", "!a", "%a", "@a", "é", ".5", "-1", "NaN",
        ] {
            assert!(write(&json!(text)).starts_with('"'), "{text}");
        }
        for text in ["ann", "secret/data/a", "a b", "s.1-2"] {
            assert_eq!(write(&json!(text)), format!("{text}\n"));
        }
    }
}
