//! The guides of `docs/`: the commands in each are run, in order, in one shell, and print what is shown.
//!
//! A block marked `sh` is run and must succeed; `sh refused` must fail. A block marked `text` is what the block before it
//! prints: line by line, where `…` stands for anything within a line, and alone on a line for any lines. Nothing else is run.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use strongroom_tests::process::{Stopped, free_port};
use strongroom_tests::{binary, repository};
use tempfile::TempDir;

/// What a reader sees and types.
#[derive(Debug, PartialEq)]
struct Block {
    commands: String,
    is_refused: bool,
    /// What is shown below it.
    shown: Option<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    // Every second piece stands between fences.
    for piece in page.split("\n```").skip(1).step_by(2) {
        let (kind, text) = piece.split_once('\n').unwrap();
        let text = format!("{text}\n");
        match kind {
            "sh" | "sh refused" => {
                found.push(Block { commands: text, is_refused: kind != "sh", shown: None });
            }
            "text" => found.last_mut().unwrap().shown = Some(text),
            "hcl" => {}
            other => panic!("what is a block of {other:?}?"),
        }
    }
    found
}

/// Whether `line` is `shown`, where `…` is anything.
fn is_like(shown: &str, line: &str) -> bool {
    let mut pieces = shown.trim_end().split('…');
    let Some(mut rest) = line.trim_end().strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let pieces: Vec<_> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty() };
    for piece in between {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The same for lines.
fn are_like(shown: &[&str], lines: &[&str]) -> bool {
    match shown {
        [] => lines.is_empty(),
        ["…", rest @ ..] => (0..=lines.len()).any(|skipped| are_like(rest, &lines[skipped..])),
        [first, rest @ ..] => {
            lines.split_first().is_some_and(|(line, lines)| is_like(first, line) && are_like(rest, lines))
        }
    }
}

/// A folder that looks like the repository to who types: `x`, `target/release`, and what is made in it.
struct Desk {
    folder: TempDir,
    port: u16,
    /// The shell that follows a page, and all that it starts.
    group: Option<Pid>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(repository().join("x"), folder.path().join("x")).unwrap();
        Self { folder, port: free_port(1), group: None }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command in it that finds what a reader's terminal finds.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.path())
            .env("STRONGROOM_PORT", self.port.to_string())
            .env("STRONGROOM_BIN_DIR", binary("strongroom").parent().unwrap())
            .stdin(Stdio::null());
        command
    }

    /// What is run, as one script: a line that nobody writes ends the output of each block.
    fn script(&self, blocks: &[Block]) -> PathBuf {
        let mut script = String::from("set -eu\n");
        for (number, block) in blocks.iter().enumerate() {
            let commands = &block.commands;
            match block.is_refused {
                false => script.push_str(commands),
                true => write!(script, "if (\n{commands}); then echo 'this is not refused'; exit 1; fi\n")
                    .unwrap(),
            }
            writeln!(script, "printf '\\n{END}{number}\\n'").unwrap();
        }
        let path = self.path().join("page.sh");
        fs::write(&path, self.here(&script)).unwrap();
        path
    }

    /// The port that a page names is another here.
    fn here(&self, text: &str) -> String {
        text.replace(":8200", &format!(":{}", self.port))
    }

    /// Runs a page.
    fn follow(&mut self, name: &str) {
        let page = fs::read_to_string(repository().join("docs").join(name)).unwrap();
        let blocks = blocks(&page);
        assert!(blocks.len() > 2, "{name} has no commands");
        let output = self.path().join("output");
        let file = fs::File::create(&output).unwrap();
        // Not a pipe: what the page leaves running would keep it open.
        let child = self
            .command("bash")
            .arg(self.script(&blocks))
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut shell = Stopped(child);
        self.group = i32::try_from(shell.0.id()).ok().map(Pid::from_raw);
        let status = shell.0.wait().unwrap();
        let printed = fs::read_to_string(output).unwrap();
        println!("{printed}");
        assert!(status.success(), "{name}: {status}\n{printed}");
        let mut rest = printed.as_str();
        for (number, block) in blocks.iter().enumerate() {
            let (said, after) = rest.split_once(&format!("\n{END}{number}\n")).unwrap();
            rest = after;
            let Some(shown) = &block.shown else { continue };
            let shown = self.here(shown);
            let lines = |text: &str| text.trim_end().lines().map(str::to_owned).collect::<Vec<_>>();
            let (shown, said) = (lines(&shown), lines(said));
            let texts = |lines: &[String]| lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
            assert!(
                are_like(
                    &shown.iter().map(String::as_str).collect::<Vec<_>>(),
                    &said.iter().map(String::as_str).collect::<Vec<_>>()
                ),
                "{name} shows:\n{}\nbut this is printed:\n{}",
                texts(&shown),
                texts(&said)
            );
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.command("./x").arg("stop").output();
        // What a page that failed has left.
        if let Some(group) = self.group {
            let _ = killpg(group, Signal::SIGTERM);
        }
    }
}

/// Ends the output of a block.
const END: &str = "--- end of block ";

/// A desk at which the appliance of the first page runs.
fn running() -> Desk {
    let desk = Desk::new();
    let log = fs::File::create(desk.path().join("x.log")).unwrap();
    let started =
        desk.command("./x").args(["run", "--detach"]).stdout(log.try_clone().unwrap()).stderr(log).status();
    let said = fs::read_to_string(desk.path().join("x.log")).unwrap();
    assert!(started.unwrap().success(), "{said}");
    desk
}

#[test]
fn the_first_secret_is_stored_as_the_guide_says() {
    Desk::new().follow("first-secret.md");
}

#[test]
fn the_first_policy_allows_what_the_guide_says() {
    running().follow("first-policy.md");
}

#[test]
fn a_program_logs_in_as_the_guide_says() {
    running().follow("first-approle.md");
}

#[test]
fn the_audit_log_has_what_the_guide_says() {
    running().follow("audit.md");
}

#[test]
fn an_hsm_unseals_as_the_guide_says() {
    running().follow("unseal-by-hsm.md");
}

#[test]
fn people_get_new_keys_as_the_guide_says() {
    running().follow("replace-unseal-keys.md");
}

#[test]
fn people_read_their_shares_as_the_guide_says() {
    running().follow("shares-for-openpgp-keys.md");
}

#[test]
fn each_guide_is_run_and_linked_and_short() {
    let source = fs::read_to_string(repository().join("tests/it/docs.rs")).unwrap();
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    for entry in fs::read_dir(repository().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(source.contains(&format!("follow(\"{name}\")")), "nobody runs {name}");
        assert!(readme.contains(&format!("docs/{name}")), "README.md does not name {name}");
        let lines = fs::read_to_string(repository().join("docs").join(&name)).unwrap().lines().count();
        assert!(lines <= 95, "{name} has {lines} lines");
    }
}

#[test]
fn pages_are_taken_apart_and_outputs_compared() {
    let page = "a\n\n```sh\nls\n```\n\nb\n\n```text\nx\n```\n\n```sh refused\nrm\n```\n";
    let shown = Some("x\n".to_owned());
    let expected = [
        Block { commands: "ls\n".into(), is_refused: false, shown },
        Block { commands: "rm\n".into(), is_refused: true, shown: None },
    ];
    assert_eq!(blocks(page), expected);
    for (shown, line) in [("a…c", "abc"), ("a…", "a"), ("…", ""), ("a…b…c", "a1b2c"), ("a ", "a")] {
        assert!(is_like(shown, line), "{shown} {line}");
    }
    for (shown, line) in [("a…c", "abd"), ("a", "ab"), ("a…b…c", "a1c2b"), ("", "a")] {
        assert!(!is_like(shown, line), "{shown} {line}");
    }
    assert!(are_like(&["…", "b", "…"], &["a", "b"]) && are_like(&["…", "b"], &["b", "a", "b"]));
    assert!(!are_like(&["a"], &["a", "b"]) && !are_like(&["…", "c"], &["a", "b"]) && !are_like(&["a"], &[]));
}
