//! `audit`: where the audit log goes.

use serde_json::{Value, json};

use super::{BASE, DETAILED, FORMAT, HTTP};
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::input;
use crate::secret::Secret;
use crate::show::{self, Format, cell, columns};
use crate::verb::{Call, Failure, First, REMOTE, Verb, sanitize};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["audit", "enable"],
        about: "Write the audit log to a further device",
        takes: "TYPE [KEY=VALUE...]",
        example: "audit enable file file_path=/var/log/strongroom/audit.log",
        first: First::Word(&["file", "http", "socket", "syslog"]),
        max: None,
        flags: &[HTTP, FORMAT, ENABLE],
        run: enable,
        ..BASE
    },
    Verb {
        words: &["audit", "disable"],
        about: "Write no audit log to a device any more",
        takes: "PATH",
        example: "audit disable file/",
        first: First::Device,
        min: 1,
        max: Some(1),
        run: disable,
        ..BASE
    },
    Verb {
        words: &["audit", "list"],
        about: "List the devices that the audit log is written to",
        example: "audit list -detailed",
        flags: &[HTTP, FORMAT, &[DETAILED]],
        run: list,
        ..BASE
    },
];

const ENABLE: &[Flag] = &[
    Flag { names: &["description"], kind: Kind::Text, about: "For people" },
    Flag { names: &["local"], kind: Kind::Bool, about: "Never replicated" },
    Flag { names: &["path"], kind: Kind::Text, about: "Its name (that of its type)" },
];

fn enable(call: &mut Call<'_>) -> Result<u8, Failure> {
    let kind = call.path(0);
    if kind.is_empty() {
        return Err(Failure::local(
            "Error enabling audit device: audit type missing. Types are file, socket, syslog and http.",
        ));
    }
    let path = call.flags.text("path").map_or_else(|| kind.clone(), sanitize);
    let options = input::object(call.arguments.get(1..).unwrap_or_default(), call.io)?;
    let mut body = call.flags.body(ENABLE);
    body.remove("path");
    body.insert("type".into(), kind.clone().into());
    body.insert("options".into(), options.into());
    let (url, body) = (format!("sys/audit/{path}"), Value::Object(body));
    Secret::ask(&call.client()?, "Error enabling audit device", &Ask::put(&url, &body))?;
    call.io.say(&format!("Success! Enabled the {kind} audit device at: {path}/"));
    Ok(0)
}

fn disable(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = call.path(0);
    let url = format!("sys/audit/{path}");
    Secret::ask(&call.client()?, "Error disabling audit device", &Ask::delete(&url))?;
    call.io.say(&format!("Success! Disabled audit device (if it was enabled) at: {path}/"));
    Ok(0)
}

fn list(call: &mut Call<'_>) -> Result<u8, Failure> {
    let found = Secret::ask(&call.client()?, "Error listing audits", &Ask::get("sys/audit"))?;
    let devices = found.map(|found| found.data).filter(Value::is_object).unwrap_or_else(|| json!({}));
    if call.format != Format::Table {
        show::document(call.io, call.format, &devices)?;
        return Ok(0);
    }
    let devices: Vec<(&String, &Value)> =
        devices.as_object().into_iter().flatten().filter(|(_, device)| device.is_object()).collect();
    if devices.is_empty() {
        call.io.say("No audit devices are enabled.");
        return Ok(REMOTE);
    }
    let detailed = call.flags.on("detailed");
    let header: &[&str] = match detailed {
        true => &["Path", "Type", "Description", "Replication", "Options"],
        false => &["Path", "Type", "Description"],
    };
    let rows: Vec<Vec<String>> =
        devices.into_iter().map(|(path, device)| row(path, device, detailed)).collect();
    call.io.say(&columns(header, &rows));
    Ok(0)
}

fn row(path: &str, device: &Value, detailed: bool) -> Vec<String> {
    let text = |name: &str| device.get(name).filter(|value| !value.is_null()).map_or("n/a".into(), cell);
    let mut row = vec![path.to_owned(), text("type"), text("description")];
    if detailed {
        let local = device.get("local").and_then(Value::as_bool).unwrap_or(false);
        row.push(if local { "local" } else { "replicated" }.to_owned());
        let options = device.get("options").and_then(Value::as_object).into_iter().flatten();
        let options: Vec<String> =
            options.map(|(name, value)| format!("{name}={}", show::plain(value))).collect();
        row.push(options.join(" "));
    }
    row
}
