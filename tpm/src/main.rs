//! The process that talks to the TPM, alone. It serves the operations of `device-api` on a Unix socket.
//!
//! | module | holds |
//! |---|---|
//! | `config` | the flags |
//! | `device` | the operations, on the one thread that owns the connection |
//! | `session` | the connection: opened, the primary key compared, encrypted sessions, opened again after a loss |
//! | `enrolment` | the name of the primary key, pinned |
//! | `policy` | which PCRs, and the policy they make |
//! | `seal` | sealed objects, and the format of what is wrapped |
//! | `simulator` | what a simulated TPM needs besides |
//! | `error` | response codes, by what to do next |

mod config;
mod device;
mod enrolment;
mod error;
mod policy;
mod seal;
mod session;
mod simulator;

use std::process::ExitCode;

use strongroom_device_api::bridge::flags::FlagError;
use strongroom_device_api::bridge::{PooledDevice, exit_code, serve, show_help};

use config::{Command, Config};
use session::Connection;

fn main() -> ExitCode {
    silence_tss();
    let args: Vec<String> = std::env::args().skip(1).collect();
    exit_code(config::read(&args).and_then(|command| match command {
        Command::Help => {
            show_help(&config::help());
            Ok(())
        }
        Command::Serve(config) => serve_tpm(*config),
    }))
}

/// The library writes to stderr as its environment says: at its chattiest, what it sends. Nobody may turn that on.
fn silence_tss() {
    // SAFETY: this is the first line of `main`: there is no other thread that could read the environment.
    #[expect(unsafe_code, reason = "the library takes its log level from the environment only")]
    unsafe {
        std::env::set_var("TSS2_LOG", "all+NONE");
        std::env::remove_var("TSS2_LOGFILE");
    }
}

/// Until SIGTERM.
fn serve_tpm(config: Config) -> Result<(), FlagError> {
    let Config { tpm, serving } = config;
    let start = |pool| {
        PooledDevice::start(pool, vec![Connection::new(tpm)])
            .map_err(|cause| FlagError(format!("threads cannot be started: {cause}")))
    };
    serve(serving, start, |identity| {
        format!("TPM {} with the primary key {} is open", identity.model, identity.serial)
    })
}
