//! `operator rekey` and `operator rotate-keys`: new unseal or recovery keys, by a threshold of the old ones.

use serde_json::{Map, Value, json};

use super::keys_typed::key;
use crate::args::{Flag, Kind};
use crate::client::{Ask, Client};
use crate::input;
use crate::secret::Secret;
use crate::show::{self, Format, Rows, plain};
use crate::verb::{Call, Failure};

/// The flags.
pub const FLAGS: &[Flag] = &[
    Flag { names: &["init"], kind: Kind::Bool, about: "Begin" },
    Flag { names: &["cancel"], kind: Kind::Bool, about: "Give up; the old keys stay" },
    Flag { names: &["status"], kind: Kind::Bool, about: "Tell how far it is" },
    Flag {
        names: &["verify"],
        kind: Kind::Bool,
        about: "With -init: the new keys must prove themselves. Later: prove one",
    },
    Flag {
        names: &["target"],
        kind: Kind::Text,
        about: "barrier: unseal keys; recovery: recovery keys (barrier)",
    },
    Flag { names: &["nonce"], kind: Kind::Text, about: "Which attempt a key is for" },
    Flag {
        names: &["backup"],
        kind: Kind::Bool,
        about: "With -init and -pgp-keys: the server keeps the encrypted keys, too",
    },
    Flag {
        names: &["backup-retrieve"],
        kind: Kind::Bool,
        about: "Print the encrypted keys that the server keeps",
    },
    Flag { names: &["backup-delete"], kind: Kind::Bool, about: "Let the server forget them" },
];

/// How many keys there are to be.
pub const SHARES: &[Flag] = &[
    Flag { names: &["key-shares", "n"], kind: Kind::Number, about: "How many keys (5)" },
    Flag { names: &["key-threshold", "t"], kind: Kind::Number, about: "How many of them are needed (3)" },
    Flag {
        names: &["pgp-keys"],
        kind: Kind::Text,
        about: "Files of PGP keys, one for each key, with commas between them: each is encrypted for its key",
    },
];

/// Where the API has it.
struct Place {
    /// What is called here, with its target.
    verb: &'static str,
    /// For everything but a backup.
    base: String,
    backup: String,
}

/// As Vault has it.
pub fn rekey(call: &mut Call<'_>) -> Result<u8, Failure> {
    run(call, |target| match target {
        "recovery" => {
            let verb = "rekey -target=recovery";
            let backup = "sys/rekey/recovery-key-backup".into();
            Place { verb, base: "sys/rekey-recovery-key".into(), backup }
        }
        _ => Place { verb: "rekey", base: "sys/rekey".into(), backup: "sys/rekey/backup".into() },
    })
}

/// The same for those who may, by their token.
pub fn rotate_keys(call: &mut Call<'_>) -> Result<u8, Failure> {
    run(call, |target| {
        let (verb, base) = match target {
            "recovery" => ("rotate-keys -target=recovery", "sys/rotate/recovery"),
            _ => ("rotate-keys", "sys/rotate/root"),
        };
        Place { verb, backup: format!("{base}/backup"), base: base.into() }
    })
}

fn run(call: &mut Call<'_>, place: fn(&str) -> Place) -> Result<u8, Failure> {
    let target = call.flags.text("target").unwrap_or("barrier").to_owned();
    if !matches!(target.as_str(), "barrier" | "recovery") {
        return Err(Failure::local(format!("Unknown target: {target}: it is barrier or recovery")));
    }
    let place = place(&target);
    let on = |name: &str| call.flags.on(name);
    match () {
        () if on("init") => init(call, &place),
        () if on("cancel") => cancel(call, &place),
        () if on("status") => {
            let status = status(&call.client()?, &place, on("verify"), false)?;
            print(call, &status)
        }
        () if on("backup-retrieve") => {
            let ask = Ask::get(&place.backup);
            let kept = Secret::must(&call.client()?, "Error retrieving backup", &ask)?;
            show::secret(call.io, call.format, &kept)
        }
        () if on("backup-delete") => {
            Secret::ask(&call.client()?, "Error deleting backup", &Ask::delete(&place.backup))?;
            call.io.say("Success! Delete backup keys (if they existed)");
            Ok(0)
        }
        () => offer(call, &place),
    }
}

fn init(call: &mut Call<'_>, place: &Place) -> Result<u8, Failure> {
    let client = call.client()?;
    let pgp_keys = super::pgp::keys(call, "pgp-keys")?;
    let number = |name: &str, default: i64| call.flags.number(name).unwrap_or(default);
    let mut body = json!({
        "secret_shares": number("key-shares", super::init::SHARES),
        "secret_threshold": number("key-threshold", super::init::THRESHOLD),
        "backup": call.flags.on("backup"),
        "require_verification": call.flags.on("verify"),
    });
    if let Some(body) = body.as_object_mut().filter(|_| !pgp_keys.is_empty()) {
        body.insert("pgp_keys".into(), json!(pgp_keys));
    }
    let begun =
        Secret::must(&client, "Error initializing rekey", &Ask::put(&format!("{}/init", place.base), &body))?;
    if begun.get("keys").is_some() {
        // Nobody held a key before: these are the first.
        return handed_out(call, place, &begun.data, false);
    }
    if pgp_keys.is_empty() && call.format == Format::Table {
        call.io.error(
            "WARNING! The new keys are shown once, when the last of the old ones has been given. Without -verify they count \
             at once, and the old ones open until the new ones have, once. With -verify the new keys are given back before \
             they count, and the old ones are void from then on.\n",
        );
    }
    print(call, &begun.data)
}

