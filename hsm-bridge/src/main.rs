//! The process that loads a PKCS#11 module, alone: vendors' libraries crash, hang and corrupt memory, and the
//! daemon, which holds the keys, must not. It serves the operations of `device-api` on a Unix socket.
//!
//! | module | holds |
//! |---|---|
//! | `config` | the flags |
//! | `device` | the operations, each on a thread with a session |
//! | `session` | the module's life: initialise, log in, lose the token, find it again |
//! | `login`, `latch`, `pin` | the PIN: where it comes from, and that a refused one is never tried again |
//! | `object` | find or make a key, and what it must be like |
//! | `mechanism` | AES-GCM, and the format of what is wrapped |
//! | `allow` | the closed list of what is asked of the module |
//! | `error` | the module's codes, by what to do next |

mod allow;
mod config;
mod device;
mod error;
mod latch;
mod login;
mod mechanism;
mod object;
mod pin;
mod session;

use std::process::ExitCode;
use std::sync::Arc;

use strongroom_device_api::bridge::flags::FlagError;
use strongroom_device_api::bridge::{Serving, exit_code, serve, show_help};

use config::{Command, Config};
use session::Module;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    exit_code(config::read(&args).and_then(|command| match command {
        Command::Help => {
            show_help(&config::help());
            Ok(())
        }
        Command::ClearLatch(latch) => latch.clear_by_operator(),
        Command::Serve(config, serving) => serve_module(*config, serving),
    }))
}

/// Until SIGTERM; then the module is closed.
fn serve_module(config: Config, serving: Serving) -> Result<(), FlagError> {
    let mut loaded = None;
    serve(
        serving,
        |pool| {
            let module = loaded.insert(Arc::new(Module::load(config)?));
            device::start(module, pool)
                .map_err(|cause| FlagError(format!("threads cannot be started: {cause}")))
        },
        |identity| format!("token {} ({}) is open", identity.serial, identity.model),
    )?;
    if let Some(module) = loaded {
        module.close();
    }
    Ok(())
}
