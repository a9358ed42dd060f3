//! `unwrap`: takes an answer out of its wrapping, once.

use serde_json::json;
use strongroom_types::Secret as Hidden;

use super::{BASE, FIELD, FORMAT, HTTP};
use crate::client::Ask;
use crate::secret::Secret;
use crate::verb::{Call, Failure, Verb};
use crate::{show, token};

/// The verb of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["unwrap"],
    about: "Print what a wrapping token holds, and end it; without an argument, the token in use",
    takes: "[TOKEN]",
    example: "unwrap hvs.CAESIKMEvaQ1ofA1",
    max: None,
    flags: &[HTTP, FORMAT, FIELD],
    run,
    ..BASE
}];

const PATH: &str = "sys/wrapping/unwrap";

fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let given = match call.arguments.as_slice() {
        [] => None,
        [token] => Some(token.trim().to_owned()),
        more => return Err(Failure::local(format!("Too many arguments (expected 0-1, got {})", more.len()))),
    };
    let client = call.client()?;
    let what = "Error unwrapping";
    let own = token::current(call.io)
        .map_err(|error| Failure::local(format!("cannot read the token in use: {error}")))?;
    let secret = match (given, own) {
        // The token of the one who asks stays out of it where it is the wrapping token itself, or where there is none.
        (Some(given), Some(own)) if own != Hidden::copy_of(given.as_bytes()) => {
            Secret::ask(&client, what, &Ask::put(PATH, &json!({ "token": given })))?
        }
        (Some(given), _) => {
            let client = client.with_token(Hidden::from(given));
            Secret::ask(&client, what, &Ask { method: "PUT", path: PATH, ..Ask::default() })?
        }
        (None, _) => Secret::ask(&client, what, &Ask { method: "PUT", path: PATH, ..Ask::default() })?,
    };
    match secret {
        Some(secret) => show::whole_or_field(call, &secret),
        None => {
            call.io.say("Success! The wrapped answer was empty.");
            Ok(0)
        }
    }
}
