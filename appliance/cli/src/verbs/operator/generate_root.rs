//! `operator generate-root`: a new root token, by a threshold of keys. It comes encrypted with a one-time pad (OTP) that
//! only the one who began knows.

use data_encoding::{BASE64, BASE64_NOPAD};
use rustls::crypto::aws_lc_rs;
use serde_json::{Map, Value, json};

use super::super::status;
use super::keys_typed::{given, key};
use crate::args::{Flag, Kind};
use crate::client::{Ask, Client, ClientError};
use crate::input;
use crate::show::{self, Format, plain};
use crate::verb::{Call, Failure};

/// The flags.
pub const FLAGS: &[Flag] = &[
    Flag { names: &["init"], kind: Kind::Bool, about: "Begin: with a token that may, or with a key" },
    Flag { names: &["cancel"], kind: Kind::Bool, about: "Give up: with a token that may, or with a key" },
    Flag { names: &["status"], kind: Kind::Bool, about: "Tell how far it is" },
    Flag {
        names: &["generate-otp"],
        kind: Kind::Bool,
        about: "Print a one-time pad that -init can be given",
    },
    Flag { names: &["otp"], kind: Kind::Text, about: "The one-time pad, for -init and -decode" },
    Flag { names: &["decode"], kind: Kind::Text, about: "Print the token that is in this text; needs -otp" },
    Flag {
        names: &["pgp-key"],
        kind: Kind::Text,
        about: "With -init: a file of a PGP key that the token is encrypted for, instead of a one-time pad",
    },
    Flag { names: &["nonce"], kind: Kind::Text, about: "Which attempt a key is for" },
];

/// Where the API has it: for those who may by their token; and for custodians, with a key in its place.
const BASES: [&str; 2] = ["sys/generate-root-token", "sys/generate-root"];
const STATUS: &str = "Error reading root generation status";
/// How long a token is where the server does not say.
const LENGTH: usize = 28;
/// What a one-time pad is made of.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let on = |name: &str| call.flags.on(name);
    if call.flags.text("decode").is_some() {
        return decode(call);
    }
    let client = call.client()?;
    if on("generate-otp") {
        let length = base(&client).ok().and_then(|(_, now)| now.get("otp_length")?.as_u64());
        let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length > 0);
        let otp = otp(length.unwrap_or(LENGTH))?;
        return match call.format {
            Format::Table => show::one_value(call.io, call.format, &otp.into()),
            format => {
                show::document(call.io, format, &json!({ "otp": otp, "otp_length": otp.len() })).map(|()| 0)
            }
        };
    }
    let (base, now) = base(&client)?;
    let attempt = format!("{base}/attempt");
    if on("status") {
        let now = object(&client, STATUS, &Ask::get(&attempt))?;
        return print(call, &now);
    }
    if on("cancel") {
        let body = own_key(call, &["nonce"])?;
        let has_body = !body.is_empty();
        let body = Value::Object(body);
        let ask = Ask { body: has_body.then_some(&body), ..Ask::delete(&attempt) };
        let cancelled = client.ask(&ask);
        input::wipe(body);
        cancelled.map_err(|cause| Failure::during("Error canceling root token generation", &cause))?;
        call.io.say("Success! Root token generation canceled (if it was started)");
        return Ok(0);
    }
    if on("init") {
        let mut body = own_key(call, &["otp"])?;
        if let Some(key) = super::pgp::one_key(call, "pgp-key")? {
            body.insert("pgp_key".into(), key.into());
        }
        let body = Value::Object(body);
        let begun = object(&client, "Error initializing root generation", &Ask::put(&attempt, &body));
        input::wipe(body);
        return print(call, &begun?);
    }
    offer(call, &client, base, &now)
}

/// A custodian's own key, for the server's `key`, and what these flags say.
fn own_key(call: &mut Call<'_>, flags: &[&str]) -> Result<Map<String, Value>, Failure> {
    let mut body = Map::new();
    for flag in flags {
        body.extend(call.flags.text(flag).map(|text| ((*flag).to_owned(), text.into())));
    }
    body.extend(given(call)?.map(|key| ("key".to_owned(), key.into())));
    Ok(body)
}

/// The JSON of an answer, with an envelope or without.
fn object(client: &Client, what: &str, ask: &Ask<'_>) -> Result<Value, Failure> {
    let failed = |cause: ClientError| Failure::during(what, &cause);
    let body = client.ask(ask).and_then(|answer| status::object(&answer.body)).map_err(failed)?;
    Ok(unwrapped(body))
}

/// What is in the envelope, if there is one.
fn unwrapped(body: Value) -> Value {
    match body.get("data") {
        Some(data @ Value::Object(_)) => data.clone(),
        _ => body,
    }
}

