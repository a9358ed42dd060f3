//! The daemon's own log: one line per event on stderr, never a secret, never a client's input.

use std::fmt::Arguments;
use std::io::Write;

/// Something an operator should know.
pub fn info(text: Arguments<'_>) {
    line("INFO ", text);
}

/// Something an operator should look at.
pub fn warn(text: Arguments<'_>) {
    line("WARN ", text);
}

/// Something that went wrong.
pub fn error(text: Arguments<'_>) {
    line("ERROR", text);
}

fn line(level: &str, text: Arguments<'_>) {
    // A log that cannot be written must not end the daemon.
    let _ = writeln!(std::io::stderr().lock(), "strongroom {level} {text}");
}
