//! One program under supervision.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::backoff::Backoff;
use super::plan::{Program, Ready};
use super::shim;
use crate::say;

/// How long a port has to answer.
const PROBE: Duration = Duration::from_millis(200);

/// A program and what has become of it.
pub struct Supervised<'a> {
    /// As the file says.
    pub program: &'a Program,
    state: State,
    backoff: Backoff,
}

enum State {
    /// Not started yet, or to be started again at that time.
    Due(Instant),
    Running {
        child: Child,
        since: Instant,
    },
    /// Ended after it was told to.
    Ended,
}

impl<'a> Supervised<'a> {
    /// Not started yet.
    pub fn new(program: &'a Program, now: Instant) -> Self {
        Self { program, state: State::Due(now), backoff: Backoff::default() }
    }

    /// When it is to be started.
    pub fn due(&self) -> Option<Instant> {
        if let State::Due(at) = self.state { Some(at) } else { None }
    }

    /// Whether there is a process.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Starts it.
    pub fn start(&mut self, now: Instant) {
        self.state = match spawn(self.program) {
            Ok(child) => {
                say::error(&format!("supervise: {} started, pid {}", self.program.name, child.id()));
                State::Running { child, since: now }
            }
            Err(cause) => {
                let wait = self.backoff.after(Duration::ZERO);
                say::error(&format!(
                    "supervise: {} cannot be started: {cause}; again in {wait:?}",
                    self.program.name
                ));
                State::Due(now + wait)
            }
        };
    }

    /// Notices its end, if it has come; it is due again then, unless it was told to `stop`.
    pub fn reap(&mut self, now: Instant, stop: bool) {
        let State::Running { child, since } = &mut self.state else { return };
        let status = match child.try_wait() {
            Ok(None) => return,
            Ok(Some(status)) => how(status),
            Err(cause) => format!("cannot be waited for: {cause}"),
        };
        let ran = now.duration_since(*since);
        if stop {
            say::error(&format!("supervise: {} {status}", self.program.name));
            self.state = State::Ended;
            return;
        }
        let wait = self.backoff.after(ran);
        say::error(&format!("supervise: {} {status}; again in {wait:?}", self.program.name));
        self.state = State::Due(now + wait);
    }

    /// Not to be started any more.
    pub fn give_up(&mut self) {
        if let State::Due(_) = self.state {
            self.state = State::Ended;
        }
    }

    /// Sends `signal` if there is a process.
    pub fn signal(&self, signal: Signal) {
        let State::Running { child, .. } = &self.state else { return };
        // It has not been waited for, so that its number still belongs to it.
        if let Ok(pid) = i32::try_from(child.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Whether what shows that it is ready is there.
    pub fn is_ready(&self) -> bool {
        match &self.program.ready {
            None => true,
            // Looked at only: a connection without a greeting would be reported.
            Some(Ready::Socket(path)) => fs::metadata(path).is_ok_and(|about| about.file_type().is_socket()),
            Some(Ready::Port(port)) => TcpStream::connect_timeout(port, PROBE).is_ok(),
        }
    }
}

fn spawn(program: &Program) -> io::Result<Child> {
    let mut command = shim::command(&program.file, &program.arguments);
    command.envs(&program.environment).stdin(Stdio::null());
    // A group of its own: Ctrl-C reaches the supervisor alone, which then stops the programs in order.
    command.process_group(0);
    if let Some(log) = &program.log {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(log)?;
        command.stdout(file.try_clone()?).stderr(file);
    }
    command.spawn()
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or("unknown", Signal::as_str);
            format!("was ended by signal {signal} ({name})")
        }
        (None, None) => "ended".to_owned(),
    }
}