/// The first of [`BASES`] that this server has for this caller, and how far it is there.
fn base(client: &Client) -> Result<(&'static str, Value), Failure> {
    let mut last = Failure::remote(STATUS);
    for base in BASES {
        let path = format!("{base}/attempt");
        match client.ask(&Ask::preliminary(&path)).and_then(|answer| status::object(&answer.body)) {
            Ok(body) => {
                return Ok((base, unwrapped(body)));
            }
            Err(cause) => {
                let is_unknown =
                    matches!(&cause, ClientError::Refused(refused) if matches!(refused.status, 403..=405));
                last = Failure::during(STATUS, &cause);
                if !is_unknown {
                    break;
                }
            }
        }
    }
    Err(last)
}

/// Gives the server one key.
fn offer(call: &mut Call<'_>, client: &Client, base: &str, now: &Value) -> Result<u8, Failure> {
    if !now.get("started").and_then(Value::as_bool).unwrap_or(false) {
        return Err(Failure::local("No root generation is in progress: begin one with -init"));
    }
    let current = now.get("nonce").map(plain).unwrap_or_default();
    let (key, nonce) = key(call, &current, "Root generation operation nonce")?;
    let mut body = Map::new();
    body.insert("key".into(), key.into());
    body.insert("nonce".into(), nonce.into());
    let body = Value::Object(body);
    let mut answer = client.ask(&Ask::put(&format!("{base}/update"), &body));
    if matches!(&answer, Err(ClientError::Refused(refused)) if refused.status == 403) {
        // Without a token that may, a key is as good where the attempt was begun.
        answer = client.ask(&Ask::put(&format!("{base}/attempt"), &body));
    }
    input::wipe(body);
    let answer = answer.and_then(|answer| status::object(&answer.body));
    print(call, &unwrapped(answer.map_err(|cause| Failure::during("Error posting unseal key", &cause))?))
}

fn print(call: &mut Call<'_>, now: &Value) -> Result<u8, Failure> {
    if call.format != Format::Table {
        show::document(call.io, call.format, now)?;
        return Ok(0);
    }
    let get = |name: &str| now.get(name).map(plain).unwrap_or_default();
    let mut rows = vec![
        ("Nonce", get("nonce")),
        ("Started", get("started")),
        ("Progress", format!("{}/{}", get("progress"), get("required"))),
        ("Complete", get("complete")),
    ];
    for (name, shown) in
        [("pgp_fingerprint", "PGP Fingerprint"), ("encoded_token", "Encoded Token"), ("otp", "OTP")]
    {
        if !get(name).is_empty() {
            rows.push((shown, get(name)));
        }
    }
    // Who has begun has the pad already.
    let has_begun = now.get("started").and_then(Value::as_bool).unwrap_or(false);
    if !has_begun || !get("otp").is_empty() {
        rows.push(("OTP Length", get("otp_length")));
    }
    call.io.say(&show::lines(&rows));
    Ok(0)
}

/// `length` letters, each as likely as any other.
fn otp(length: usize) -> Result<String, Failure> {
    let mut out = String::with_capacity(length);
    let random = aws_lc_rs::default_provider().secure_random;
    while out.len() < length {
        let mut byte = [0];
        random.fill(&mut byte).map_err(|_| Failure::local("the system's random generator fails"))?;
        let [byte] = byte;
        // 248 is 4 times 62: what lies above would make the first letters likelier.
        let letter = (byte < 248).then(|| LETTERS.get(usize::from(byte % 62))).flatten();
        out.extend(letter.map(|letter| char::from(*letter)));
    }
    Ok(out)
}

fn decode(call: &mut Call<'_>) -> Result<u8, Failure> {
    let encoded = call.flags.text("decode").unwrap_or_default();
    let otp = call.flags.text("otp").ok_or_else(|| {
        Failure::local(format!(
            "-decode needs -otp; a token for a PGP key is read by its owner, with: {}",
            super::pgp::READ
        ))
    })?;
    let token = decoded(encoded.trim(), otp).map_err(Failure::local)?;
    match call.format {
        Format::Table => show::one_value(call.io, call.format, &token.into()),
        format => show::document(call.io, format, &json!({ "token": token })).map(|()| 0),
    }
}

fn decoded(encoded: &str, otp: &str) -> Result<String, String> {
    let bytes = BASE64_NOPAD
        .decode(encoded.as_bytes())
        .or_else(|_| BASE64.decode(encoded.as_bytes()))
        .map_err(|error| format!("the text for -decode is no base64: {error}"))?;
    if bytes.len() != otp.len() {
        return Err(format!("the token has {} characters and the one-time pad {}", bytes.len(), otp.len()));
    }
    let token = bytes.iter().zip(otp.bytes()).map(|(a, b)| a ^ b).collect();
    String::from_utf8(token)
        .map_err(|_| "what comes out is no token: the one-time pad is another's".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_out_of_their_pad() {
        assert_eq!(decoded("Ly0oLg", "XYZA").unwrap(), "wtro");
        assert!(decoded("Ly0oLg", "XYZ").is_err() && decoded("%", "X").is_err());
        let otp = otp(2000).unwrap();
        assert_eq!(otp.len(), 2000);
        assert!(LETTERS.iter().all(|letter| otp.contains(char::from(*letter))));
    }
}
