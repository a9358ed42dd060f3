//! The OpenAPI document beside the recorded routes of an existing Vault-compatible server: every route and field of the areas
//! below is there, but for the lines of `tests/golden/routes/known-missing.txt`, each with its reason. A listed one that is
//! there is a failure too.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use strongroom_tests::{DevServer, repository};

/// The areas that are compared.
const AREAS: &[&str] = &["sys", "auth-token", "auth-approle", "auth-userpass", "kv1", "kv2", "cubbyhole"];

fn folder() -> PathBuf {
    repository().join("tests/golden/routes")
}

/// A route, or a field of one.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    method: String,
    path: String,
    field: Option<String>,
}

impl Place {
    /// `POST /sys/mounts/{path}`, or that and a field.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().map(str::to_owned);
        Some(Self { method: words.next()?, path: words.next()?, field: words.next() })
    }

    /// From a line that routes-diff.py printed; `None` for its totals.
    fn reported(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once(": ")?;
        let (route, what) = rest.split_once(": ")?;
        let words: Vec<&str> = what.split(' ').collect();
        let field = match words.as_slice() {
            ["missing", "route", ..] => None,
            ["missing", "body" | "query", "field", name, ..] | ["body" | "query", "field", name, ..] => {
                Some((*name).to_owned())
            }
            _ => return None,
        };
        Some(Self { field, ..Self::parse(route)? })
    }

    /// Whether this line of the list, in which `*` stands for any method or any rest of a path, is about `other`.
    fn covers(&self, other: &Self) -> bool {
        let is_path = match self.path.strip_suffix('*') {
            Some(start) => other.path.starts_with(start),
            None => other.path == self.path,
        };
        let is_method = self.method == "*" || self.method == other.method;
        is_path && is_method && self.field == other.field
    }
}

/// `place | reason` a line; `#` begins a comment.
fn known() -> Vec<Place> {
    let text = fs::read_to_string(folder().join("known-missing.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let parse = |line: &str| {
        let (place, reason) = line.split_once(" | ").unwrap_or_else(|| panic!("no reason: {line}"));
        assert!(reason.trim().len() > 10, "no reason: {line}");
        Place::parse(place).unwrap_or_else(|| panic!("no route: {line}"))
    };
    lines.map(parse).collect()
}

/// The recorded routes of the areas.
fn recorded() -> Vec<Place> {
    let text = fs::read_to_string(folder().join("routes.jsonl")).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows = rows.filter(|row| AREAS.contains(&row["area"].as_str().unwrap()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| Place { method: text(&row["method"]), path: text(&row["path"]), field: None }).collect()
}

/// A server with what the recorded one had, as its document shows it.
async fn document() -> Value {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    for (path, body) in [
        ("sys/mounts/kv1", json!({"type": "kv", "options": {"version": "1"}})),
        ("sys/mounts/kv2", json!({"type": "kv", "options": {"version": "2"}})),
        ("sys/auth/userpass", json!({"type": "userpass"})),
        ("sys/auth/approle", json!({"type": "approle"})),
    ] {
        let made = root.send("POST", path, Some(&body)).await.unwrap();
        assert!(made.status == 204 || path.contains("approle"), "{path}: {}", made.body);
    }
    root.send("GET", "sys/internal/specs/openapi", None).await.unwrap().body
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_route_and_field_is_there_or_has_a_reason() {
    let folder_of_ours = tempfile::tempdir().unwrap();
    let ours = folder_of_ours.path().join("openapi.json");
    fs::write(&ours, document().await.to_string()).unwrap();
    let mut missing = Vec::new();
    for area in AREAS {
        let out = Command::new("python3")
            .arg(folder().join("routes-diff.py"))
            .args(["--area", area, "--routes"])
            .arg(folder().join("routes.jsonl"))
            .arg(&ours)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(printed.contains("routes: "), "{area}: {}", String::from_utf8_lossy(&out.stderr));
        println!("routes {area}: {}", printed.lines().last().unwrap_or_default());
        missing.extend(printed.lines().filter_map(Place::reported));
    }
    let (known, recorded) = (known(), recorded());
    let new: Vec<&Place> =
        missing.iter().filter(|place| !known.iter().any(|listed| listed.covers(place))).collect();
    assert!(new.is_empty(), "missing, and not in known-missing.txt:\n{new:#?}");
    for listed in &known {
        let is_missing = |place: &Place| missing.contains(place);
        let here: Vec<&Place> = recorded.iter().filter(|r| listed.covers(r) && !is_missing(r)).collect();
        assert!(here.is_empty(), "in known-missing.txt, and there: {here:#?}");
        let any = missing.iter().any(|place| listed.covers(place));
        assert!(any, "in known-missing.txt, and not missing: {listed:?}");
    }
}

#[test]
fn lines_are_read_as_they_are_printed() {
    let place = |text: &str| Place::parse(text).unwrap();
    for (line, expected) in [
        ("sys: GET /sys/raw: missing route (1 fields)", "GET /sys/raw"),
        ("sys: POST /sys/init: body field pgp_keys is any, wanted array<string>", "POST /sys/init pgp_keys"),
        ("sys: POST /sys/x/{path}: missing query field list (string)", "POST /sys/x/{path} list"),
    ] {
        assert_eq!(Place::reported(line).unwrap(), place(expected));
    }
    assert_eq!(Place::reported("sys: routes 57 of 222, fields 89 of 274"), None);
    assert!(place("* /sys/raw*").covers(&place("GET /sys/raw/{path}")));
    assert!(!place("* /sys/raw*").covers(&place("GET /sys/raw/{path} list")));
    assert!(!place("GET /sys/raw").covers(&place("POST /sys/raw")));
}
