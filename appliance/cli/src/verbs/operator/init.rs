//! `operator init`.

use std::fmt::Write;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};

use super::super::status;
use super::pgp;
use crate::args::{Flag, Flags, Kind};
use crate::client::{Ask, Client};
use crate::show::{self, Format};
use crate::verb::{Call, Failure, LOCAL, REMOTE};

/// Its flags.
pub const FLAGS: &[Flag] = &[
    Flag {
        names: &["status"],
        kind: Kind::Bool,
        about: "Only tell whether it is initialised: exit 0 or 2; 1 without an answer",
    },
    Flag { names: &["key-shares", "n"], kind: Kind::Number, about: "How many unseal keys (5)" },
    Flag { names: &["key-threshold", "t"], kind: Kind::Number, about: "How many of them unseal (3)" },
    Flag {
        names: &["pgp-keys"],
        kind: Kind::Text,
        about: "Files of PGP keys, one for each unseal key, with commas between them: each is encrypted for its key",
    },
    Flag {
        names: &["root-token-pgp-key"],
        kind: Kind::Text,
        about: "A file of a PGP key: the root token is encrypted for it",
    },
    Flag {
        names: &["recovery-shares"],
        kind: Kind::Number,
        about: "How many recovery keys, beside devices (5)",
    },
    Flag { names: &["recovery-threshold"], kind: Kind::Number, about: "How many of them are needed (3)" },
    Flag {
        names: &["accept-total-loss"],
        kind: Kind::Bool,
        about: "With -recovery-shares=0: a lost device then loses everything",
    },
    Flag { names: &["recovery-pgp-keys"], kind: Kind::Text, about: "The same for the recovery keys" },
];

/// How many keys are made unless more or fewer are asked for.
pub const SHARES: i64 = 5;
/// How many of them are needed.
pub const THRESHOLD: i64 = 3;

pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let client = call.client()?;
    if call.flags.on("status") {
        return status_only(call, &client);
    }
    let failed = |cause| Failure::during("Error initializing", &cause);
    let seal = client
        .ask(&Ask::preliminary("sys/seal-status"))
        .and_then(|answer| status::object(&answer.body))
        .map_err(failed)?;
    let by_device = seal.get("recovery_seal").and_then(Value::as_bool).unwrap_or(false);
    let wish = Wish::of(&call.flags, by_device, call)?;
    let body = wish.body();
    let answer = client.ask(&Ask::put("sys/init", &body)).map_err(failed)?;
    let made = status::object(&answer.body).map_err(failed)?;
    match call.format {
        Format::Table => call.io.say(&text(&made, &wish)),
        format => show::document(call.io, format, &document(&made, &wish))?,
    }
    Ok(0)
}

fn status_only(call: &mut Call<'_>, client: &Client) -> Result<u8, Failure> {
    // A script must tell "not initialised" from "not there".
    let not_there = |cause| Failure::with_code(LOCAL, "Error checking init", &cause);
    let answer = status::body(client, "sys/init").map_err(not_there)?;
    let is = answer.get("initialized").and_then(Value::as_bool).unwrap_or(false);
    match call.format {
        Format::Table if is => call.io.say("Vault is initialized"),
        Format::Table => call.io.say("Vault is not initialized"),
        format => show::document(call.io, format, &json!({ "Initialized": is }))?,
    }
    Ok(if is { 0 } else { REMOTE })
}

/// What is asked for.
struct Wish {
    shares: Option<i64>,
    threshold: Option<i64>,
    recovery_shares: Option<i64>,
    recovery_threshold: Option<i64>,
    pgp_keys: Vec<String>,
    recovery_pgp_keys: Vec<String>,
    root_token_pgp_key: Option<String>,
    accept_total_loss: bool,
}

impl Wish {
    /// With devices the keys are recovery keys, else unseal keys; what is not asked for has Vault's defaults.
    fn of(flags: &Flags, by_device: bool, call: &Call<'_>) -> Result<Self, Failure> {
        let number =
            |name: &str, applies: bool, default: i64| flags.number(name).or(applies.then_some(default));
        Ok(Self {
            shares: number("key-shares", !by_device, SHARES),
            threshold: number("key-threshold", !by_device, THRESHOLD),
            recovery_shares: number("recovery-shares", by_device, SHARES),
            recovery_threshold: number("recovery-threshold", by_device, THRESHOLD),
            pgp_keys: pgp::keys(call, "pgp-keys")?,
            recovery_pgp_keys: pgp::keys(call, "recovery-pgp-keys")?,
            root_token_pgp_key: pgp::one_key(call, "root-token-pgp-key")?,
            accept_total_loss: flags.on("accept-total-loss"),
        })
    }

