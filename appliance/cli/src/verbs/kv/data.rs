//! `kv get`, `kv put`, `kv list`, `kv scan`: secrets of both versions of the engine.

use serde_json::{Value, json};
use strongroom_types::JsonMap;

use super::super::logical;
use super::place::Place;
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::input;
use crate::secret::Secret;
use crate::show::{self, Format, Rows, title, title_over};
use crate::verb::{Call, Failure};

/// Which version to read.
pub const VERSION: &[Flag] =
    &[Flag { names: &["version"], kind: Kind::Number, about: "This version instead of the newest" }];

pub fn get(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let place = Place::find(call, &client)?;
    let path = place.path("data");
    let version = call.flags.number("version").filter(|_| place.versions);
    let query = version.map(|version| ("version".to_owned(), version.to_string())).into_iter().collect();
    let what = format!("Error reading {path}");
    let secret = Secret::find(&client, &what, &Ask { query, ..Ask::get(&path) })?;
    let secret = secret.ok_or_else(|| show::nothing(&path))?;
    if let Some(name) = call.flags.text("field").map(str::to_owned) {
        return field(call, &secret, &place, &path, &name);
    }
    if call.format != Format::Table || !secret.wrap_info.is_null() {
        return show::secret(call.io, call.format, &secret);
    }
    show::warnings(call.io, &secret);
    let text = match place.versions {
        true => with_metadata(&path, secret.get("metadata"), secret.get("data")),
        false => section("Data", &secret.data),
    };
    call.io.say(&text);
    Ok(0)
}

fn field(call: &mut Call<'_>, secret: &Secret, place: &Place, path: &str, name: &str) -> Result<u8, Failure> {
    if !secret.wrap_info.is_null() {
        return show::field(call.io, call.format, secret, name);
    }
    let data = match place.versions {
        true => secret.get("data").filter(|data| !data.is_null()),
        false => Some(&secret.data),
    };
    let Some(data) = data else { return Err(Failure::remote(format!("No data found at {path}"))) };
    match data.get(name) {
        Some(value) => show::one_value(call.io, call.format, value),
        // The whole of the data, unless it has a member of that name.
        None if name == "data" => show::one_value(call.io, call.format, data),
        None => Err(Failure::local(format!("Field \"{name}\" not present in map"))),
    }
}

/// A titled table.
pub fn section(name: &str, members: &Value) -> String {
    let mut rows = Rows::default();
    rows.members(members);
    format!("{}\n{}", title_over(name, members), rows.table())
}

/// Path, metadata and data of a version; a deleted one has no data.
fn with_metadata(path: &str, metadata: Option<&Value>, data: Option<&Value>) -> String {
    let mut parts = vec![format!("{}\n{path}", title("Secret Path", path.len()))];
    parts.extend(
        metadata.filter(|metadata| metadata.is_object()).map(|metadata| section("Metadata", metadata)),
    );
    parts.extend(data.filter(|data| data.is_object()).map(|data| section("Data", data)));
    parts.join("\n\n")
}

pub fn put(call: &mut Call<'_>) -> Result<u8, Failure> {
    let given = call.arguments.get(1..).unwrap_or_default();
    if given.is_empty() {
        return Err(Failure::local("Must supply data"));
    }
    let data = input::object(given, call.io)?;
    let client = call.client()?;
    let place = Place::find(call, &client)?;
    let path = place.path("data");
    let body = match place.versions {
        true => versioned(data, call.flags.number("cas")),
        false => Value::Object(data),
    };
    let what = format!("Error writing data to {path}");
    let secret = Secret::ask(&client, &what, &Ask::put(&path, &body))?;
    match place.versions {
        true => written(call, &path, secret),
        false => logical::written(call, &path, secret),
    }
}

/// A version that was written.
pub fn written(call: &mut Call<'_>, path: &str, secret: Option<Secret>) -> Result<u8, Failure> {
    let is_table = call.format == Format::Table && call.flags.text("field").is_none();
    match secret {
        Some(secret) if is_table && secret.data.is_object() => {
            show::warnings(call.io, &secret);
            call.io.say(&with_metadata(path, Some(&secret.data), None));
            Ok(0)
        }
        secret => logical::written(call, path, secret),
    }
}

/// The body of a new version.
pub fn versioned(data: JsonMap, cas: Option<i64>) -> Value {
    match cas {
        // A negative number is Vault's way to say "no check".
        Some(cas) if cas >= 0 => json!({ "data": data, "options": { "cas": cas } }),
        _ => json!({ "data": data, "options": {} }),
    }
}

pub fn list(call: &mut Call<'_>) -> Result<u8, Failure> {
    names(call, "list")
}

pub fn scan(call: &mut Call<'_>) -> Result<u8, Failure> {
    names(call, "scan")
}

fn names(call: &mut Call<'_>, how: &str) -> Result<u8, Failure> {
    if call.path(0).is_empty() && call.flags.text("mount").is_none() {
        return Err(Failure::local(
            "Not enough arguments (expected 1, got 0): name a path, or a mount with -mount",
        ));
    }
    let client = call.client()?;
    let path = Place::find(call, &client)?.path("metadata");
    logical::names(call, &client, &path, how)
}
