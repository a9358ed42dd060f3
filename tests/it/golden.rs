//! The recorded answers of `tests/golden/`, played against a development server.
//!
//! The areas of [`WHOLE`] must match wholly, but for the lines of `known-differences.txt`, each with its reason;
//! a listed line that matches again is a failure too. Of every other area the total is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use strongroom_tests::process::DEV_ROOT;
use strongroom_tests::{DevServer, repository};

/// Areas that must match.
const WHOLE: &[&str] = &[
    "approle",
    "audit",
    "quotas",
    "sys",
    "mounts",
    "kv1",
    "kv2",
    "cubbyhole",
    HEADERS,
    "leases",
    "policy",
    "token",
    "userpass",
    "wrapping",
];

/// Played over TLS, as a production server answers: what promises HTTPS is said there only.
const HEADERS: &str = "headers";

/// Most lines in the list of known differences.
const MOST_KNOWN: usize = 10;

fn folder() -> PathBuf {
    repository().join("tests/golden")
}

/// `id reason` a line; `#` begins a comment.
fn known_differences() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder().join("known-differences.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let pair =
        |line: &str| line.split_once(' ').map(|(id, reason)| (id.to_owned(), reason.trim().to_owned()));
    lines.map(|line| pair(line).unwrap_or_else(|| panic!("no reason: {line}"))).collect()
}

/// What replay.py printed for these areas.
fn replay(url: &str, areas: &[String]) -> String {
    let files = areas.iter().map(|area| folder().join(format!("{area}.jsonl")));
    let out = Command::new("python3")
        .arg(folder().join("replay.py"))
        .args([url, DEV_ROOT])
        .args(files)
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_areas_answer_as_recorded() {
    let server = DevServer::start().await.unwrap();
    let areas: Vec<String> = WHOLE.iter().filter(|area| **area != HEADERS).map(ToString::to_string).collect();
    let secure = DevServer::with_tls().await.unwrap();
    let mut printed = replay(&server.url(), &areas);
    printed.push_str(&replay(&secure.url(), &[HEADERS.to_owned()]));
    let known = known_differences();
    assert!(known.len() <= MOST_KNOWN, "the list of known differences has grown to {}", known.len());
    let is_difference = |line: &&str| line.contains("): ") && line.contains(" (");
    let differing: BTreeSet<&str> =
        printed.lines().filter(is_difference).filter_map(|line| line.split(' ').next()).collect();
    let new: Vec<&str> = printed
        .lines()
        .filter(is_difference)
        .filter(|line| !known.contains_key(line.split(' ').next().unwrap_or_default()))
        .collect();
    let gone: Vec<&String> = known.keys().filter(|id| !differing.contains(id.as_str())).collect();
    assert_eq!(printed.matches(" passed, ").count(), 2, "replay.py did not come to its end:\n{printed}");
    assert!(new.is_empty(), "differences:\n{}", new.join("\n"));
    assert!(gone.is_empty(), "known differences that are gone, take them off the list: {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_of_all_other_areas_are_printed() {
    let server = DevServer::start().await.unwrap();
    let mut areas: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned))
        .filter(|area| !WHOLE.contains(&area.as_str()))
        .collect();
    areas.sort();
    let printed = replay(&server.url(), &areas);
    let totals: Vec<&str> =
        printed.lines().filter(|line| line.contains(" of ") && !line.contains('(')).collect();
    for total in &totals {
        println!("golden {total}");
    }
    assert_eq!(totals.len(), areas.len(), "replay.py did not come to its end:\n{printed}");
    let health = server.client().send("GET", "sys/health", None).await.unwrap();
    assert_eq!(health.status, 200, "the server has not survived what it does not know");
}
