//! `monitor`: the server's log as it is written.

use std::ops::ControlFlow;

use super::{BASE, HTTP};
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::verb::{Call, Failure, Verb};

/// The verb of this file.
pub const VERBS: &[Verb] = &[Verb {
    words: &["monitor"],
    about: "Print the server's log as it is written, until it is interrupted",
    example: "monitor -log-level=debug",
    flags: &[HTTP, LOG],
    run,
    ..BASE
}];

const LOG: &[Flag] = &[
    Flag { names: &["log-level"], kind: Kind::Text, about: "trace, debug, info, warn or error (info)" },
    Flag { names: &["log-format"], kind: Kind::Text, about: "standard or json (standard)" },
];

const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let level = call.flags.text("log-level").unwrap_or("info").to_ascii_lowercase();
    if !LEVELS.contains(&level.as_str()) {
        return Err(Failure::local(format!("{level} is no log level: {}", LEVELS.join(", "))));
    }
    let format = call.flags.text("log-format").unwrap_or("standard").to_owned();
    if !matches!(format.as_str(), "standard" | "json") {
        return Err(Failure::local(format!("Unknown log format: {format}: it is standard or json")));
    }
    let client = call.client()?;
    let query = vec![("log_level".to_owned(), level), ("log_format".to_owned(), format)];
    let ask = Ask { query, ..Ask::get("sys/monitor") };
    // Only whole lines: a part may end within a letter.
    let mut line = Vec::new();
    let mut print = |part: &[u8]| {
        line.extend_from_slice(part);
        let whole = line.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = line.drain(..whole).collect();
        match call.io.say_now(&String::from_utf8_lossy(&lines)) {
            Ok(()) => ControlFlow::Continue(()),
            // As at the end of any pipe: whoever reads has read enough.
            Err(_) => ControlFlow::Break(()),
        }
    };
    client.follow(&ask, &mut print).map_err(|cause| Failure::during("Error following the log", &cause))?;
    Ok(0)
}
