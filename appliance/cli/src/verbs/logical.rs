//! `read`, `write`, `patch`, `delete`, `list`, `scan`: any path, as it is.

use serde_json::{Value, json};

use super::{BASE, FIELD, FORMAT, HTTP, PAGE};
use crate::args::{Flag, Kind};
use crate::client::{Ask, Client};
use crate::input;
use crate::secret::Secret;
use crate::show::{self, Format, cell, columns};
use crate::verb::{Call, Failure, First, REMOTE, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["read"],
        about: "Read what is at a path",
        takes: "PATH [KEY=VALUE...]",
        example: "read secret/data/app",
        first: First::Path,
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD],
        raw: true,
        run: read,
    },
    Verb {
        words: &["write"],
        about: "Write data to a path",
        takes: "PATH [KEY=VALUE...]",
        example: "write cubbyhole/note text=@note.txt",
        first: First::Path,
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, FORCE],
        run: write,
        ..BASE
    },
    Verb {
        words: &["patch"],
        about: "Change some of the data at a path",
        takes: "PATH [KEY=VALUE...]",
        example: "patch secret/data/app @changes.json",
        first: First::Path,
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, FORCE],
        run: patch,
        ..BASE
    },
    Verb {
        words: &["delete"],
        about: "Delete what is at a path",
        takes: "PATH [KEY=VALUE...]",
        example: "delete cubbyhole/note",
        first: First::Path,
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD],
        run: delete,
        ..BASE
    },
    Verb {
        words: &["list"],
        about: "List the names below a path",
        takes: "PATH",
        example: "list secret/metadata",
        first: First::Path,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, PAGE],
        run: list,
        ..BASE
    },
    Verb {
        words: &["scan"],
        about: "List all names below a path, those in folders too",
        takes: "PATH",
        example: "scan secret/metadata",
        first: First::Path,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, PAGE],
        run: scan,
        ..BASE
    },
];

/// What lets a write go without data.
const FORCE: &[Flag] = &[Flag { names: &["force", "f"], kind: Kind::Bool, about: "Write without any data" }];

pub fn read(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = call.path(0);
    let query = input::object(call.arguments.get(1..).unwrap_or_default(), call.io)?;
    let query = query.iter().map(|(name, value)| (name.clone(), show::plain(value))).collect();
    let client = call.client()?;
    let ask = Ask { query, ..Ask::get(&path) };
    let what = format!("Error reading {path}");
    let answer = client.find(&ask).map_err(|cause| Failure::during(&what, &cause))?;
    if call.format == Format::Raw && call.flags.text("field").is_none() {
        return match answer.status {
            404 => Err(show::nothing(&path)),
            _ => {
                call.io.say_raw(&String::from_utf8_lossy(&answer.body));
                Ok(0)
            }
        };
    }
    let secret = Secret::of(&answer).map_err(|cause| Failure::during(&what, &cause))?;
    let secret = secret.ok_or_else(|| show::nothing(&path))?;
    show::whole_or_field(call, &secret)
}

pub fn write(call: &mut Call<'_>) -> Result<u8, Failure> {
    change(call, "PUT")
}

pub fn patch(call: &mut Call<'_>) -> Result<u8, Failure> {
    change(call, "PATCH")
}

fn change(call: &mut Call<'_>, method: &'static str) -> Result<u8, Failure> {
    let path = call.path(0);
    let given = call.arguments.get(1..).unwrap_or_default();
    if given.is_empty() && !call.flags.on("force") {
        return Err(Failure::local("Must supply data or use -force"));
    }
    let data = Value::Object(input::object(given, call.io)?);
    let client = call.client()?;
    let ask = Ask { method, ..Ask::put(&path, &data) };
    let what = format!("Error writing data to {path}");
    let secret = Secret::ask(&client, &what, &ask)?;
    written(call, &path, secret)
}

