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
    let program = |name: &str, more: &str| {
        let script = format!(
            "trap 'echo {name} >> $D/ended; exit' TERM; echo $$ > $D/{name}; echo $WORD >> $D/words; touch $D/{name}.ready; \
             while :; do sleep 0.05; done"
        );
        format!("program {name:?} {{\n  command = [\"/bin/sh\", \"-c\", {script:?}]\n  {more}\n}}\n")
    };
    let plan = program("first", "") + &program("second", "environment = { WORD = \"here\" }");
    let mut supervisor = Supervisor::start(&plan);
    for name in ["first.ready", "second.ready"] {
        let file = supervisor.file(name);
        eventually(name, || file.exists().then_some(()));
    }
    supervisor.signal(Signal::SIGTERM);
    assert!(supervisor.child.wait().unwrap().success());
    let read = |name: &str| fs::read_to_string(supervisor.file(name)).unwrap();
    assert_eq!(read("ended"), "second\nfirst\n");
    assert!(read("words").contains("here"));
    let log = read("supervise.log");
    assert!(log.find("first started") < log.find("second started"), "{log}");
}

#[test]
fn a_program_waits_until_the_one_before_is_ready() {
    let mut supervisor = Supervisor::start(
        r#"
        program "slow" { command = ["/bin/sh", "-c", "exec sleep 600"] ready = "$D/run/none.sock" }
        program "next" { command = ["/bin/sh", "-c", "exec sleep 600"] }
        "#,
    );
    let log = supervisor.file("supervise.log");
    let read = || fs::read_to_string(&log).unwrap_or_default();
    eventually("the first program", || read().contains("slow started").then_some(()));
    assert!(!read().contains("next started"));
    eventually("the end of patience", || read().contains("next started").then_some(()));
    assert!(read().contains("slow is not ready yet; going on"));
    supervisor.signal(Signal::SIGQUIT);
    assert_eq!(supervisor.child.wait().unwrap().code(), Some(1), "SIGQUIT ends it as a failure");
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
