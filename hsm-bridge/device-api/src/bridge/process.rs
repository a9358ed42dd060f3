//! A bridge from its arguments to its exit code.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::flags::{FlagError, Flags};
use super::{PoolOptions, SocketPlace, harden, say, stop_on_signals};
use crate::server::ServerOptions;
use crate::{Identity, KeyDevice, server};

/// Where a bridge listens, whom it answers, and how its threads are run.
pub struct Serving {
    /// Where it listens.
    pub socket: SocketPlace,
    /// Whom it answers, and how.
    pub server: ServerOptions,
    /// Its threads.
    pub pool: PoolOptions,
}

impl Flags {
    /// From the flags that both bridges have; `threads` of them, for which `queue` requests may wait.
    pub fn serving(&self, threads: usize, queue: usize) -> Result<Serving, FlagError> {
        let mut server = ServerOptions::new(self.peer()?);
        // What has no thread yet waits at the server, which knows then that it has not been done.
        server.concurrency = threads;
        let pool = PoolOptions { queue, hang_limit: self.hang_limit()? };
        Ok(Serving { socket: self.socket()?, server, pool })
    }
}

/// The help, on stdout.
pub fn show_help(help: &str) {
    // Nobody reads it if stdout is closed.
    let _ = std::io::stdout().write_all(help.as_bytes());
}

/// The exit code of what `outcome` says; a mistake is said on stderr.
pub fn exit_code(outcome: Result<(), FlagError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// Hardens the process, starts the device and serves it until SIGTERM. `opened` is said once the device has shown who
/// it is.
pub fn serve<D: KeyDevice + 'static>(
    serving: Serving,
    start: impl FnOnce(PoolOptions) -> Result<D, FlagError>,
    opened: impl FnOnce(&Identity) -> String,
) -> Result<(), FlagError> {
    harden().map_err(|cause| FlagError(format!("this process cannot be hardened: {cause}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|cause| FlagError(format!("no runtime: {cause}")))?;
    let Serving { socket, server, pool } = serving;
    let device = Arc::new(start(pool)?);
    runtime.block_on(async {
        let stop =
            stop_on_signals().map_err(|cause| FlagError(format!("signals cannot be caught: {cause}")))?;
        // Its first opening; a device that is missing is reported, and looked for again at each call.
        if let Ok(identity) = device.identity().await {
            say(&opened(&identity));
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
