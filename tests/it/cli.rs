//! The recorded command lines of `tests/golden/cli/`, played with our command line against our servers.
//!
//! The files of [`WHOLE`] must match, but for the lines of `known-differences.txt`, each with its reason; a listed line
//! that matches again is a failure too. Of every file the total is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use strongroom_tests::process::{DEV_ROOT, PATIENCE, Stopped, free_port};
use strongroom_tests::{Client, DevServer, binary, repository};

/// Files that must match.
const WHOLE: &[&str] = &["kv", "logical", "general", "secrets", "policy", "token"];

/// The file that begins with a server of its own, which is not initialised.
const FRESH: &str = "operator";

/// Most lines in the list of known differences.
const MOST_KNOWN: usize = 40;

fn folder() -> PathBuf {
    repository().join("tests/golden/cli")
}

/// `id reason` a line; `#` begins a comment.
fn known_differences() -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder().join("known-differences.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let pair =
        |line: &str| line.split_once(' ').map(|(id, reason)| (id.to_owned(), reason.trim().to_owned()));
    lines.map(|line| pair(line).unwrap_or_else(|| panic!("no reason: {line}"))).collect()
}

/// What cli-replay.py printed for these files; their totals are printed on.
fn replay(url: &str, files: &[&str]) -> String {
    let out = Command::new("python3")
        .arg(repository().join("tests/golden/cli-replay.py"))
        .arg(binary("strongroom"))
        .args([url, DEV_ROOT])
        .args(files.iter().map(|file| folder().join(format!("{file}.jsonl"))))
        .output()
        .unwrap();
    let printed = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(printed.contains(" passed, "), "cli-replay.py did not come to its end:\n{printed}");
    for file in files {
        let total =
            printed.lines().find(|line| line.starts_with(&format!("{file}: ")) && line.contains(" of "));
        println!("golden cli {}", total.unwrap_or_else(|| panic!("no total of {file}:\n{printed}")));
    }
    printed
}

/// The ids of the lines that differ.
fn differing(printed: &str) -> BTreeSet<&str> {
    let ids = printed.lines().filter_map(|line| line.split_once(": ")).map(|(id, _)| id);
    ids.filter(|id| id.contains('.') && !id.contains(' ')).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_does_as_recorded() {
    let server = DevServer::start().await.unwrap();
    let printed = replay(&server.url(), WHOLE);
    let known = known_differences();
    assert!(known.len() <= MOST_KNOWN, "the list of known differences has grown to {}", known.len());
    let differing = differing(&printed);
    let new: Vec<&str> = printed
        .lines()
        .filter(|line| line.split_once(": ").is_some_and(|(id, _)| differing.contains(id)))
        .filter(|line| !line.split_once(": ").is_some_and(|(id, _)| known.contains_key(id)))
        .collect();
    let gone: Vec<&String> = known.keys().filter(|id| !differing.contains(id.as_str())).collect();
    assert!(new.is_empty(), "differences:\n{}", new.join("\n"));
    assert!(gone.is_empty(), "known differences that are gone, take them off the list: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_of_all_other_files_are_printed() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> =
        names.filter_map(|name| name.to_str()?.strip_suffix(".jsonl").map(str::to_owned)).collect();
    let mut files: Vec<&str> = names.iter().map(String::as_str).collect();
    files.retain(|file| !WHOLE.contains(file) && *file != FRESH);
    files.sort_unstable();
    let server = DevServer::start().await.unwrap();
    replay(&server.url(), &files);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_total_of_a_servers_life_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], free_port(1)));
    let config = folder.path().join("server.hcl");
    let text = format!(
        "storage \"inmem\" {{}}\nlistener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n}}\n"
    );
    fs::write(&config, text).unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let child = Command::new(binary("strongroom"))
        .arg("server")
        .arg(format!("-config={}", config.display()))
        .env("HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let _server = Stopped(child);
    let mut client = Client::plain(address, DEV_ROOT);
    let end = Instant::now() + PATIENCE;
    while client.send("GET", "sys/health", None).await.is_err() {
        assert!(Instant::now() < end, "{}", fs::read_to_string(folder.path().join("log")).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    replay(&format!("http://{address}"), &[FRESH]);
}
