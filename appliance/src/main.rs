//! `strongroom`: the daemon and the command line. Start-up and wiring only.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | the server's configuration |
//! | [`registry`] | which engines, devices and sinks there are |
//! | [`routes`] | `strongroom routes`: what is answered to whom |
//! | [`server`] | `strongroom server`, and its `-dev` |
//! | [`sandbox`] | what the daemon gives up at start |
//! | [`supervise`] | `strongroom supervise`: the only code that starts processes |
//! | [`setup`] | `strongroom setup`: the state folder of `./x run` |
//! | [`certificate`] | a certificate for one machine |
//! | [`files`], [`say`] | files that nobody else reads; words to the terminal |

mod certificate;
mod config;
mod files;
#[cfg(test)]
mod matrix;
mod registry;
mod routes;
mod sandbox;
mod say;
mod server;
mod setup;
mod supervise;

use std::path::PathBuf;
use std::process::ExitCode;

/// A request is some two hundred small allocations, many of them freed by another thread: glibc's allocator takes a
/// tenth of its time for them, this one half as much. What is secret is wiped before it is freed, whoever keeps the memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Called through a link as `vault` or `bao` it is the same program: the name makes no difference.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first().map(|(verb, rest)| (verb.as_str(), rest)) {
        Some(("server", rest)) => server::main(rest),
        Some(("routes", rest)) => routes::main(rest),
        Some(("supervise", rest)) => supervise::main(rest),
        Some(("setup", rest)) => setup::main(rest),
        _ => {
            let mut io = strongroom_cli::Io::system(check_configuration);
            ExitCode::from(strongroom_cli::run(arguments, &mut io))
        }
    }
}

/// What `operator validate-config` prints.
fn check_configuration(paths: &[PathBuf]) -> Result<Vec<String>, Vec<String>> {
    let said = |remarks: &[config::report::Remark]| remarks.iter().map(ToString::to_string).collect();
    match config::load(paths) {
        Ok((_, report)) => Ok(said(&report.warnings)),
        Err(report) => Err(said(&report.problems)),
    }
}