/// What came back from a write that may answer nothing.
pub fn written(call: &mut Call<'_>, path: &str, secret: Option<Secret>) -> Result<u8, Failure> {
    let Some(secret) = secret else {
        if let Some(name) = call.flags.text("field") {
            return Err(Failure::local(format!("Field \"{name}\" not present in secret")));
        }
        if call.format == Format::Table {
            call.io.say(&format!("Success! Data written to: {path}"));
        }
        return Ok(0);
    };
    if call.format == Format::Table && call.flags.text("field").is_none() && is_bare(&secret) {
        show::warnings(call.io, &secret);
        call.io.say(&format!("Success! Data written to: {path}"));
        return Ok(0);
    }
    show::whole_or_field(call, &secret)
}

/// Nothing in it but warnings.
fn is_bare(secret: &Secret) -> bool {
    [&secret.data, &secret.auth, &secret.wrap_info].iter().all(|part| part.is_null())
}

pub fn delete(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = call.path(0);
    let query = input::object(call.arguments.get(1..).unwrap_or_default(), call.io)?;
    let query = query.iter().map(|(name, value)| (name.clone(), show::plain(value))).collect();
    let client = call.client()?;
    let ask = Ask { query, ..Ask::delete(&path) };
    deleted(call, &client, &ask, &path)
}

/// Sends a deletion; what was not there is deleted as well.
pub fn deleted(call: &mut Call<'_>, client: &Client, ask: &Ask<'_>, path: &str) -> Result<u8, Failure> {
    let what = format!("Error deleting {path}");
    match Secret::ask(client, &what, ask)? {
        Some(secret) if !is_bare(&secret) || call.format != Format::Table => {
            show::whole_or_field(call, &secret)
        }
        found => {
            if call.format == Format::Table {
                found.iter().for_each(|secret| show::warnings(call.io, secret));
                call.io.say(&format!("Success! Data deleted (if it existed) at: {path}"));
            }
            Ok(0)
        }
    }
}

pub fn list(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = call.path(0);
    let client = call.client()?;
    names(call, &client, &path, "list")
}

pub fn scan(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = call.path(0);
    let client = call.client()?;
    names(call, &client, &path, "scan")
}

/// Lists (or scans) and prints the names.
pub fn names(call: &mut Call<'_>, client: &Client, path: &str, how: &str) -> Result<u8, Failure> {
    let mut query = vec![(how.to_owned(), "true".to_owned())];
    for name in ["after", "limit"] {
        query.extend(call.flags.text(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    let what = format!("Error {how}ing {path}");
    let what = what.replace("scaning", "scanning");
    let secret = Secret::find(client, &what, &Ask { query, ..Ask::get(path) })?;
    let Some(keys) = secret.as_ref().and_then(|secret| secret.get("keys")).and_then(Value::as_array) else {
        if let Some(wrapped) = secret.filter(|secret| !secret.wrap_info.is_null()) {
            return show::secret(call.io, call.format, &wrapped);
        }
        if call.format == Format::Table {
            return Err(show::nothing(path));
        }
        show::document(call.io, call.format, &json!({}))?;
        return Ok(REMOTE);
    };
    if call.format != Format::Table {
        match secret.as_ref().filter(|_| call.flags.on("detailed")) {
            Some(secret) => show::document(call.io, call.format, &secret.data)?,
            None => show::document(call.io, call.format, keys)?,
        }
        return Ok(0);
    }
    if let Some(secret) = &secret {
        show::warnings(call.io, secret);
        let details = secret.get("key_info").filter(|_| call.flags.on("detailed"));
        call.io.say(&table(keys, details));
    }
    Ok(0)
}

/// The names, and a column for each detail that any of them has.
fn table(keys: &[Value], details: Option<&Value>) -> String {
    let of = |key: &Value| details?.get(key.as_str()?)?.as_object();
    let mut header: Vec<&str> =
        keys.iter().filter_map(of).flat_map(|about| about.keys()).map(String::as_str).collect();
    header.sort_unstable();
    header.dedup();
    let rows: Vec<Vec<String>> = keys
        .iter()
        .map(|key| {
            let about = of(key);
            let cells =
                header.iter().map(|name| about.and_then(|about| about.get(*name)).map_or("n/a".into(), cell));
            std::iter::once(show::plain(key)).chain(cells).collect()
        })
        .collect();
    header.insert(0, "Keys");
    columns(&header, &rows)
}
