//! Words to the person at the terminal, before and beside the daemon's log. Never a secret, but for the lines
//! of a development server that are its purpose.

use std::io::Write;
use std::process::ExitCode;

/// A line on the standard output.
pub fn out(text: &str) {
    // A terminal that is gone is no reason to end.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line on the standard error.
pub fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A line on the standard error, and the exit code of a local mistake.
pub fn failure(text: &str) -> ExitCode {
    error(text);
    ExitCode::from(1)
}
