//! `policy`: who may do what.

use serde_json::{Value, json};

use super::{BASE, FORMAT, HTTP, policy_fmt};
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::{self, Format, plain};
use crate::verb::{Call, Failure, First, REMOTE, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["policy", "write"],
        about: "Write a policy from a file, or from stdin for -",
        takes: "NAME FILE | NAME -",
        example: "policy write app app.hcl",
        first: First::Policy,
        min: 2,
        max: Some(2),
        flags: &[HTTP, FORMAT, WRITE],
        run: write,
        ..BASE
    },
    Verb {
        words: &["policy", "read"],
        about: "Print a policy",
        takes: "NAME",
        example: "policy read app",
        first: First::Policy,
        min: 1,
        max: Some(1),
        run: read,
        ..BASE
    },
    Verb {
        words: &["policy", "list"],
        about: "List the policies",
        example: "policy list",
        run: list,
        ..BASE
    },
    Verb {
        words: &["policy", "delete"],
        about: "Delete a policy: tokens that have it may do less from then on",
        takes: "NAME",
        example: "policy delete app",
        first: First::Policy,
        min: 1,
        max: Some(1),
        run: delete,
        ..BASE
    },
    Verb {
        words: &["policy", "fmt"],
        about: "Bring the text of a policy's file into its usual form",
        takes: "FILE",
        example: "policy fmt app.hcl",
        min: 1,
        max: Some(1),
        flags: &[],
        run: policy_fmt::run,
        ..BASE
    },
];

const WRITE: &[Flag] = &[
    Flag { names: &["expiration"], kind: Kind::Text, about: "When it ends: 2030-01-01T00:00:00Z" },
    Flag { names: &["ttl"], kind: Kind::Duration, about: "After how long it ends" },
    Flag {
        names: &["cas"],
        kind: Kind::Number,
        about: "Only if it has this version; -1: only if there is none",
    },
    Flag { names: &["cas-required"], kind: Kind::Bool, about: "From now on every write must name a version" },
];

/// The name as the server has it; a person who typed it otherwise is told.
fn name(call: &mut Call<'_>) -> String {
    let given = call.argument(0).trim().to_owned();
    let name = given.to_lowercase();
    if name != given {
        call.io.error(&format!("Policy name was converted from \"{given}\" to \"{name}\""));
    }
    name
}

fn write(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let file = call.argument(1).to_owned();
    let text = match file.trim() {
        "-" => call.io.read_stdin(),
        path => call.io.read_file(path),
    };
    let text = text.map_err(|error| Failure::remote(format!("Error opening policy file {file}: {error}")))?;
    let text = std::str::from_utf8(&text)
        .map_err(|_| Failure::remote(format!("Error reading policy: {file} is not UTF-8 text")))?;
    let name = name(call);
    let mut body = call.flags.body(WRITE);
    body.insert("policy".into(), text.into());
    let (path, body) = (format!("sys/policies/acl/{name}"), Value::Object(body));
    let answer = Secret::ask(&client, "Error uploading policy", &Ask::put(&path, &body))?;
    answer.iter().for_each(|secret| show::warnings(call.io, secret));
    call.io.say(&format!("Success! Uploaded policy: {name}"));
    Ok(0)
}

fn read(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let name = name(call);
    let path = format!("sys/policies/acl/{name}");
    let found = Secret::find(&client, &format!("Error reading policy named {name}"), &Ask::get(&path))?;
    let text = found.as_ref().and_then(|found| found.get("policy")).and_then(Value::as_str);
    let text = text.ok_or_else(|| Failure::remote(format!("No policy named: {name}")))?;
    match call.format {
        Format::Table => call.io.say(text.trim()),
        format => show::document(call.io, format, &json!({ "policy": text }))?,
    }
    Ok(0)
}

fn list(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let found = Secret::find(&client, "Error listing policies", &Ask::list("sys/policies/acl"))?;
    let names = found.as_ref().and_then(|found| found.get("keys")).and_then(Value::as_array);
    match (call.format, names) {
        (Format::Table, None) => return Err(Failure::remote("No policies found")),
        (Format::Table, Some(names)) => names.iter().for_each(|name| call.io.say(&plain(name))),
        (format, None) => {
            show::document(call.io, format, &json!({}))?;
            return Ok(REMOTE);
        }
        (format, Some(names)) => show::document(call.io, format, names)?,
    }
    Ok(0)
}

fn delete(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let name = name(call);
    let path = format!("sys/policies/acl/{name}");
    Secret::ask(&client, &format!("Error deleting {name}"), &Ask::delete(&path))?;
    call.io.say(&format!("Success! Deleted policy: {name}"));
    Ok(0)
}
