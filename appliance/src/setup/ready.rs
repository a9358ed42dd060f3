//! `strongroom setup ready`: the end of `./x run`. Waits until the appliance of a state folder answers, initialises it once,
//! waits until it is unsealed, and prints how to use it.
//!
//! What init says is said once. It is kept in `run/init` until the root token in it has a place of its own, so that a start
//! that is stopped between any two steps is finished by the next one:
//!
//! | `run/init` | `root-token` | |
//! |---|---|---|
//! | no | no | to be initialised |
//! | yes | no | initialised: `secret/` is to be mounted, then the token kept |
//! | yes | yes | done, but for the first one, which goes |
//! | no | yes | done |

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use strongroom_types::Secret;

use super::client::Vault;
use super::texts;
use crate::files::{read_text, replace};
use crate::say;

const USAGE: &str =
    "Usage: strongroom setup ready -state=DIR -pid=PID [-log-from=BYTES] [-wait=no] [-detached=yes]

  Waits until the appliance that the supervisor PID runs in the state folder is unsealed; initialises it the
  first time. The server's log counts from this byte on. With -wait=no it has to be unsealed already.";

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks until something has to answer: a minute.
const PATIENCE: usize = 600;
/// Looks until somebody is told that it is still sealed; and then again.
const STILL: usize = 100;
/// Starts of the daemon that fail until it is given up.
const STARTS: usize = 3;

/// How the appliance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing answers.
    Silent,
    /// It has no keys yet.
    Uninitialised,
    /// It waits for its devices.
    Sealed,
    /// It serves.
    Unsealed,
}

/// What is asked of the appliance.
pub trait Appliance {
    /// How it is.
    fn status(&self) -> Status;
    /// Initialises it: what it says once, as JSON.
    fn initialise(&self) -> Result<Secret, String>;
    /// Mounts `secret/`, unless it is there.
    fn mount_secrets(&self, root_token: &Secret) -> Result<(), String>;
}

/// The command, with the arguments after its name.
pub fn main(arguments: &[String]) -> ExitCode {
    let wish = match Wish::parse(arguments) {
        Ok(wish) => wish,
        Err(what) => return say::failure(&format!("setup ready: {what}\n\n{USAGE}")),
    };
    let appliance = match Vault::of(&wish.state) {
        Ok(appliance) => appliance,
        Err(what) => return say::failure(&format!("x: {what}")),
    };
    let log = Log::of(&wish);
    let start = Start {
        state: &wish.state,
        appliance: &appliance,
        is_running: &|| is_running(wish.pid),
        pause: &|| std::thread::sleep(PAUSE),
        log: &log,
    };
    let done = if wish.waits { start.finish() } else { start.is_ready() };
    match done {
        Ok(()) => {
            let token = read_text(&wish.state.join(ROOT_TOKEN));
            say::out(&texts::ready(&wish.state, appliance.address(), token.as_deref(), wish.is_detached));
            ExitCode::SUCCESS
        }
        Err(what) => {
            say::failure(&format!("\nx: {what}. The end of the log {}:\n{}", log.path.display(), log.end()))
        }
    }
}

/// Whether there is such a process, and it has not ended while nobody has asked how.
fn is_running(pid: u32) -> bool {
    read_text(Path::new(&format!("/proc/{pid}/stat"))).is_some_and(|stat| runs(&stat))
}

/// What the system says of a process: its number, its name in brackets, its state by a letter, and more.
fn runs(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

struct Wish {
    state: PathBuf,
    pid: u32,
    log_from: usize,
    waits: bool,
    is_detached: bool,
}

impl Wish {
    fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut given = BTreeMap::new();
        for argument in arguments {
            let pair = argument.trim_start_matches('-').split_once('=');
            let (name, value) = pair.ok_or_else(|| format!("{argument} has no value"))?;
            given.insert(name, value);
        }
        let mut take = |name: &str| given.remove(name);
        let number = |name: &str, text: &str| text.parse().map_err(|_| format!("-{name} must be a number"));
        let wish = Self {
            state: take("state").map(PathBuf::from).ok_or("-state=DIR is missing")?,
            pid: take("pid").ok_or("-pid=PID is missing")?.parse().map_err(|_| "-pid must be a number")?,
            log_from: take("log-from").map_or(Ok(0), |text| number("log-from", text))?,
            waits: take("wait") != Some("no"),
            is_detached: take("detached") == Some("yes"),
        };
        match given.keys().next() {
            None => Ok(wish),
            Some(name) => Err(format!("unknown argument -{name}")),
        }
    }
}

const ROOT_TOKEN: &str = "root-token";

/// A start that is to be finished.
struct Start<'a> {
    state: &'a Path,
    appliance: &'a dyn Appliance,
    /// Whether the supervisor runs.
    is_running: &'a dyn Fn() -> bool,
    pause: &'a dyn Fn(),
    log: &'a Log,
}