fn cancel(call: &mut Call<'_>, place: &Place) -> Result<u8, Failure> {
    let which = if call.flags.on("verify") { "verify" } else { "init" };
    let path = format!("{}/{which}", place.base);
    let body = call.flags.text("nonce").map(|nonce| json!({ "nonce": nonce }));
    Secret::ask(
        &call.client()?,
        "Error canceling rekey",
        &Ask { body: body.as_ref(), ..Ask::delete(&path) },
    )?;
    call.io.say("Success! Canceled rekeying (if it was started)");
    Ok(0)
}

fn status(client: &Client, place: &Place, verify: bool, preliminary: bool) -> Result<Value, Failure> {
    let path = format!("{}/{}", place.base, if verify { "verify" } else { "init" });
    let ask = Ask { preliminary, ..Ask::get(&path) };
    Ok(Secret::must(client, "Error reading rekey status", &ask)?.data)
}

/// Gives the server one key.
fn offer(call: &mut Call<'_>, place: &Place) -> Result<u8, Failure> {
    let client = call.client()?;
    let verify = call.flags.on("verify");
    let now = status(&client, place, verify, true)?;
    if !now.get("started").and_then(Value::as_bool).unwrap_or(false) {
        return Err(Failure::local("No rekey is in progress: begin one with -init"));
    }
    let name = if verify { "verification_nonce" } else { "nonce" };
    let current = now.get(name).or_else(|| now.get("nonce")).map(plain).unwrap_or_default();
    let (key, nonce) = key(call, &current, "Rekey operation nonce")?;
    let mut body = Map::new();
    body.insert("key".into(), key.into());
    body.insert("nonce".into(), nonce.into());
    let body = Value::Object(body);
    let path = format!("{}/{}", place.base, if verify { "verify" } else { "update" });
    let answer = Secret::must(&client, "Error posting unseal key", &Ask::put(&path, &body));
    input::wipe(body);
    let answer = answer?.data;
    if !answer.get("complete").and_then(Value::as_bool).unwrap_or(false) {
        let now = status(&client, place, verify, false)?;
        return print(call, &now);
    }
    handed_out(call, place, &answer, verify)
}

fn handed_out(call: &mut Call<'_>, place: &Place, answer: &Value, verify: bool) -> Result<u8, Failure> {
    match call.format {
        Format::Table => call.io.say(&finished(place, answer, verify)),
        format => show::document(call.io, format, answer)?,
    }
    Ok(0)
}

fn finished(place: &Place, answer: &Value, verify: bool) -> String {
    if verify {
        return "Success! The new keys have proved themselves and are in force: the old ones open nothing any more.".into();
    }
    let list = |name: &str| answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let prints = list("pgp_fingerprints");
    let mut lines: Vec<String> = Vec::new();
    for (at, key) in list("keys_base64").iter().enumerate() {
        lines.push(match prints.get(at) {
            Some(print) => format!("Key {} fingerprint: {}; value: {}", at + 1, plain(print), plain(key)),
            None => format!("Key {}: {}", at + 1, plain(key)),
        });
    }
    if !prints.is_empty() {
        lines.push(format!("\nEach key is encrypted for its owner, who reads it with: {}", super::pgp::READ));
    }
    if answer.get("backup").and_then(Value::as_bool).unwrap_or(false) {
        lines.push(format!(
            "\nThe server keeps them as they are shown here, from when they are in force until they are deleted with\n\
             strongroom operator {} -backup-delete",
            place.verb
        ));
    }
    lines.push(format!("\nOperation nonce: {}", answer.get("nonce").map(plain).unwrap_or_default()));
    let needs_proof = answer.get("verification_required").and_then(Value::as_bool).unwrap_or(false);
    lines.push(match needs_proof {
        true => format!(
            "\nThe new keys are not yet in force. Hand each of them to a custodian of its own, and let as many of them as \
             are needed give theirs with\nstrongroom operator {} -verify -nonce={}",
            place.verb,
            answer.get("verification_nonce").map(plain).unwrap_or_default()
        ),
        false => "\nThe new keys are in force. Hand each of them to a custodian of its own. The old ones open until the \
                  new ones have, once: that is the next unseal."
            .into(),
    });
    lines.join("\n")
}

/// How far it is.
fn print(call: &mut Call<'_>, status: &Value) -> Result<u8, Failure> {
    if call.format != Format::Table {
        show::document(call.io, call.format, status)?;
        return Ok(0);
    }
    let get = |name: &str| status.get(name).map(plain).unwrap_or_default();
    let on = |name: &str| status.get(name).and_then(Value::as_bool).unwrap_or(false);
    let mut rows = Rows::default();
    rows.add("Nonce", get("nonce"));
    rows.add("Started", on("started").to_string());
    if on("started") {
        let needed = if status.get("required").is_some() { get("required") } else { get("t") };
        rows.add("Progress", format!("{}/{needed}", get("progress")));
        rows.add("New Shares", get("n"));
        rows.add("New Threshold", get("t"));
        if status.get("verification_required").is_some() {
            rows.add("Verification Required", on("verification_required").to_string());
        }
        if !get("verification_nonce").is_empty() {
            rows.add("Verification Nonce", get("verification_nonce"));
        }
    }
    if status.get("pgp_fingerprints").is_some_and(Value::is_array) {
        rows.add("PGP Fingerprints", get("pgp_fingerprints"));
        rows.add("Backup", on("backup").to_string());
    }
    call.io.say(&rows.table());
    Ok(0)
}
