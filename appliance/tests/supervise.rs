//! `strongroom supervise` with real processes: what dies comes back, and nothing outlives the supervisor.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Looks again and again, for 20 seconds at most.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        match look() {
            Some(found) => return found,
            None => sleep(Duration::from_millis(50)),
        }
    }
    panic!("{what} did not come about");
}

struct Supervisor {
    folder: tempfile::TempDir,
    child: Child,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Supervisor {
    /// Runs `plan`, in which `$D` is a folder of its own.
    #[allow(clippy::disallowed_methods)] // a test starts what it tests
    fn start(plan: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("supervise.hcl");
        fs::write(&file, plan.replace("$D", folder.path().to_str().unwrap())).unwrap();
        let log = fs::File::create(folder.path().join("supervise.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_strongroom"))
            .args(["supervise", "-config", file.to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

/// The process id that a script has written to `file`, once it is another than `before`.
fn pid_in(file: &Path, before: Option<i32>) -> i32 {
    eventually("a process", || {
        let pid = fs::read_to_string(file).ok()?.trim().parse().ok()?;
        (Some(pid) != before).then_some(pid)
    })
}

/// Not there any more, or dead and not yet waited for.
fn is_gone(pid: i32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

const SLEEPER: &str = r#"
    pid_file = "$D/supervise.pid"
    program "sleeper" { command = ["/bin/sh", "-c", "echo $$ > $D/pid; exec sleep 600"] log = "$D/sleeper.log" }
"#;

#[test]
fn what_is_killed_comes_back() {
    let supervisor = Supervisor::start(SLEEPER);
    let first = pid_in(&supervisor.file("pid"), None);
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    let second = pid_in(&supervisor.file("pid"), Some(first));
    assert!(!is_gone(second));
    let log = fs::read_to_string(supervisor.file("supervise.log")).unwrap();
    assert!(log.contains("sleeper was ended by signal 9 (SIGKILL); again in 100ms"), "{log}");
}

#[test]
fn sigterm_ends_everything_and_is_a_success() {
    let mut supervisor = Supervisor::start(SLEEPER);
    let pid = pid_in(&supervisor.file("pid"), None);
    supervisor.signal(Signal::SIGTERM);
    assert!(supervisor.child.wait().unwrap().success());
    assert!(is_gone(pid));
}

#[test]
fn nothing_outlives_a_supervisor_that_is_killed() {
    let mut supervisor = Supervisor::start(SLEEPER);
    let pid = pid_in(&supervisor.file("pid"), None);
    supervisor.signal(Signal::SIGKILL);
    supervisor.child.wait().unwrap();
    eventually("the program's end", || is_gone(pid).then_some(()));
}

#[test]
fn programs_start_in_order_and_stop_in_reverse() {
    let mut supervisor = Supervisor::start(
        r#"
        program "first" {
          command = ["/bin/sh", "-c", "trap 'echo first >> $D/ended; exit' TERM; echo $$ > $D/first; while :; do sleep 0.05; done"]
        }
        program "second" {
          command     = ["/bin/sh", "-c", "trap 'echo second >> $D/ended; exit' TERM; test -e $D/first && echo $$ > $D/second; while :; do sleep 0.05; done"]
          environment = { WORD = "x" }
        }
        "#,
    );
    pid_in(&supervisor.file("first"), None);
    // The second does not wait for the first to be ready, as that has no `ready`: only for its start.
    let second = supervisor.file("second");
    let began = eventually("the second program", || {
        second.exists().then_some(true).or_else(|| supervisor.child.try_wait().unwrap().map(|_| false))
    });
    assert!(began);
    supervisor.signal(Signal::SIGTERM);
    assert!(supervisor.child.wait().unwrap().success());
    assert_eq!(fs::read_to_string(supervisor.file("ended")).unwrap(), "second\nfirst\n");
}

#[test]
fn a_second_supervisor_of_the_same_programs_refuses() {
    let supervisor = Supervisor::start(SLEEPER);
    pid_in(&supervisor.file("pid"), None);
    #[allow(clippy::disallowed_methods)] // a test starts what it tests
    let second = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .arg("supervise")
        .arg(format!("--config={}", supervisor.file("supervise.hcl").display()))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&format!("is running already, as process {}", supervisor.child.id())), "{said}");
}

#[test]
fn a_program_that_is_not_there_is_tried_again_and_said() {
    let supervisor = Supervisor::start("program \"none\" { command = [\"$D/none\"] }");
    let log = supervisor.file("supervise.log");
    eventually("the second try", || {
        let said = fs::read_to_string(&log).ok()?;
        (said.matches("none cannot be started").count() > 1 && said.contains("exit code 127; again in 200ms"))
            .then_some(())
    });
}
