//! The forms that a key comes in: as bytes, armoured (RFC 9580, 6), or either of them in base64 as Vault's API has it.

use data_encoding::{BASE64, BASE64_NOPAD};
use strongroom_types::Secret;

use crate::{KeyError, MAX_KEY};

/// Base64 in base64, with lines: no key that is read is longer.
const MAX_TEXT: usize = 2 * MAX_KEY;

const BEGIN: &str = "-----BEGIN PGP ";
const PUBLIC: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const PRIVATE: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
const END: &str = "-----END PGP PUBLIC KEY BLOCK-----";

/// The bytes of a key; wiped, because it may be a private one, which is refused later.
pub fn decode(given: &[u8]) -> Result<Secret, KeyError> {
    if given.len() > MAX_TEXT {
        return Err(KeyError::TooLarge);
    }
    match plain(given)? {
        Some(bytes) => Ok(bytes),
        None => {
            plain(base64(given)?.expose())?.ok_or(KeyError::Malformed("no packet comes out of its base64"))
        }
    }
}

/// What is binary or armoured; `None` for other text.
fn plain(given: &[u8]) -> Result<Option<Secret>, KeyError> {
    match given.trim_ascii_start() {
        [] => Err(KeyError::Malformed("it is empty")),
        text if text.starts_with(BEGIN.as_bytes()) => armoured(text).map(Some),
        _ if given.first().is_some_and(|first| first & 0x80 != 0) => Ok(Some(Secret::copy_of(given))),
        _ => Ok(None),
    }
}

/// Without the lines around it. The checksum is not looked at, as RFC 9580 wants it: signatures show every change.
fn armoured(text: &[u8]) -> Result<Secret, KeyError> {
    let text = std::str::from_utf8(text).map_err(|_| KeyError::Malformed("its armour is no text"))?;
    let mut lines = text.lines().map(str::trim);
    match lines.next() {
        Some(PUBLIC) => {}
        Some(PRIVATE) => return Err(KeyError::Private),
        _ => return Err(KeyError::Malformed("it is the armour of something else")),
    }
    let mut body = Vec::with_capacity(text.len());
    for line in lines.by_ref().take_while(|line| *line != END) {
        // Headers before it, the checksum after it.
        let is_data = !line.contains(':') && !line.starts_with('=');
        body.extend_from_slice(if is_data { line.as_bytes() } else { &[] });
    }
    // `take_while` has eaten the end, if there was one.
    if !text.contains(END) {
        return Err(KeyError::Malformed("its armour has no end"));
    }
    if lines.any(|line| !line.is_empty()) {
        return Err(KeyError::Malformed("something follows its armour; give one key at a time"));
    }
    base64(Secret::from(body).expose())
}

fn base64(text: &[u8]) -> Result<Secret, KeyError> {
    let mut dense = Vec::with_capacity(text.len());
    dense.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let dense = Secret::from(dense);
    let bytes = BASE64.decode(dense.expose()).or_else(|_| BASE64_NOPAD.decode(dense.expose()));
    bytes.map(Secret::from).map_err(|_| KeyError::Malformed("it is neither binary nor armoured nor base64"))
}
