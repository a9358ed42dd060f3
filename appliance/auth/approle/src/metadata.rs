//! The metadata of a secret-id, as clients send it: text.

use data_encoding::BASE64;
use strongroom_engine::{Field, JsonMap, KvPairs, Refusal};

/// Bytes of all keys and values: they stand in every token and in the audit log.
const MOST: usize = 16 * 1024;

const PAIRS: Field<KvPairs> = Field::new("metadata", "");

/// From a JSON object, the same in Base64, or `key=value,key=value`. Values become text.
pub fn parse(text: &str) -> Result<JsonMap, Refusal> {
    let text = text.trim();
    let pairs = json(text.as_bytes())
        .or_else(|| json(&BASE64.decode(text.as_bytes()).ok()?))
        .or_else(|| lines(text))
        .ok_or_else(|| {
            Refusal::bad_request(
                "failed to parse metadata: it must be a JSON object of strings, or key=value,key=value",
            )
        })?;
    if pairs.iter().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum::<usize>() > MOST {
        return Err(Refusal::bad_request("the metadata is too long: 16 KiB at most"));
    }
    Ok(pairs)
}

fn json(text: &[u8]) -> Option<JsonMap> {
    let value: serde_json::Value = serde_json::from_slice(text).ok().filter(serde_json::Value::is_object)?;
    PAIRS.spec().kind.convert(&value)?.as_object().cloned()
}

fn lines(text: &str) -> Option<JsonMap> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().into())).filter(|(key, _)| !key.is_empty())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_form_that_clients_send_is_taken() {
        let is = |text: &str, wanted: Value| assert_eq!(Value::from(parse(text).unwrap()), wanted, "{text}");
        is("", json!({}));
        is(r#"{"a": "1", "b": 2, "c": true}"#, json!({"a": "1", "b": "2", "c": "1"}));
        is(&BASE64.encode(br#"{"a": "1"}"#), json!({"a": "1"}));
        is("a=1, b = x=y", json!({"a": "1", "b": "x=y"}));
        for text in ["x", "=1", r#"{"a": []}"#, "[1]", "a=1,x"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("a={}", "x".repeat(MOST))).is_err());
    }
}
