//! `version`, also asked for by `-version`.

use super::BASE;
use crate::VERSION;
use crate::io::Io;
use crate::show::FORMAT;
use crate::verb::{Call, Failure, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["version"],
    about: "Print the version",
    example: "version",
    max: None,
    flags: &[FORMAT],
    run,
    ..BASE
}];

/// As a verb.
pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    print(call.io)
}

/// Programs look at the first line.
pub fn print(io: &mut Io) -> Result<u8, Failure> {
    io.say(&format!("Strongroom v{VERSION}"));
    Ok(0)
}