impl Start<'_> {
    /// Until it is unsealed, and its root token is kept.
    fn finish(&self) -> Result<(), String> {
        if self.answered()? == Status::Uninitialised {
            // A store that is gone is not made anew over what is known of the old one.
            if self.at(ROOT_TOKEN).exists() {
                let data = self.at("data");
                return Err(format!(
                    "there is no data any more, but a root token of it: put {} back, or choose another folder",
                    data.display()
                ));
            }
            say::error("Initialising, once");
            let said = self.appliance.initialise();
            let said = said.map_err(|what| format!("it could not be initialised: {what}"))?;
            replace(&self.at("run/init"), said.expose())?;
        }
        self.unsealed()?;
        self.keep_token()
    }

    /// Whether there is nothing to be waited for.
    fn is_ready(&self) -> Result<(), String> {
        match self.appliance.status() {
            Status::Unsealed => Ok(()),
            _ => Err("it is not unsealed".to_owned()),
        }
    }

    /// How it is, as soon as it says so.
    fn answered(&self) -> Result<Status, String> {
        for _ in 0..PATIENCE {
            match self.appliance.status() {
                Status::Silent => {}
                status => return Ok(status),
            }
            self.check_supervisor()?;
            if self.log.failed_starts() >= STARTS {
                return Err("the daemon does not start".to_owned());
            }
            (self.pause)();
        }
        Err("nothing answers".to_owned())
    }

    /// Waits for the devices, as long as it takes: whoever waits is told why.
    fn unsealed(&self) -> Result<(), String> {
        for look in 1.. {
            if self.appliance.status() == Status::Unsealed {
                break;
            }
            self.check_supervisor()?;
            if look % STILL == 0 {
                let log = self.log.path.display();
                say::error(&format!(
                    "Still sealed; it is tried again by itself. Ctrl-C stops it. The log is {log}"
                ));
                self.log.troubles().iter().for_each(|trouble| say::error(&format!("    {trouble}")));
            }
            (self.pause)();
        }
        Ok(())
    }

    fn check_supervisor(&self) -> Result<(), String> {
        if (self.is_running)() { Ok(()) } else { Err("the supervisor has ended".to_owned()) }
    }

    /// What is left to do after init, whenever that was.
    fn keep_token(&self) -> Result<(), String> {
        let (said, kept) = (self.at("run/init"), self.at(ROOT_TOKEN));
        if !kept.exists()
            && let Some(text) = read_text(&said)
        {
            let token = root_token(&text).ok_or("init gave no root token")?;
            let mounted = self.appliance.mount_secrets(&token);
            mounted.map_err(|what| format!("secret/ could not be mounted: {what}"))?;
            replace(&kept, &[token.expose(), b"\n"].concat())?;
        }
        if kept.exists() && said.exists() {
            fs::remove_file(&said).map_err(|cause| format!("{}: {cause}", said.display()))?;
        }
        Ok(())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }
}

fn root_token(said: &str) -> Option<Secret> {
    let said: Value = serde_json::from_str(said).ok()?;
    said.get("root_token")?
        .as_str()
        .filter(|token| !token.is_empty())
        .map(|token| Secret::copy_of(token.as_bytes()))
}

/// What the server has logged since this start.
struct Log {
    path: PathBuf,
    from: usize,
}

impl Log {
    fn of(wish: &Wish) -> Self {
        Self { path: wish.state.join("log"), from: wish.log_from }
    }

    fn lines(&self) -> Vec<String> {
        let all = fs::read(&self.path).unwrap_or_default();
        let new = all.get(self.from..).unwrap_or_default();
        String::from_utf8_lossy(new).lines().map(str::to_owned).collect()
    }

    fn failed_starts(&self) -> usize {
        let ended = "supervise: strongroom ended with exit code";
        self.lines().iter().filter(|line| line.contains(ended)).count()
    }

    /// The last two reasons why it is still sealed.
    fn troubles(&self) -> Vec<String> {
        let lines = self.lines();
        let all =
            lines.iter().filter_map(|line| line.split_once("still sealed: ").map(|(_, why)| why.to_owned()));
        let mut last: Vec<_> = all.collect::<Vec<_>>().into_iter().rev().take(2).collect();
        last.reverse();
        last
    }

