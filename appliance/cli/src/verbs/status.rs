//! `status`: 0 unsealed, 1 no answer, 2 sealed.

use serde_json::Value;

use super::BASE;
use crate::client::{Ask, Client, ClientError};
use crate::io::Io;
use crate::show::{self, Format, Rows, plain};
use crate::verb::{Call, Failure, LOCAL, REMOTE, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["status"],
    about: "Tell whether the server is initialised and unsealed",
    example: "status",
    run,
    ..BASE
}];

pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?.at_once();
    // A script must tell "sealed" from "not there".
    let not_there = |cause: ClientError| Failure::with_code(LOCAL, "Error checking seal status", &cause);
    let mut status = body(&client, "sys/seal-status").map_err(not_there)?;
    let leader = leader(&client);
    let ha =
        leader.as_ref().and_then(|leader| leader.get("ha_enabled")).and_then(Value::as_bool).unwrap_or(false);
    if let Some(status) = status.as_object_mut() {
        status.insert("ha_enabled".into(), ha.into());
    }
    print(call.io, call.format, &status, leader.as_ref())?;
    Ok(if is_sealed(&status) { REMOTE } else { 0 })
}

/// Who leads, if the server says so.
pub fn leader(client: &Client) -> Option<Value> {
    client.ask(&Ask::preliminary("sys/leader")).and_then(|answer| object(&answer.body)).ok()
}

/// Whether a seal status says so; what says nothing is sealed.
pub fn is_sealed(status: &Value) -> bool {
    status.get("sealed").and_then(Value::as_bool).unwrap_or(true)
}

/// The JSON object at a path that has no envelope.
pub fn body(client: &Client, path: &str) -> Result<Value, ClientError> {
    let answer = client.ask(&Ask::get(path))?;
    object(&answer.body)
}

/// The JSON object in `body`.
pub fn object(body: &[u8]) -> Result<Value, ClientError> {
    match serde_json::from_slice(body) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(ClientError::Strange("the server's answer is not a JSON object".into())),
    }
}

/// Prints a seal status.
pub fn print(io: &mut Io, format: Format, status: &Value, leader: Option<&Value>) -> Result<(), Failure> {
    if format != Format::Table {
        return show::document(io, if format == Format::Pretty { Format::Json } else { format }, status);
    }
    io.say(&table(status, leader));
    Ok(())
}

fn table(status: &Value, leader: Option<&Value>) -> String {
    let mut rows = Rows::default();
    let get = |name: &str| status.get(name).map(plain).unwrap_or_default();
    let is = |name: &str| status.get(name).and_then(Value::as_bool).unwrap_or(false);
    rows.add("Seal Type", get("type"));
    if is("recovery_seal") {
        rows.add("Recovery Seal Type", get("recovery_seal_type"));
    }
    rows.add("Initialized", get("initialized"));
    rows.add("Sealed", get("sealed"));
    rows.add(if is("recovery_seal") { "Total Recovery Shares" } else { "Total Shares" }, get("n"));
    rows.add("Threshold", get("t"));
    if is_sealed(status) {
        rows.add("Unseal Progress", format!("{}/{}", get("progress"), get("t")));
        rows.add("Unseal Nonce", get("nonce"));
    }
    if is("migration") {
        rows.add("Seal Migration in Progress", get("migration"));
    }
    rows.add("Version", get("version"));
    rows.add("Storage Type", get("storage_type"));
    for (name, shown) in [("cluster_name", "Cluster Name"), ("cluster_id", "Cluster ID")] {
        if !get(name).is_empty() {
            rows.add(shown, get(name));
        }
    }
    rows.add("HA Enabled", is("ha_enabled").to_string());
    if let Some(leader) = leader.filter(|_| is("ha_enabled")) {
        let is_self = leader.get("is_self").and_then(Value::as_bool).unwrap_or(false);
        rows.add("HA Mode", if is_self { "active" } else { "standby" });
        rows.add("Active Node Address", leader.get("leader_address").map(plain).unwrap_or_default());
    }
    let mut text = rows.table();
    // A sealed server may say what it waits for.
    let warnings = status.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for warning in warnings {
        text.push_str("\n\n");
        text.push_str(&plain(warning));
    }
    text
}
