//! The supervisor's loop: start in order, start again what has died, stop in reverse order.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep_until;

use super::child::Supervised;
use super::plan::Plan;
use crate::say;

/// How often readiness is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long a program has to become ready before the next one is started all the same.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// How long a program has to end after SIGTERM.
const END_WITHIN: Duration = Duration::from_secs(15);

/// Runs until SIGTERM or SIGINT, on the thread that calls: the kernel ends the programs with this very thread.
pub fn run(plan: &Plan) -> Result<(), String> {
    let _locked = plan.pid_file.as_deref().map(write_pid).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| format!("cannot begin: {cause}"))?;
    match runtime.block_on(supervise(plan)) {
        Ok(End::Stopped) => Ok(()),
        Ok(End::GivenUp) => Err("given up: what was started has not become what it should be".into()),
        Err(cause) => Err(format!("signals cannot be received: {cause}")),
    }
}

/// How it was told to end.
enum End {
    /// SIGTERM or SIGINT.
    Stopped,
    /// SIGQUIT: by whoever waited in vain for what the programs should do.
    GivenUp,
}

async fn supervise(plan: &Plan) -> std::io::Result<End> {
    let mut died = signal(SignalKind::child())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    let begin = Instant::now();
    let mut programs: Vec<_> = plan.programs.iter().map(|program| Supervised::new(program, begin)).collect();
    let mut opening = Opening { next: 0, since: begin };
    let end = loop {
        opening.go_on(&mut programs);
        restart(&mut programs, opening.next);
        let wake = opening.wake(&programs);
        tokio::select! {
            _ = died.recv() => reap(&mut programs, false),
            () = sleep_until(wake.into()) => {}
            _ = hangup.recv() => {
                programs.iter().filter(|one| one.program.reload).for_each(|one| one.signal(Signal::SIGHUP));
            }
            _ = terminate.recv() => break End::Stopped,
            _ = interrupt.recv() => break End::Stopped,
            _ = quit.recv() => break End::GivenUp,
        }
    };
    say::error("supervise: stopping");
    programs.iter_mut().for_each(Supervised::give_up);
    for last in (0..programs.len()).rev() {
        let mut until = Instant::now() + END_WITHIN;
        if let Some(one) = programs.get(last) {
            one.signal(Signal::SIGTERM);
        }
        while programs.get(last).is_some_and(Supervised::is_running) {
            let impatient = tokio::select! {
                _ = died.recv() => false,
                () = sleep_until(until.into()) => true,
                _ = terminate.recv() => true,
                _ = interrupt.recv() => true,
            };
            if impatient && let Some(one) = programs.get(last) {
                one.signal(Signal::SIGKILL);
                until = Instant::now() + END_WITHIN;
            }
            reap(&mut programs, true);
        }
    }
    Ok(end)
}

/// The first start of the programs, one after the other.
struct Opening {
    /// The program that is to be started next; those before it have been.
    next: usize,
    /// When the one before it was started.
    since: Instant,
}

impl Opening {
    /// Starts the next program, and the next, as long as the one before is ready.
    fn go_on(&mut self, programs: &mut [Supervised<'_>]) {
        while self.next < programs.len() && self.may_start(programs) {
            let now = Instant::now();
            if let Some(program) = programs.get_mut(self.next) {
                program.start(now);
            }
            self.next += 1;
            self.since = now;
        }
    }

    fn may_start(&self, programs: &[Supervised<'_>]) -> bool {
        let Some(before) = self.next.checked_sub(1).and_then(|before| programs.get(before)) else {
            return true;
        };
        if before.is_running() && before.is_ready() {
            return true;
        }
        let late = self.since.elapsed() >= READY_WITHIN;
        if late {
            say::error(&format!("supervise: {} is not ready yet; going on", before.program.name));
        }
        late
    }

    /// When to look again, at the latest.
    fn wake(&self, programs: &[Supervised<'_>]) -> Instant {
        let now = Instant::now();
        let idle = now + Duration::from_secs(3600);
        let opening = if self.next < programs.len() { now + LOOK } else { idle };
        let started = programs.iter().take(self.next);
        started.filter_map(Supervised::due).min().unwrap_or(idle).min(opening)
    }
}

/// Starts again those of the first `started` programs whose time has come.
fn restart(programs: &mut [Supervised<'_>], started: usize) {
    let now = Instant::now();
    for program in programs.iter_mut().take(started) {
        if program.due().is_some_and(|due| due <= now) {
            program.start(now);
        }
    }
}

fn reap(programs: &mut [Supervised<'_>], stop: bool) {
    let now = Instant::now();
    programs.iter_mut().for_each(|program| program.reap(now, stop));
}

/// The file with our process id, locked as long as it is open.
fn write_pid(path: &Path) -> Result<File, String> {
    let about = |cause: std::io::Error| format!("{}: {cause}", path.display());
    let mut open = OpenOptions::new();
    let open = open.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = open.open(path).map_err(about)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            return Err(format!("is running already, as process {} ({})", pid.trim(), path.display()));
        }
        Err(TryLockError::Error(cause)) => return Err(about(cause)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(about)?;
    writeln!(file, "{}", std::process::id()).map_err(about)?;
    Ok(file)
}
