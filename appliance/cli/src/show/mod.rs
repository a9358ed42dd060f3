//! How answers are printed: tables, JSON, YAML, single fields.

mod clean;
mod table;
mod value;
mod yaml;

use serde::Serialize;
use serde_json::Value;

use crate::args::{Flag, Flags, Kind};
use crate::io::Io;
use crate::secret::Secret;
use crate::verb::{Call, Failure};
use crate::{env, verb};

pub use clean::clean;
pub use table::{Rows, columns, lines, secret as secret_table, title, title_over};
pub use value::{cell, plain};

/// The flag of every verb that prints an answer.
pub const FORMAT: &[Flag] = &[Flag {
    names: &["format"],
    kind: Kind::Text,
    about: "table, json or yaml (VAULT_FORMAT); read also knows raw",
}];

/// The flag of verbs that can print a single field.
pub const FIELD: &[Flag] = &[Flag {
    names: &["field"],
    kind: Kind::Text,
    about: "Print only this field, without a line end in a pipe",
}];

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For both.
    Yaml,
    /// The server's bytes.
    Raw,
    /// JSON for people; of status-like answers only.
    Pretty,
}

impl Format {
    /// From `-format`, or from the environment.
    pub fn chosen(flags: &Flags, io: &Io) -> Result<Self, Failure> {
        let Some(name) = flags.text("format").or_else(|| env::get(io, "FORMAT")) else {
            return Ok(Self::Table);
        };
        Ok(match name.to_ascii_lowercase().as_str() {
            "table" => Self::Table,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            "raw" => Self::Raw,
            "pretty" => Self::Pretty,
            _ => return Err(Failure::local(format!("Invalid output format: {name}"))),
        })
    }
}

/// Prints `value` as JSON or YAML; a table is the caller's affair.
pub fn document(io: &mut Io, format: Format, value: &impl Serialize) -> Result<(), Failure> {
    let text = text(format, value)?;
    io.say(text.trim_end());
    Ok(())
}

fn text(format: Format, value: &impl Serialize) -> Result<String, Failure> {
    let failed = |error: serde_json::Error| Failure::local(format!("Could not print the answer: {error}"));
    match format {
        Format::Yaml => Ok(yaml::write(&serde_json::to_value(value).map_err(failed)?)),
        Format::Pretty => {
            Err(Failure::local("Could not parse output: cannot use the pretty formatter for this type"))
        }
        _ => serde_json::to_string_pretty(value).map_err(failed),
    }
}

/// Prints an answer as the format says. The exit code.
pub fn secret(io: &mut Io, format: Format, secret: &Secret) -> Result<u8, Failure> {
    match format {
        Format::Table => {
            warnings(io, secret);
            io.say(&secret_table(secret));
        }
        _ => document(io, format, secret)?,
    }
    Ok(0)
}

/// Prints an answer, or the one field of it that is asked for. The exit code.
pub fn whole_or_field(call: &mut Call<'_>, answer: &Secret) -> Result<u8, Failure> {
    match call.flags.text("field") {
        Some(name) => field(call.io, call.format, answer, name),
        None => secret(call.io, call.format, answer),
    }
}

/// What the server wants to be known goes to stderr, so that a table stays a table.
pub fn warnings(io: &mut Io, secret: &Secret) {
    let Some(warnings) = secret.warnings.as_array().filter(|warnings| !warnings.is_empty()) else { return };
    io.error("WARNING! The following warnings were returned from Vault:\n");
    for warning in warnings {
        io.error(&format!("  * {}", plain(warning)));
    }
    io.error("");
}

/// Prints one field of an answer. The exit code.
pub fn field(io: &mut Io, format: Format, secret: &Secret, name: &str) -> Result<u8, Failure> {
    match secret.field(name) {
        Some(value) => one_value(io, format, &value),
        None => Err(Failure::local(format!("Field \"{name}\" not present in secret"))),
    }
}

/// Prints one value: without a line end unless a person reads it. The exit code.
pub fn one_value(io: &mut Io, format: Format, value: &Value) -> Result<u8, Failure> {
    let text = match format {
        Format::Table | Format::Raw => plain(value),
        _ => text(format, value)?.trim_end().to_owned(),
    };
    if io.to_terminal {
        io.say(&text)
    } else {
        io.say_raw(&text)
    }
    Ok(0)
}

/// Nothing was found. The text goes to stderr, and the exit code says that the server was asked.
pub fn nothing(path: &str) -> Failure {
    Failure { code: verb::REMOTE, text: format!("No value found at {path}") }
}
