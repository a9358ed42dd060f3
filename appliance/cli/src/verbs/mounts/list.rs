//! `secrets list` and `auth list`.

use serde_json::Value;

use super::Family;
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::{self, Format, cell, columns};
use crate::verb::{Call, Failure};

/// A column: its header, and the cell of a mount.
pub type Column = (&'static str, fn(&Value) -> String);

/// Without `-detailed`.
pub const SHORT: &[Column] = &[
    ("Type", |mount| member(mount, "type")),
    ("Accessor", |mount| member(mount, "accessor")),
    ("Description", |mount| member(mount, "description")),
];

/// In the short list of `auth` only.
pub const VERSION: Column = ("Version", |mount| member(mount, "plugin_version"));

/// With it, before and after the column that only one of the families has.
pub const LONG: (&[Column], &[Column]) = (
    &[
        ("Plugin", |mount| member(mount, "type")),
        ("Accessor", |mount| member(mount, "accessor")),
        ("Default TTL", |mount| ttl(mount, "default_lease_ttl")),
        ("Max TTL", |mount| ttl(mount, "max_lease_ttl")),
    ],
    &[
        ("Replication", |mount| if on(mount, "local") { "local" } else { "replicated" }.into()),
        ("Seal Wrap", |mount| on(mount, "seal_wrap").to_string()),
        ("External Entropy Access", |mount| on(mount, "external_entropy_access").to_string()),
        ("Options", options),
        ("Description", |mount| member(mount, "description")),
        ("UUID", |mount| member(mount, "uuid")),
        VERSION,
        ("Running Version", |mount| member(mount, "running_plugin_version")),
        ("Running SHA256", |mount| member(mount, "running_sha256")),
        ("Deprecation Status", |mount| member(mount, "deprecation_status")),
    ],
);

fn member(mount: &Value, name: &str) -> String {
    mount.get(name).filter(|value| !value.is_null()).map_or_else(|| "n/a".into(), cell)
}

/// A member of the mount's configuration.
pub fn setting(mount: &Value, name: &str) -> String {
    mount.get("config").map_or_else(|| "n/a".into(), |config| member(config, name))
}

fn ttl(mount: &Value, name: &str) -> String {
    match setting(mount, name).as_str() {
        "0" | "n/a" => "system".into(),
        seconds => seconds.to_owned(),
    }
}

fn on(mount: &Value, name: &str) -> bool {
    mount.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn options(mount: &Value) -> String {
    mount.get("options").filter(|options| options.is_object()).map_or_else(|| "map[]".into(), cell)
}

impl Family {
    /// Lists; `short` and `long` are the columns that only this family has. `what` begins the message of a failure.
    pub fn list(
        &self,
        call: &mut Call<'_>,
        what: &str,
        short: &[Column],
        long: Column,
    ) -> Result<u8, Failure> {
        let secret = Secret::must(&call.client()?, what, &Ask::get(self.root))?;
        if call.format != Format::Table || !secret.wrap_info.is_null() {
            return match secret.wrap_info.is_null() {
                true => show::document(call.io, call.format, &secret.data).map(|()| 0),
                false => show::secret(call.io, call.format, &secret),
            };
        }
        show::warnings(call.io, &secret);
        let wanted: Vec<Column> = match call.flags.on("detailed") {
            true => [LONG.0, &[long], LONG.1].concat(),
            false => [SHORT, short].concat(),
        };
        let header: Vec<&str> = std::iter::once("Path").chain(wanted.iter().map(|(name, _)| *name)).collect();
        let mounts = secret.data.as_object().into_iter().flatten().filter(|(_, mount)| mount.is_object());
        let rows: Vec<Vec<String>> = mounts
            .map(|(path, mount)| {
                std::iter::once(path.clone()).chain(wanted.iter().map(|(_, cell)| cell(mount))).collect()
            })
            .collect();
        call.io.say(&columns(&header, &rows));
        Ok(0)
    }
}
