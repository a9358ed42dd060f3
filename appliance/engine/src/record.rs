//! Records: one byte that names their shape, then JSON.
//!
//! An engine whose records change gives the new shape a new number and reads both.

use std::io::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_barrier::{Entry, Name, Write};
use strongroom_types::{Operation, Refusal, Secret, SecretWriter};

use crate::{Call, Cx};

/// The name `prefix`, then the segments of the canonical path `path`. One that is too long to be stored is the
/// client's mistake.
pub fn name(prefix: &str, path: &str) -> Result<Name, Refusal> {
    Name::below(prefix, path).map_err(|error| Refusal::bad_request(error.to_string()))
}

/// The record of `value` in shape `shape`.
pub fn encode<T: Serialize>(shape: u8, value: &T) -> Result<Secret, Refusal> {
    // Most records are smaller than this: they need not grow.
    let mut record = SecretWriter::with_capacity(512);
    record.write_all(&[shape]).map_err(Refusal::fault)?;
    serde_json::to_writer(&mut record, value).map_err(Refusal::fault)?;
    Ok(record.finish())
}

/// The value of a record in shape `shape`. Any other shape is a fault of ours, or of a newer Strongroom.
pub fn decode<T: DeserializeOwned>(shape: u8, entry: &Entry) -> Result<T, Refusal> {
    decode_any(&[shape], entry)
}

/// The value of a record in any of `shapes`, all of which `T` reads.
pub fn decode_any<T: DeserializeOwned>(shapes: &[u8], entry: &Entry) -> Result<T, Refusal> {
    match entry.value.expose().split_first() {
        Some((found, json)) if shapes.contains(found) => serde_json::from_slice(json).map_err(|error| {
            // The error's own text may quote the record.
            Refusal::fault(format_args!(
                "a record is not what it should be (line {}, column {})",
                error.line(),
                error.column()
            ))
        }),
        Some((found, _)) => Err(Refusal::fault(format_args!(
            "a record has the unknown shape {found}: a newer Strongroom wrote it"
        ))),
        None => Err(Refusal::fault("a record is empty")),
    }
}

/// Puts `value` at `name`, whatever is there; but what was asked for as a create replaces nothing: if something has come
/// there meanwhile, the request is checked once more, as an update.
pub fn replace(cx: &Cx, call: &Call, name: Name, value: Secret) -> Result<Write, Refusal> {
    let makes = call.operation == Operation::Create && cx.get(&name)?.is_none();
    let write = Write::put(name, value);
    Ok(if makes { write.if_unchanged(None) } else { write })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use strongroom_types::JsonMap;

    fn entry(bytes: &[u8]) -> Entry {
        Entry { value: Secret::copy_of(bytes), revision: Default::default() }
    }

    #[test]
    fn numbers_come_back_as_they_were_written() {
        let text = r#"{"a":9007199254740993,"b":1.0,"c":1e400,"d":123456789012345678901234567890}"#;
        let map: JsonMap = serde_json::from_str(text).unwrap();
        let record = encode(1, &map).unwrap();
        assert_eq!(&record.expose()[1..], text.replace("1e400", "1e+400").as_bytes());
        assert_eq!(decode::<JsonMap>(1, &entry(record.expose())).unwrap(), map);
    }

    #[test]
    fn a_record_of_another_shape_is_a_fault_that_tells_no_secret() {
        for bytes in [&b""[..], b"\x02{}", b"\x01{\"canary\": can", b"\x01\"canary\""] {
            let refusal = decode::<JsonMap>(1, &entry(bytes)).map(|_| ()).unwrap_err();
            assert_eq!(refusal.message, "internal error");
            assert!(!refusal.cause.unwrap().contains("canary"));
        }
        assert_eq!(decode::<Value>(1, &entry(b"\x01{}")).unwrap(), json!({}));
    }

    #[test]
    fn names_that_are_too_long_are_refused() {
        assert!(name("data", &"a/".repeat(300)).is_err());
        assert_eq!(name("data", "a/b").unwrap().segments(), ["data", "a", "b"]);
    }
}
