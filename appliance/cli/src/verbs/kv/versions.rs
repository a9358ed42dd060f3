//! `kv delete`, `kv undelete`, `kv destroy`: the life of single versions.

use serde_json::json;

use super::super::logical;
use super::place::Place;
use crate::client::{Ask, Client};
use crate::secret::Secret;
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
pub fn versioned(call: &Call<'_>, client: &Client, what: &str, shown: &str) -> Result<String, Failure> {
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
