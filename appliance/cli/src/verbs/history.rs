//! `version-history`: which versions the server has been.

use serde_json::Value;

use super::BASE;
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::{self, Format, cell, columns, plain};
use crate::verb::{Call, Failure, Verb};

/// The verb of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["version-history"],
    about: "List the versions that the server has been, and since when",
    example: "version-history",
    run,
    ..BASE
}];

fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let found =
        Secret::must(&call.client()?, "Error reading version history", &Ask::list("sys/version-history"))?;
    call.io.error("\nNote: versions before the first in the list were not recorded.");
    if call.format != Format::Table {
        show::document(call.io, call.format, &found)?;
        return Ok(0);
    }
    let keys = found.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let about = |key: &Value, name: &str| -> String {
        let member = found.get("key_info").and_then(|info| info.get(key.as_str()?)?.get(name));
        member.filter(|value| !value.is_null()).map_or("n/a".into(), cell)
    };
    let row = |key: &Value| vec![plain(key), about(key, "timestamp_installed"), about(key, "build_date")];
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    call.io.say(&columns(&["Version", "Installation Time", "Commit Date"], &rows));
    Ok(0)
}
