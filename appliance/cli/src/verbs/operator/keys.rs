//! `operator key-status`, `operator rotate`, `operator step-down`, `operator members`.

use serde_json::{Value, json};

use crate::client::{Ask, Client, ClientError};
use crate::secret::Secret;
use crate::show::{self, Format, cell, columns, plain};
use crate::verb::{Call, Failure};

pub fn key_status(call: &mut Call<'_>) -> Result<u8, Failure> {
    let status = status(&call.client()?)?;
    match call.format {
        Format::Table => call.io.say(&text(&status)),
        format => show::document(call.io, format, &status)?,
    }
    Ok(0)
}

fn status(client: &Client) -> Result<Value, Failure> {
    let found = Secret::must(client, "Error reading key status", &Ask::get("sys/key-status"))?;
    let get = |name: &str| found.get(name).cloned().unwrap_or_default();
    Ok(json!({
        "term": get("term"), "install_time": get("install_time"), "encryptions": get("encryptions"),
    }))
}

fn text(status: &Value) -> String {
    let get = |name: &str| status.get(name).map(plain).unwrap_or_default();
    show::lines(&[
        ("Key Term", get("term")),
        ("Install Time", get("install_time")),
        ("Encryption Count", get("encryptions")),
    ])
}

pub fn rotate(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let ask = Ask { method: "PUT", path: "sys/rotate", ..Ask::default() };
    Secret::ask(&client, "Error rotating key", &ask)?;
    let status = status(&client)?;
    match call.format {
        Format::Table => call.io.say(&format!("Success! Rotated key\n\n{}", text(&status))),
        format => show::document(call.io, format, &status)?,
    }
    Ok(0)
}

pub fn step_down(call: &mut Call<'_>) -> Result<u8, Failure> {
    let ask = Ask { method: "PUT", path: "sys/step-down", ..Ask::default() };
    let what = "Error stepping down";
    let answer = call.client()?.ask(&ask).map_err(|cause| of_cluster(what, &cause))?;
    let said = Secret::of(&answer).map_err(|cause| Failure::during(what, &cause))?.map(|said| said.warnings);
    match said.as_ref().and_then(Value::as_array).filter(|warnings| !warnings.is_empty()) {
        // It has stepped down from nothing.
        Some(warnings) => call.io.say(&warnings.iter().map(plain).collect::<Vec<_>>().join("\n")),
        None => call.io.say("Success! Stepped down"),
    }
    Ok(0)
}

/// A server that is no cluster does not know what is asked.
fn of_cluster(what: &str, cause: &ClientError) -> Failure {
    match cause {
        ClientError::Refused(refused) if refused.status == 404 => {
            Failure::remote(format!("{what}: this server is no cluster: it has no other nodes"))
        }
        _ => Failure::during(what, cause),
    }
}

/// A column: its header, and the member of a node.
const MEMBERS: &[(&str, &str)] = &[
    ("Host Name", "hostname"),
    ("API Address", "api_address"),
    ("Cluster Address", "cluster_address"),
    ("Active Node", "active_node"),
    ("Version", "version"),
    ("Upgrade Version", "upgrade_version"),
    ("Last Echo", "last_echo"),
];

pub fn members(call: &mut Call<'_>) -> Result<u8, Failure> {
    let what = "Error reading HA status";
    let answer = call.client()?.ask(&Ask::get("sys/ha-status")).map_err(|cause| of_cluster(what, &cause))?;
    let found = Secret::of(&answer).map_err(|cause| Failure::during(what, &cause))?.unwrap_or_default();
    let nodes = found.get("nodes").or_else(|| found.get("Nodes")).cloned().unwrap_or_default();
    if call.format != Format::Table {
        show::document(call.io, call.format, &json!({ "Nodes": nodes }))?;
        return Ok(0);
    }
    let header: Vec<&str> = MEMBERS.iter().map(|(header, _)| *header).collect();
    let member =
        |node: &Value, name: &str| node.get(name).filter(|v| !v.is_null()).map_or("n/a".into(), cell);
    let rows: Vec<Vec<String>> = nodes
        .as_array()
        .into_iter()
        .flatten()
        .map(|node| MEMBERS.iter().map(|(_, name)| member(node, name)).collect())
        .collect();
    call.io.say(&columns(&header, &rows));
    Ok(0)
}
