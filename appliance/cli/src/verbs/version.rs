//! `version`, also asked for by `-version`.

use crate::VERSION;
use crate::io::Io;
use crate::verb::{Call, Failure};

/// As a verb.
pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    print(call.io)
}

/// Programs look at the first line.
pub fn print(io: &mut Io) -> Result<u8, Failure> {
    io.say(&format!("Strongroom v{VERSION}"));
    Ok(0)
}
