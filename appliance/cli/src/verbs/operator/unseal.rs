//! `operator unseal` and `operator seal`.

use serde_json::{Map, Value};

use super::super::status;
use crate::args::{Flag, Kind};
use crate::client::{Ask, ClientError};
use crate::input;
use crate::verb::{Call, Failure};

/// The flags of `unseal`.
pub const FLAGS: &[Flag] = &[
    Flag { names: &["reset"], kind: Kind::Bool, about: "Forget the keys given so far in this attempt" },
    Flag { names: &["migrate"], kind: Kind::Bool, about: "The key is given to move to another seal" },
];

pub fn unseal(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    let mut body = Map::new();
    if call.flags.on("reset") {
        body.insert("reset".into(), true.into());
    } else {
        body.insert("key".into(), key(call)?.into());
    }
    if call.flags.on("migrate") {
        body.insert("migrate".into(), true.into());
    }
    let body = Value::Object(body);
    let answer = client
        .ask(&Ask::put("sys/unseal", &body))
        .and_then(|answer| status::object(&answer.body))
        .map_err(|cause| Failure::during("Error unsealing", &cause));
    input::wipe(body);
    let mut answer = answer?;
    let leader = status::leader(&client);
    let ha =
        leader.as_ref().and_then(|leader| leader.get("ha_enabled")).cloned().unwrap_or(Value::Bool(false));
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("ha_enabled".into(), ha);
    }
    status::print(call.io, call.format, &answer, leader.as_ref())?;
    Ok(0)
}

/// The key from the command line, or typed without echo.
fn key(call: &mut Call<'_>) -> Result<String, Failure> {
    if let Some(key) = call.arguments.first_mut() {
        return Ok(std::mem::take(key).trim().to_owned());
    }
    if call.flags.on("non-interactive") {
        return Err(Failure::local("an unseal key is needed, and -non-interactive forbids to ask for it"));
    }
    let typed = call.io.ask_hidden("Unseal Key (will be hidden): ").map_err(|cause| {
        Failure::local(format!(
            "The unseal key cannot be asked for: {cause}. Run this on a terminal, where the key is not shown and in \
             nobody's history; or, if it must be, give the key as the argument."
        ))
    })?;
    match typed.expose_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Failure::local("no unseal key was typed")),
    }
}

pub fn seal(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    match client.ask(&Ask { method: "PUT", path: "sys/seal", ..Ask::default() }) {
        // What is wanted is so already: sealing twice is no error.
        Err(ClientError::Refused(refused)) if refused.says("Vault is sealed") => {}
        answer => {
            answer.map_err(|cause| Failure::during("Error sealing", &cause))?;
        }
    }
    call.io.say("Success! Vault is sealed.");
    Ok(0)
}
