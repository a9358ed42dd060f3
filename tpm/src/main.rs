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

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom_device_api::bridge::flags::FlagError;
use strongroom_device_api::bridge::{harden, say, stop_on_signals};
use strongroom_device_api::{KeyDevice, server};

use config::{Command, Config};
use device::TpmDevice;

fn main() -> ExitCode {
    silence_tss();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match config::read(&args) {
        Ok(Command::Help) => {
            // Nobody reads it if stdout is closed.
            let _ = std::io::stdout().write_all(config::help().as_bytes());
            Ok(())
        }
        Ok(Command::Serve(config)) => serve(*config),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
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
fn serve(config: Config) -> Result<(), FlagError> {
    harden().map_err(|cause| FlagError(format!("this process cannot be hardened: {cause}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|cause| FlagError(format!("no runtime: {cause}")))?;
    let Config { tpm, socket, server, pool } = config;
    let device = TpmDevice::start(tpm, pool)
        .map_err(|cause| FlagError(format!("threads cannot be started: {cause}")))?;
    let device = Arc::new(device);
    runtime.block_on(async {
        let stop =
            stop_on_signals().map_err(|cause| FlagError(format!("signals cannot be caught: {cause}")))?;
        // Its first opening; a TPM that is missing is reported, and looked for again at each call.
        if let Ok(identity) = device.identity().await {
            say(&format!("TPM {} with the primary key {} is open", identity.model, identity.serial));
        }
        let listener = socket
            .listen()
            .map_err(|cause| FlagError(format!("--socket {}: {cause}", socket.path.display())))?;
        say(&format!("ready on {}", socket.path.display()));
        server::serve(listener, server, Arc::clone(&device) as Arc<dyn KeyDevice>, stop).await;
        socket.remove();
        Ok(())
    })
}