    fn end(&self) -> String {
        let lines = self.lines();
        let from = lines.len().saturating_sub(12);
        lines.iter().skip(from).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const SAID: &str = r#"{ "root_token": "hvs.first" }"#;

    /// Answers from the second look on; is unsealed a look after it was initialised.
    struct Fake {
        looks: Cell<usize>,
        is_initialised: Cell<bool>,
        mounted: RefCell<Vec<String>>,
        refuses_mount: Cell<bool>,
    }

    impl Fake {
        fn new(is_initialised: bool) -> Self {
            Self {
                looks: Cell::new(0),
                is_initialised: Cell::new(is_initialised),
                mounted: RefCell::default(),
                refuses_mount: Cell::new(false),
            }
        }
    }

    impl Appliance for Fake {
        fn status(&self) -> Status {
            self.looks.set(self.looks.get() + 1);
            match (self.looks.get(), self.is_initialised.get()) {
                (0..=2, _) => Status::Silent,
                (_, false) => Status::Uninitialised,
                (3, true) => Status::Sealed,
                (_, true) => Status::Unsealed,
            }
        }

        fn initialise(&self) -> Result<Secret, String> {
            assert!(!self.is_initialised.replace(true), "initialised twice");
            Ok(Secret::copy_of(SAID.as_bytes()))
        }

        fn mount_secrets(&self, root_token: &Secret) -> Result<(), String> {
            if self.refuses_mount.get() {
                return Err("no".to_owned());
            }
            self.mounted.borrow_mut().push(root_token.expose_str().unwrap().to_owned());
            Ok(())
        }
    }

    fn finished(state: &Path, appliance: &Fake, is_running: bool) -> Result<(), String> {
        let log = Log { path: state.join("log"), from: 0 };
        let (is_running, pause) = (move || is_running, || {});
        Start { state, appliance, is_running: &is_running, pause: &pause, log: &log }.finish()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        folder
    }

    fn kept(state: &Path) -> (Option<String>, bool) {
        (read_text(&state.join(ROOT_TOKEN)), state.join("run/init").exists())
    }

    #[test]
    fn the_first_start_initialises_mounts_and_keeps_the_token() {
        let folder = folder();
        let appliance = Fake::new(false);
        finished(folder.path(), &appliance, true).unwrap();
        assert_eq!(*appliance.mounted.borrow(), ["hvs.first"]);
        assert_eq!(kept(folder.path()), (Some("hvs.first\n".into()), false));
        // The next ones do nothing.
        let again = Fake::new(true);
        finished(folder.path(), &again, true).unwrap();
        assert!(again.mounted.borrow().is_empty());
        assert_eq!(kept(folder.path()), (Some("hvs.first\n".into()), false));
    }

    #[test]
    fn a_start_that_was_stopped_between_any_two_steps_is_finished_by_the_next() {
        // After init, or after the mount: both are done again.
        let stopped = folder();
        fs::write(stopped.path().join("run/init"), SAID).unwrap();
        let appliance = Fake::new(true);
        finished(stopped.path(), &appliance, true).unwrap();
        assert_eq!(kept(stopped.path()), (Some("hvs.first\n".into()), false));
        assert_eq!(*appliance.mounted.borrow(), ["hvs.first"]);
        // After the token was kept: nobody else's is taken for it.
        fs::write(stopped.path().join("run/init"), SAID.replace("first", "other")).unwrap();
        finished(stopped.path(), &Fake::new(true), true).unwrap();
        assert_eq!(kept(stopped.path()), (Some("hvs.first\n".into()), false));
        // By a failure: what init has said is kept.
        let failed = folder();
        let appliance = Fake::new(false);
        appliance.refuses_mount.set(true);
        assert!(finished(failed.path(), &appliance, true).unwrap_err().contains("could not be mounted: no"));
        assert_eq!(kept(failed.path()), (None, true));
        appliance.refuses_mount.set(false);
        finished(failed.path(), &appliance, true).unwrap();
        assert_eq!(kept(failed.path()), (Some("hvs.first\n".into()), false));
    }

    #[test]
    fn a_store_that_is_gone_is_not_made_anew_over_the_token_of_the_old_one() {
        let folder = folder();
        fs::write(folder.path().join(ROOT_TOKEN), "hvs.old\n").unwrap();
        let appliance = Fake::new(false);
        let refused = finished(folder.path(), &appliance, true).unwrap_err();
        assert!(refused.contains("no data any more"), "{refused}");
        assert!(!appliance.is_initialised.get());
        assert_eq!(kept(folder.path()), (Some("hvs.old\n".into()), false));
    }

    #[test]
    fn nobody_is_waited_for_who_has_ended_or_never_starts() {
        let folder = folder();
        assert_eq!(finished(folder.path(), &Fake::new(true), false), Err("the supervisor has ended".into()));
        let log = "supervise: strongroom ended with exit code 1\n".repeat(STARTS);
        fs::write(folder.path().join("log"), log).unwrap();
        assert_eq!(finished(folder.path(), &Fake::new(true), true), Err("the daemon does not start".into()));
    }

    #[test]
    fn a_process_runs_until_it_has_ended() {
        assert!(is_running(std::process::id()) && !is_running(u32::MAX));
        for (stat, is) in
            [("7 (strongroom) S 1 7", true), ("7 (a) Z (b)) R 1", true), ("7 (a) R b) Z 1 7", false)]
        {
            assert_eq!(runs(stat), is, "{stat}");
        }
    }

    #[test]
    fn the_log_counts_from_this_start_on() {
        let folder = folder();
        let old = "supervise: strongroom ended with exit code 1\nstill sealed: before\n";
        let new = "a still sealed: the HSM\nb still sealed: the TPM\nc still sealed: both\n";
        fs::write(folder.path().join("log"), format!("{old}{new}")).unwrap();
        let log = Log { path: folder.path().join("log"), from: old.len() };
        assert_eq!((log.failed_starts(), log.troubles()), (0, vec!["the TPM".into(), "both".into()]));
        assert!(log.end().starts_with("    a still") && log.end().lines().count() == 3);
    }
}
