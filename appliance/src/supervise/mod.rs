//! `strongroom supervise`: starts the programs of a file, and again what dies. For `./x run` and tests; an
//! image has `init` for this, a host systemd. The only code of Strongroom that starts processes.
//!
//! ```text
//! supervise ── fork ──▶ strongroom supervise -shim … ── exec ──▶ the program
//!                       asks the kernel to be killed with its parent
//! ```
//!
//! Invariant: no program outlives the supervisor, however that ends.

mod backoff;
mod child;
mod plan;
mod run;
mod shim;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::say;

const USAGE: &str = "Usage: strongroom supervise -config=FILE

  Starts the programs that FILE lists, in order, and again what dies. SIGTERM stops them all, the last one
  first, and SIGQUIT does so as a failure; SIGHUP is handed on to those with reload = true.

    program \"hsm-bridge\" {
      command     = [\"/usr/libexec/strongroom/hsm-bridge\", \"…\"]
      environment = { NAME = \"value\" }
      log         = \"/var/log/strongroom/hsm-bridge.log\"
      ready       = \"/run/strongroom/hsm.sock\"
    }

  ready is a socket that will be there, or a port that will answer: the next program waits for it.";

/// The command, with the arguments after its name.
pub fn main(arguments: &[String]) -> ExitCode {
    if let Some((first, rest)) = arguments.split_first()
        && first == shim::FLAG
    {
        return shim::run(rest);
    }
    let file = match parse(arguments) {
        Ok(Some(file)) => file,
        Ok(None) => {
            say::out(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(what) => return say::failure(&format!("{what}\n\n{USAGE}")),
    };
    let plan = match plan::load(&file) {
        Ok(plan) => plan,
        Err(report) => return say::failure(&report.to_string()),
    };
    match run::run(&plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => say::failure(&format!("supervise: {what}")),
    }
}

/// Whether `file` is a supervisor's file, for the test of what `setup` writes.
#[cfg(test)]
pub fn check(file: &std::path::Path) -> Result<(), String> {
    plan::load(file).map(|_| ()).map_err(|report| report.to_string())
}

/// The file to read; `None` asks for help.
fn parse(arguments: &[String]) -> Result<Option<PathBuf>, String> {
    let mut file = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let name = argument.trim_start_matches('-');
        match name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value.to_owned()))) {
            ("config", Some(value)) => file = Some(PathBuf::from(value)),
            ("config", None) => file = rest.next().map(PathBuf::from),
            ("help" | "h", _) => return Ok(None),
            _ => return Err("supervise: unknown argument".to_owned()),
        }
    }
    file.map(Some).ok_or_else(|| "supervise: -config=FILE is missing".to_owned())
}