    /// Whether keys are encrypted.
    fn has_keys(&self) -> bool {
        !self.pgp_keys.is_empty() || !self.recovery_pgp_keys.is_empty()
    }

    fn body(&self) -> Value {
        let mut body = serde_json::Map::new();
        let numbers = [
            ("secret_shares", self.shares),
            ("secret_threshold", self.threshold),
            ("recovery_shares", self.recovery_shares),
            ("recovery_threshold", self.recovery_threshold),
        ];
        for (name, number) in numbers {
            body.extend(number.map(|number| (name.to_owned(), number.into())));
        }
        for (name, keys) in [("pgp_keys", &self.pgp_keys), ("recovery_pgp_keys", &self.recovery_pgp_keys)] {
            if !keys.is_empty() {
                body.insert(name.to_owned(), json!(keys));
            }
        }
        body.extend(
            self.root_token_pgp_key.as_ref().map(|key| ("root_token_pgp_key".to_owned(), json!(key))),
        );
        if self.accept_total_loss {
            body.insert("accept_total_loss".to_owned(), true.into());
        }
        Value::Object(body)
    }
}

fn texts<'a>(made: &'a Value, name: &str) -> Vec<&'a str> {
    made.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// As base64: from its own member, or from the hexadecimal one.
fn keys(made: &Value, base64: &str, hex: &str) -> Vec<String> {
    let encoded = texts(made, base64);
    if !encoded.is_empty() {
        return encoded.into_iter().map(str::to_owned).collect();
    }
    let decode = |key: &str| {
        HEXLOWER_PERMISSIVE.decode(key.as_bytes()).map_or_else(|_| key.to_owned(), |key| BASE64.encode(&key))
    };
    texts(made, hex).into_iter().map(decode).collect()
}

fn text(made: &Value, wish: &Wish) -> String {
    let unseal = keys(made, "keys_base64", "keys");
    let recovery = keys(made, "recovery_keys_base64", "recovery_keys");
    let mut out = String::new();
    for (kind, keys) in [("Unseal", &unseal), ("Recovery", &recovery)] {
        for (number, key) in keys.iter().enumerate() {
            let _ = writeln!(out, "{kind} Key {}: {key}", number + 1);
        }
        if !keys.is_empty() {
            out.push('\n');
        }
    }
    let token = made.get("root_token").and_then(Value::as_str).unwrap_or_default();
    let _ = write!(out, "Initial Root Token: {token}\n\n");
    let encrypted = match (wish.has_keys(), wish.root_token_pgp_key.is_some()) {
        (true, true) => "Each key, and the token, is encrypted for its owner, who reads it",
        (true, false) => "Each key is encrypted for its owner, who reads it",
        (false, true) => "The token is encrypted for its owner, who reads it",
        (false, false) => "",
    };
    if !encrypted.is_empty() {
        let _ = write!(out, "{encrypted} with: {}\n\n", pgp::READ);
    }
    let _ = match (unseal.len(), recovery.len()) {
        (0, 0) => {
            write!(out, "Success! Vault is initialized. It unseals by its devices; nothing else opens it.")
        }
        (0, count) => write!(
            out,
            "Success! Vault is initialized. It unseals by its devices. {count} recovery keys were made, {} of which open\n\
             it without them: hand each to a custodian of its own, and keep none here.",
            wish.recovery_threshold.unwrap_or(0)
        ),
        (count, _) => write!(
            out,
            "Vault is initialized with {count} key shares and a key threshold of {needed}. Hand each unseal key to a custodian\n\
             of its own: whenever the server has been started or sealed, it takes {needed} of them to unseal it. There is no\n\
             other way: whoever loses too many keys loses the data.",
            needed = wish.threshold.unwrap_or(0)
        ),
    };
    out
}

fn document(made: &Value, wish: &Wish) -> Value {
    let list = |base64: &str, hex: &str| {
        let keys = keys(made, base64, hex);
        if keys.is_empty() { Value::Null } else { json!(keys) }
    };
    let recovery_hex = texts(made, "recovery_keys");
    json!({
        "unseal_keys_b64": keys(made, "keys_base64", "keys"),
        "unseal_keys_hex": texts(made, "keys"),
        "unseal_shares": wish.shares.unwrap_or(0),
        "unseal_threshold": wish.threshold.unwrap_or(0),
        "recovery_keys_b64": list("recovery_keys_base64", "recovery_keys"),
        "recovery_keys_hex": if recovery_hex.is_empty() { Value::Null } else { json!(recovery_hex) },
        "recovery_keys_shares": wish.recovery_shares.unwrap_or(0),
        "recovery_keys_threshold": wish.recovery_threshold.unwrap_or(0),
        "root_token": made.get("root_token").cloned().unwrap_or_default(),
    })
}
