//! What runs between fork and exec: the child ties its life to the supervisor's, then becomes the program.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::say;

/// The argument that stands before the supervisor's process id and the command.
pub const FLAG: &str = "-shim";

/// A command that starts `file` through the shim.
#[expect(clippy::disallowed_methods, reason = "supervise is the one place that starts processes")]
pub fn command(file: &str, arguments: &[String]) -> Command {
    // Our own program, also when its file has been replaced meanwhile.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("strongroom").args(["supervise", FLAG, &std::process::id().to_string()]);
    command.arg(file).args(arguments);
    command
}

/// Never comes back if all is well.
pub fn run(arguments: &[String]) -> ExitCode {
    let [parent, file, rest @ ..] = arguments else {
        return say::failure("supervise: the shim is for the supervisor's own use");
    };
    match become_program(parent, file, rest) {
        Ok(never) => match never {},
        Err(cause) => {
            say::error(&format!("supervise: {file} cannot be started: {cause}"));
            ExitCode::from(127)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "supervise is the one place that starts processes")]
fn become_program(parent: &str, file: &str, arguments: &[String]) -> io::Result<std::convert::Infallible> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The supervisor may have ended before the kernel had been told.
    if getppid().to_string() != parent {
        return Err(io::Error::other("the supervisor has ended"));
    }
    Err(Command::new(OsString::from(file)).args(arguments).exec())
}
