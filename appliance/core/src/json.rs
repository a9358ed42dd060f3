//! JSON from clients: bounded before it is parsed.

use strongroom_types::JsonMap;

/// How much JSON a request may hold. Counted on the bytes, before anything is allocated for them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Nested objects and arrays.
    pub depth: usize,
    /// Members of objects and elements of arrays, in all.
    pub members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, members: 100_000 }
    }
}

/// Why bytes are no object; all are the client's to mend.
#[derive(Debug, PartialEq, Eq)]
pub enum JsonError {
    /// Past a limit, which the text names.
    TooLarge(&'static str),
    /// Not JSON.
    Syntax,
    /// JSON, but no object.
    NotAnObject,
}

/// The object in `bytes`; no bytes (or white space only) are an empty one. JSON null is one too.
pub fn object(bytes: &[u8], limits: &Limits) -> Result<JsonMap, JsonError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(JsonMap::new());
    }
    measure(bytes, limits)?;
    match serde_json::from_slice(bytes).map_err(|_| JsonError::Syntax)? {
        serde_json::Value::Object(map) => Ok(map),
        serde_json::Value::Null => Ok(JsonMap::new()),
        _ => Err(JsonError::NotAnObject),
    }
}

fn measure(bytes: &[u8], limits: &Limits) -> Result<(), JsonError> {
    let (mut depth, mut members, mut rest) = (0usize, 0usize, bytes);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = behind_text(rest),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => members += 1,
            _ => {}
        }
        if depth > limits.depth {
            return Err(JsonError::TooLarge("too many levels"));
        }
        if members > limits.members {
            return Err(JsonError::TooLarge("too many members"));
        }
    }
    Ok(())
}

/// What follows the text that `bytes` begins within: texts are most of a body, and are passed over in runs.
fn behind_text(mut bytes: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', bytes) {
        let is_escape = bytes.get(at) == Some(&b'\\');
        bytes = bytes.get(at + 1 + usize::from(is_escape)..).unwrap_or_default();
        if !is_escape {
            return bytes;
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_outside_of_texts() {
        let limits = Limits { depth: 2, members: 3 };
        assert!(object(br#"{"a": "[[[[,,,,,,\"[["}"#, &limits).is_ok());
        assert_eq!(object(br#"{"a": [[1]]}"#, &limits), Err(JsonError::TooLarge("too many levels")));
        assert_eq!(object(b"[1,2,3,4,5]", &limits), Err(JsonError::TooLarge("too many members")));
        assert_eq!(object(b"[1]", &limits), Err(JsonError::NotAnObject));
        assert_eq!(object(b"{not", &limits), Err(JsonError::Syntax));
        assert_eq!(object(b" \n", &limits), Ok(JsonMap::new()));
    }

    #[test]
    fn a_hundred_thousand_brackets_do_no_harm() {
        assert!(object(&b"[".repeat(100_000), &Limits::default()).is_err());
        assert!(object(&b"{\"a\":".repeat(100_000), &Limits::default()).is_err());
    }
}
