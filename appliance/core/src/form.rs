//! A body of HTML's forms, which old scripts send instead of JSON.

use serde_json::Value;
use strongroom_types::error::Kind;
use strongroom_types::path::parse_query;
use strongroom_types::{JsonMap, Refusal, Secret};

use crate::json;

const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a body is a form. Its content type alone does not say so: curl says it of any JSON that it is given.
pub fn is_form(content_type: Option<&str>, raw: &Secret) -> bool {
    let first = raw.expose().iter().find(|byte| !byte.is_ascii_whitespace());
    content_type == Some(FORM) && first.is_some_and(|byte| !matches!(byte, b'{' | b'['))
}

/// The fields of a form. A name that comes more than once has all its values, with commas between them.
pub fn fields(raw: &Secret, limits: &json::Limits) -> Result<JsonMap, Refusal> {
    let wrong = || Refusal::bad_request("error parsing form data: it is not valid percent-encoded UTF-8");
    let text = raw.expose_str().ok_or_else(wrong)?;
    if text.bytes().filter(|byte| *byte == b'&').count() > limits.members {
        return Err(Refusal::new(Kind::TooLarge, "the form has too many members"));
    }
    let mut fields = JsonMap::new();
    for (name, value) in parse_query(text.trim_ascii()).map_err(|_| wrong())? {
        match fields.get_mut(&name) {
            Some(Value::String(before)) => {
                before.push(',');
                before.push_str(&value);
            }
            _ => drop(fields.insert(name, value.into())),
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, Refusal> {
        fields(&Secret::copy_of(text.as_bytes()), &json::Limits { depth: 1, members: 3 }).map(Value::Object)
    }

    #[test]
    fn a_form_is_told_from_json_that_curl_sends() {
        for (kind, body, expected) in [
            (Some(FORM), "a=1", true),
            (Some(FORM), "  {\"a\": 1}", false),
            (Some(FORM), "[1]", false),
            (Some(FORM), "", false),
            (Some("application/json"), "a=1", false),
            (Some("text/plain"), "a=1", false),
            (None, "a=1", false),
        ] {
            assert_eq!(is_form(kind, &Secret::copy_of(body.as_bytes())), expected, "{kind:?} {body}");
        }
    }

    #[test]
    fn fields_of_forms() {
        assert_eq!(read("a=1&b=x+y%20z&c").unwrap(), json!({ "a": "1", "b": "x y z", "c": "" }));
        assert_eq!(read("policies=a&policies=b").unwrap(), json!({ "policies": "a,b" }));
        assert_eq!(read("a=%7B%22x%22%3A1%7D\n").unwrap(), json!({ "a": "{\"x\":1}" }));
        for wrong in ["a=%", "a=%zz", "a=%ff"] {
            assert_eq!(read(wrong).unwrap_err().kind, Kind::BadRequest, "{wrong}");
        }
        assert_eq!(read("a&b&c&d&e").unwrap_err().kind, Kind::TooLarge);
    }
}
