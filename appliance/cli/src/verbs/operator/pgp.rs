//! The keys of people that a ceremony encrypts for.

use data_encoding::BASE64;

use crate::verb::{Call, Failure};

/// How an owner reads what was encrypted for them.
pub const READ: &str = "base64 -d | gpg -d";

/// The files that a flag names, with commas between them, each as base64 of its bytes; text that is base64 already stays.
pub fn keys(call: &Call<'_>, flag: &str) -> Result<Vec<String>, Failure> {
    let names = call.flags.text(flag).unwrap_or_default().split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(|name| key(call, name)).collect()
}

/// The one file that a flag names.
pub fn one_key(call: &Call<'_>, flag: &str) -> Result<Option<String>, Failure> {
    let mut keys = keys(call, flag)?;
    match keys.len() {
        0 | 1 => Ok(keys.pop()),
        count => Err(Failure::local(format!(
            "-{flag} names {count} files: there is one token, and one key for it"
        ))),
    }
}

fn key(call: &Call<'_>, name: &str) -> Result<String, Failure> {
    if let Some(person) = name.strip_prefix("keybase:") {
        return Err(Failure::local(format!(
            "{name}: no key is fetched from anywhere. Get the key of {person}, compare its fingerprint with theirs, and name the file"
        )));
    }
    let name = name.strip_prefix('@').unwrap_or(name);
    let bytes = call
        .io
        .read_file(name)
        .map_err(|e| Failure::local(format!("cannot read the PGP key {name}: {e}")))?;
    let text = bytes.trim_ascii();
    Ok(match (BASE64.decode(text), std::str::from_utf8(text)) {
        (Ok(_), Ok(text)) => text.to_owned(),
        _ => BASE64.encode(&bytes),
    })
}
