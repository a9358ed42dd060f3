//! `strongroom server`: from the command line to a daemon that serves.
//!
//! | module | holds |
//! |---|---|
//! | `flags` | the command line |
//! | `production` | what a configuration names, opened and put together |
//! | `dev` | the same for `-dev`: in memory, initialised and unsealed |
//! | `running` | from then on: serve, reload, drain |
//! | `banner` | what is said at start |

mod banner;
mod dev;
mod flags;
mod production;
mod running;

use std::process::ExitCode;

use crate::{sandbox, say};
use flags::Command;

pub use strongroom_cli::VERSION;

/// The command, with the arguments after its name.
pub fn main(arguments: &[String]) -> ExitCode {
    let command = match flags::parse(arguments, &|name| std::env::var(name).ok()) {
        Ok(command) => command,
        Err(what) => return say::failure(&format!("server: {what}")),
    };
    if let Command::Help = command {
        say::out(flags::USAGE);
        return ExitCode::SUCCESS;
    }
    // Before anything secret is read, and before there is a second thread.
    sandbox::use_what_is_allowed();
    if let Err(cause) = sandbox::enter() {
        return say::failure(&format!("server: {cause}"));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return say::failure(&format!("server: cannot begin: {cause}")),
    };
    let served = runtime.block_on(async {
        match command {
            Command::Help => Ok(()),
            Command::Production { configurations, log_level } => {
                production::serve(&configurations, log_level).await
            }
            Command::Development(wish) => dev::serve(&wish).await,
        }
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => say::failure(&what),
    }
}
