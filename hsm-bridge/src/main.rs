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

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom_device_api::bridge::flags::FlagError;
use strongroom_device_api::bridge::{harden, say, stop_on_signals};
use strongroom_device_api::{KeyDevice, server};

use config::{Command, Config};
use device::HsmDevice;
use session::Module;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match config::read(&args) {
        Ok(Command::Help) => {
            // Nobody reads it if stdout is closed.
            let _ = std::io::stdout().write_all(config::help().as_bytes());
            Ok(())
        }
        Ok(Command::ClearLatch(latch)) => latch.clear_by_operator(),
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

/// Until SIGTERM.
fn serve(config: Config) -> Result<(), FlagError> {
    harden().map_err(|cause| FlagError(format!("this process cannot be hardened: {cause}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|cause| FlagError(format!("no runtime: {cause}")))?;
    let Config { socket, server, pool, .. } = &config;
    let (socket, server, pool) = (socket.clone(), server.clone(), *pool);
    let module = Arc::new(Module::load(config)?);
    let device = HsmDevice::start(Arc::clone(&module), pool)
        .map_err(|cause| FlagError(format!("threads cannot be started: {cause}")))?;
    let device = Arc::new(device);
    runtime.block_on(async {
        let stop =
            stop_on_signals().map_err(|cause| FlagError(format!("signals cannot be caught: {cause}")))?;
        // Its first opening; a device that is missing is reported, and looked for again at each call.
        if let Ok(identity) = device.identity().await {
            say(&format!("token {} ({}) is open", identity.serial, identity.model));
        }
        let listener = socket
            .listen()
            .map_err(|cause| FlagError(format!("--socket {}: {cause}", socket.path.display())))?;
        say(&format!("ready on {}", socket.path.display()));
        server::serve(listener, server, Arc::clone(&device) as Arc<dyn KeyDevice>, stop).await;
        socket.remove();
        Ok(())
    })?;
    module.close();
    Ok(())
}
