//! A custodian's key for an attempt that is under way: from the command line, from stdin, or typed without echo.

use crate::verb::{Call, Failure};

/// A key that is given with the command, for what needs none where a token may.
pub fn given(call: &mut Call<'_>) -> Result<Option<String>, Failure> {
    let given = call.arguments.first_mut().map(std::mem::take);
    match given.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some("-") => piped(call).map(Some),
        Some(key) => Ok(Some(key.to_owned())),
    }
}

fn piped(call: &mut Call<'_>) -> Result<String, Failure> {
    let text = call.io.read_stdin().map_err(|e| Failure::local(format!("Failed to read stdin: {e}")))?;
    let text = std::str::from_utf8(&text).map_err(|_| Failure::local("the key is not text"))?;
    Ok(text.trim().to_owned())
}

/// The key and the nonce that it is for. Who types the key is told the nonce of the attempt; who gives it otherwise
/// must name it, so that no key is offered to an attempt that somebody else has begun.
pub fn key(call: &mut Call<'_>, nonce: &str, what: &str) -> Result<(String, String), Failure> {
    let named = call.flags.text("nonce").map(str::to_owned);
    let given = call.arguments.first_mut().map(std::mem::take);
    let missing =
        || Failure::local("a nonce is needed with the key: -nonce=NONCE, as -init and -status print it");
    match given.as_deref().map(str::trim) {
        Some("-") => Ok((piped(call)?, named.ok_or_else(missing)?)),
        Some(key) if !key.is_empty() => Ok((key.to_owned(), named.ok_or_else(missing)?)),
        _ => {
            if call.flags.on("non-interactive") {
                return Err(Failure::local("a key is needed, and -non-interactive forbids to ask for it"));
            }
            let nonce = named.unwrap_or_else(|| nonce.to_owned());
            call.io.say(&format!("{what}: {nonce}"));
            let typed = call.io.ask_hidden("Unseal Key (will be hidden): ").map_err(|cause| {
                Failure::local(format!(
                    "The key cannot be asked for: {cause}. Run this on a terminal, or give the key through stdin: -nonce={nonce} -"
                ))
            })?;
            match typed.expose_str() {
                Some(text) if !text.is_empty() => Ok((text.to_owned(), nonce)),
                _ => Err(Failure::local("no key was typed")),
            }
        }
    }
}
