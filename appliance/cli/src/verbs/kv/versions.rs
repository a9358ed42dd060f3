//! `kv delete`, `kv undelete`, `kv destroy`, `kv metadata`: what only a mount with versions knows, and deletion.

use serde_json::{Value, json};

use super::super::logical;
use super::data::section;
use super::place::Place;
use crate::client::{Ask, Client};
use crate::secret::Secret;
use crate::show::{self, Format, title};
use crate::verb::{Call, Failure};

pub fn delete(call: &mut Call<'_>) -> Result<u8, Failure> {
    let versions = versions(call)?;
    let client = call.client()?;
    let place = Place::find(call, &client)?;
    if versions.is_empty() || !place.versions {
        let path = place.path("data");
        return logical::deleted(call, &client, &Ask::delete(&path), &path);
    }
    let path = place.path("delete");
    let body = json!({ "versions": versions });
    logical::deleted(call, &client, &Ask::put(&path, &body), &place.path("data"))
}

pub fn undelete(call: &mut Call<'_>) -> Result<u8, Failure> {
    on_versions(call, "undelete", "Undelete")
}

pub fn destroy(call: &mut Call<'_>) -> Result<u8, Failure> {
    on_versions(call, "destroy", "Destroy")
}

fn on_versions(call: &mut Call<'_>, what: &str, shown: &str) -> Result<u8, Failure> {
    let versions = versions(call)?;
    if versions.is_empty() {
        return Err(Failure::local("No versions provided: use -versions=1,2"));
    }
    let client = call.client()?;
    let path = versioned(call, &client, what, shown)?;
    let body = json!({ "versions": versions });
    let doing = format!("Error writing data to {path}");
    let secret = Secret::ask(&client, &doing, &Ask::put(&path, &body))?;
    logical::written(call, &path, secret)
}

/// The path of `what`, on a mount that has versions.
fn versioned(call: &Call<'_>, client: &Client, what: &str, shown: &str) -> Result<String, Failure> {
    let place = Place::find(call, client)?;
    match place.versions {
        true => Ok(place.path(what)),
        false => Err(Failure::local(format!("{shown} not supported on KV Version 1"))),
    }
}

/// `-versions=1,2 -versions=3`.
fn versions(call: &Call<'_>) -> Result<Vec<u64>, Failure> {
    let words = call.flags.all("versions").iter().flat_map(|list| list.split(','));
    words
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse()
                .map_err(|_| Failure::local(format!("\"{word}\" is no version number: use -versions=1,2")))
        })
        .collect()
}

pub fn metadata_get(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let path = versioned(call, &client, "metadata", "Metadata")?;
    let what = format!("Error reading {path}");
    let secret = Secret::find(&client, &what, &Ask::get(&path))?;
    let secret = secret.ok_or_else(|| show::nothing(&path))?;
    if call.format != Format::Table {
        return show::secret(call.io, call.format, &secret);
    }
    show::warnings(call.io, &secret);
    let mut known = secret.data.clone();
    let versions = known.as_object_mut().and_then(|known| known.remove("versions"));
    let mut parts =
        vec![format!("{}\n{path}", title("Metadata Path", path.len())), section("Metadata", &known)];
    let mut versions: Vec<(&String, &Value)> =
        versions.as_ref().and_then(Value::as_object).into_iter().flatten().collect();
    versions.sort_by_key(|(number, _)| number.parse::<u64>().unwrap_or(u64::MAX));
    parts.extend(versions.into_iter().map(|(number, about)| section(&format!("Version {number}"), about)));
    call.io.say(&parts.join("\n\n"));
    Ok(0)
}

pub fn metadata_delete(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let path = versioned(call, &client, "metadata", "Metadata")?;
    logical::deleted(call, &client, &Ask::delete(&path), &path)
}
