//! Data from the command line: `key=value`, `key=@file`, `key=-`, `@file.json`, `-`.

use serde_json::Value;
use strongroom_types::{JsonMap, Secret};

use crate::io::Io;
use crate::verb::Failure;

/// The object that `arguments` describe, in order; a key that comes twice becomes a list.
pub fn object(arguments: &[String], io: &mut Io) -> Result<JsonMap, Failure> {
    let mut out = JsonMap::new();
    for argument in arguments {
        if argument == "-" {
            let text = io.read_stdin().map_err(|e| Failure::local(format!("Failed to read stdin: {e}")))?;
            merge(&mut out, &text, "stdin")?;
        } else if let Some(file) = argument.strip_prefix('@') {
            let text =
                io.read_file(file).map_err(|e| Failure::local(format!("Failed to read {file}: {e}")))?;
            merge(&mut out, &text, file)?;
        } else {
            let (key, value) = pair(argument)?;
            let value = value_of(key, value, io)?;
            insert(&mut out, key, Value::String(value));
        }
    }
    Ok(out)
}

fn pair(argument: &str) -> Result<(&str, &str), Failure> {
    let pair = argument.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.ok_or_else(|| {
        Failure::local(format!(
            "Failed to parse K=V data: invalid key/value pair \"{argument}\": format must be key=value"
        ))
    })
}

/// `@file` is what the file holds, `-` what stdin holds, `\@` an at sign.
fn value_of(key: &str, value: &str, io: &mut Io) -> Result<String, Failure> {
    let bytes = if value == "-" {
        io.read_stdin()
            .map_err(|e| Failure::local(format!("Failed to read the value of {key} from stdin: {e}")))?
    } else if let Some(file) = value.strip_prefix('@') {
        io.read_file(file)
            .map_err(|e| Failure::local(format!("Failed to read the value of {key} from {file}: {e}")))?
    } else {
        return Ok(value.strip_prefix('\\').filter(|rest| rest.starts_with('@')).unwrap_or(value).to_owned());
    };
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| {
        Failure::local(format!("the value of {key} is not UTF-8 text: encode it, for example as base64"))
    })
}

fn insert(out: &mut JsonMap, key: &str, value: Value) {
    match out.get_mut(key) {
        None => {
            out.insert(key.to_owned(), value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(one) => *one = Value::Array(vec![one.take(), value]),
    }
}

/// The members of a JSON object. Its text is never repeated in an error: it may hold secrets.
fn merge(out: &mut JsonMap, text: &[u8], from: &str) -> Result<(), Failure> {
    let value: Value = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::local(format!("Failed to parse K=V data: {from} is not JSON (line {line}, column {column})"))
    })?;
    let Value::Object(members) = value else {
        return Err(Failure::local(format!("Failed to parse K=V data: the JSON in {from} is not an object")));
    };
    out.extend(members);
    Ok(())
}

/// Overwrites the texts of a body that has been sent.
pub fn wipe(body: Value) {
    if let Value::Object(members) = body {
        for value in members.into_values() {
            if let Value::String(text) = value {
                drop(Secret::from(text));
            }
        }
    }
}
