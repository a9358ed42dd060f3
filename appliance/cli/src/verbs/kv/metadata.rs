//! `kv metadata`: what is known of a secret beside its data.

use serde_json::{Value, json};

use super::super::logical;
use super::data::section;
use super::versions::versioned;
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::{self, Format, title};
use crate::verb::{Call, Failure};

/// What can be set.
pub const SETTINGS: &[Flag] = &[
    Flag {
        names: &["max-versions"],
        kind: Kind::Number,
        about: "How many versions are kept; 0: as the mount says",
    },
    Flag {
        names: &["cas-required"],
        kind: Kind::Bool,
        about: "Every write must name the version it replaces",
    },
    Flag {
        names: &["delete-version-after"],
        kind: Kind::Duration,
        about: "After how long a version is deleted; 0s: never",
    },
    Flag {
        names: &["custom-metadata"],
        kind: Kind::Pairs,
        about: "What people want to know of it; may come more than once",
    },
    Flag {
        names: &["metadata-cas-required"],
        kind: Kind::Bool,
        about: "Every change of the metadata must name the version it replaces",
    },
];

/// Check-and-set of the metadata itself.
pub const CAS: &[Flag] =
    &[Flag { names: &["metadata-cas"], kind: Kind::Number, about: "Only if the metadata has this version" }];

/// What only `patch` can do.
pub const REMOVE: &[Flag] = &[Flag {
    names: &["remove-custom-metadata"],
    kind: Kind::Many,
    about: "A key of the custom metadata to take away; may come more than once",
}];

pub fn put(call: &mut Call<'_>) -> Result<u8, Failure> {
    change(call, "PUT")
}

pub fn patch(call: &mut Call<'_>) -> Result<u8, Failure> {
    change(call, "PATCH")
}

fn change(call: &mut Call<'_>, method: &'static str) -> Result<u8, Failure> {
    let client = call.client()?;
    let path = versioned(call, &client, "metadata", "Metadata")?;
    let mut body = call.flags.body(SETTINGS);
    body.extend(call.flags.body(CAS));
    for name in call.flags.all("remove-custom-metadata").iter().flat_map(|list| list.split(',')) {
        let custom = body.entry("custom_metadata").or_insert_with(|| json!({}));
        if let Some(custom) = custom.as_object_mut() {
            custom.insert(name.trim().to_owned(), Value::Null);
        }
    }
    let body = Value::Object(body);
    let what = format!("Error writing data to {path}");
    let secret = Secret::ask(&client, &what, &Ask { method, ..Ask::put(&path, &body) })?;
    logical::written(call, &path, secret)
}

pub fn get(call: &mut Call<'_>) -> Result<u8, Failure> {
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

pub fn delete(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let path = versioned(call, &client, "metadata", "Metadata")?;
    logical::deleted(call, &client, &Ask::delete(&path), &path)
}
