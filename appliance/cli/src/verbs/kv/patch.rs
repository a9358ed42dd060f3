//! `kv patch` and `kv rollback`: a new version out of an old one.

use serde_json::{Value, json};
use strongroom_types::JsonMap;

use super::data;
use super::place::Place;
use crate::args::{Flag, Kind};
use crate::client::{Ask, Client, ClientError};
use crate::input;
use crate::secret::Secret;
use crate::show;
use crate::verb::{Call, Failure};

/// The flags of `patch`.
pub const PATCH: &[Flag] = &[
    Flag {
        names: &["method"],
        kind: Kind::Text,
        about: "patch: one request that needs the capability patch; rw: a read and a write (patch, else rw)",
    },
    Flag { names: &["remove-data"], kind: Kind::Many, about: "A key to take away; may come more than once" },
];

/// The flags of `rollback`.
pub const ROLLBACK: &[Flag] =
    &[Flag { names: &["version"], kind: Kind::Number, about: "The version to bring back" }];

pub fn patch(call: &mut Call<'_>) -> Result<u8, Failure> {
    let given = call.arguments.get(1..).unwrap_or_default();
    let mut changes = input::object(given, call.io)?;
    for key in call.flags.all("remove-data").iter().flat_map(|list| list.split(',')) {
        changes.insert(key.trim().to_owned(), Value::Null);
    }
    if changes.is_empty() {
        return Err(Failure::local("Must supply data"));
    }
    let client = call.client()?;
    let place = Place::find(call, &client)?;
    if !place.versions {
        return Err(Failure::remote("K/V engine mount must be version 2 for patch support"));
    }
    let path = place.path("data");
    match call.flags.text("method").unwrap_or_default() {
        "rw" => by_read_and_write(call, &client, &path, changes),
        method @ ("" | "patch") => by_patch(call, &client, &path, changes, method.is_empty()),
        method => Err(Failure::local(format!("Unknown method: {method}: it is patch or rw"))),
    }
}

/// One request. A server without PATCH, or a token without the capability, makes it two where that is allowed.
fn by_patch(
    call: &mut Call<'_>,
    client: &Client,
    path: &str,
    changes: JsonMap,
    otherwise: bool,
) -> Result<u8, Failure> {
    let body = data::versioned(changes.clone(), call.flags.number("cas"));
    let what = format!("Error writing data to {path}");
    match client.ask(&Ask { method: "PATCH", ..Ask::put(path, &body) }) {
        Err(ClientError::Refused(refused)) if refused.status == 404 => Err(show::nothing(path)),
        Err(ClientError::Refused(refused)) if otherwise && matches!(refused.status, 403 | 405) => {
            by_read_and_write(call, client, path, changes)
        }
        answer => {
            let secret = answer.and_then(|answer| Secret::of(&answer));
            let secret = secret.map_err(|cause| Failure::during(&what, &cause))?;
            data::written(call, path, secret)
        }
    }
}

fn by_read_and_write(
    call: &mut Call<'_>,
    client: &Client,
    path: &str,
    changes: JsonMap,
) -> Result<u8, Failure> {
    let (mut data, newest) = version(client, path, None)?.ok_or_else(|| show::nothing(path))?;
    for (name, value) in changes {
        match value {
            Value::Null => data.remove(&name),
            value => data.insert(name, value),
        };
    }
    // Between the read and the write nobody else may have written.
    write(call, client, path, data, call.flags.number("cas").unwrap_or(newest))
}

pub fn rollback(call: &mut Call<'_>) -> Result<u8, Failure> {
    let Some(wanted) = call.flags.number("version").filter(|version| *version > 0) else {
        return Err(Failure::local("Version is required: use -version=NUMBER"));
    };
    let client = call.client()?;
    let place = Place::find(call, &client)?;
    if !place.versions {
        return Err(Failure::remote("K/V engine mount must be version 2 for rollback support"));
    }
    let path = place.path("data");
    let about = place.path("metadata");
    let what = format!("Error doing pre-read at {about}");
    let known =
        Secret::find(&client, &what, &Ask::preliminary(&about))?.ok_or_else(|| show::nothing(&path))?;
    let newest = known.get("current_version").and_then(Value::as_i64).unwrap_or(0);
    let Some((data, _)) = version(&client, &path, Some(wanted))? else {
        return Err(Failure::remote(format!(
            "No data found at {path}: version {wanted} is deleted or was never there"
        )));
    };
    write(call, &client, &path, data, newest)
}

/// The data of a version, and its number; None if it is deleted or was never there.
fn version(client: &Client, path: &str, wanted: Option<i64>) -> Result<Option<(JsonMap, i64)>, Failure> {
    let query = wanted.map(|version| ("version".to_owned(), version.to_string())).into_iter().collect();
    let what = format!("Error doing pre-read at {path}");
    let found = Secret::find(client, &what, &Ask { query, ..Ask::preliminary(path) })?;
    Ok(found.and_then(|found| {
        let data = found.get("data")?.as_object()?.clone();
        Some((data, found.get("metadata")?.get("version")?.as_i64()?))
    }))
}

fn write(call: &mut Call<'_>, client: &Client, path: &str, data: JsonMap, cas: i64) -> Result<u8, Failure> {
    let body = json!({ "data": data, "options": { "cas": cas } });
    let secret = Secret::ask(client, &format!("Error writing data to {path}"), &Ask::put(path, &body))?;
    data::written(call, path, secret)
}
