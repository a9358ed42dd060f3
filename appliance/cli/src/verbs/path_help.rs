//! `path-help`: what the server knows of a path.

use serde_json::Value;

use super::BASE;
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::{self, Format, plain};
use crate::verb::{Call, Failure, First, Verb};

/// The verb of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["path-help"],
    about: "Tell what can be done at a path",
    takes: "PATH",
    example: "path-help sys/mounts",
    min: 1,
    first: First::Path,
    max: Some(1),
    run: |call| {
        let path = call.path(0);
        show(call, &path)
    },
    ..BASE
}];

/// Shows the help of `path`.
pub fn show(call: &mut Call<'_>, path: &str) -> Result<u8, Failure> {
    let query = vec![("help".to_owned(), "1".to_owned())];
    let what = format!("Error retrieving help for {path}");
    let help = Secret::find(&call.client()?, &what, &Ask { query, ..Ask::get(path) })?;
    let text = help.as_ref().and_then(|help| help.get("help")).filter(|text| **text != Value::Null);
    let (Some(help), Some(text)) = (&help, text) else {
        return Err(Failure::remote(format!("No help found at {path}")));
    };
    match call.format {
        Format::Table => call.io.say(plain(text).trim_end()),
        format => show::document(call.io, format, &help.data)?,
    }
    Ok(0)
}
