//! The rules that a reviewer would otherwise have to remember: which crate may lean on which, who may use a heavy
//! dependency, and where `unsafe` may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use strongroom_tests::repository;

use crate::scan;

/// From the words at the bottom to the binary at the top: a crate may use those named in its row, and no other of ours.
/// Development dependencies may also reach what the row's own crates reach: a test may build what it needs.
const ARROWS: &[(&str, &[&str])] = &[
    ("strongroom-types", &[]),
    ("strongroom-os", &[]),
    ("strongroom-openpgp", &["types"]),
    ("strongroom-policy", &["types"]),
    ("strongroom-store", &["types"]),
    ("strongroom-device-api", &["types"]),
    ("strongroom-audit", &["types"]),
    ("strongroom-barrier", &["types", "os", "store"]),
    ("strongroom-seal", &["types", "device-api"]),
    ("strongroom-engine", &["types", "policy", "barrier", "store"]),
    ("strongroom-engine-*", &["types", "engine"]),
    ("strongroom-auth-*", &["types", "engine"]),
    ("strongroom-core", &["types", "openpgp", "policy", "audit", "seal", "engine", "barrier", "store"]),
    ("strongroom-http", &["types", "core"]),
    ("strongroom-cli", &["types", "policy"]),
    ("strongroom-hsm-bridge", &["types", "device-api"]),
    ("strongroom-tpm", &["types", "device-api"]),
    ("strongroom", &["*"]),
    ("strongroom-tests", &["*"]),
];

/// A dependency that is heavy or dangerous, and the only crates of ours that may name it.
const PINNED: &[(&str, &[&str])] = &[
    ("redb", &["strongroom-store"]),
    ("cryptoki", &["strongroom-hsm-bridge"]),
    ("tss-esapi", &["strongroom-tpm"]),
    ("vsss-rs", &["strongroom-seal"]),
    ("p256", &["strongroom-seal"]),
    ("x509-cert", &["strongroom"]),
    ("seccompiler", &["strongroom-os"]),
    ("hyper", &["strongroom-http", "strongroom-cli", "strongroom-tests"]),
];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &["appliance/os", "hsm-bridge/src", "tpm/src"];

/// Crates that must not come in at all, by any way.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring", "rsa"];

struct Package {
    folder: PathBuf,
    normal: BTreeSet<String>,
    dev: BTreeSet<String>,
}

/// The workspace's own packages.
fn packages() -> BTreeMap<String, Package> {
    let out = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let names = |package: &Value, is_dev: bool| {
        let all = package["dependencies"].as_array().unwrap();
        let wanted = all.iter().filter(|d| (d["kind"] == "dev") == is_dev);
        wanted.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    let package = |p: &Value| Package {
        folder: Path::new(p["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned(),
        normal: names(p, false),
        dev: names(p, true),
    };
    let all = metadata["packages"].as_array().unwrap();
    all.iter().map(|p| (p["name"].as_str().unwrap().to_owned(), package(p))).collect()
}

/// What `name` may use; `None` if the table does not know it.
fn allowed(name: &str) -> Option<Vec<String>> {
    let row = ARROWS.iter().find(|(pattern, _)| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *pattern == name,
    })?;
    Some(row.1.iter().map(|short| format!("strongroom-{short}")).collect())
}

#[test]
fn arrows_between_crates_point_down_only() {
    let packages = packages();
    let mut wrong = Vec::new();
    for (name, package) in &packages {
        let Some(allowed) = allowed(name) else {
            wrong.push(format!("{name} has no row in the table of arrows"));
            continue;
        };
        if allowed == ["strongroom-*"] {
            continue;
        }
        for used in package.normal.iter().filter(|used| packages.contains_key(*used)) {
            if !allowed.contains(used) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_test_leans_on_a_crate_above_its_own() {
    let packages = packages();
    // What `name` may reach through its own row, row by row.
    fn below(name: &str, seen: &mut BTreeSet<String>) {
        for next in allowed(name).unwrap_or_default() {
            if next != "strongroom-*" && seen.insert(next.clone()) {
                below(&next, seen);
            }
        }
    }
    let mut wrong = Vec::new();
    for (name, package) in
        packages.iter().filter(|(name, _)| !["strongroom", "strongroom-tests"].contains(&name.as_str()))
    {
        let mut reach = BTreeSet::from([name.clone()]);
        below(name, &mut reach);
        for used in package.dev.iter().filter(|used| packages.contains_key(*used)) {
            if !reach.contains(used) {
                wrong.push(format!("the tests of {name} use {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_pinned_dependency_has_its_one_user() {
    let mut wrong = Vec::new();
    for (name, package) in packages() {
        for (dependency, users) in PINNED {
            if package.normal.contains(*dependency) && !users.contains(&name.as_str()) {
                wrong.push(format!("{name} uses {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// `name = [a, b]` of one line of deny.toml's bans, in order; no list for what is banned altogether.
fn bans(text: &str) -> BTreeMap<String, Option<BTreeSet<String>>> {
    let entries = text.lines().filter_map(|line| line.trim().strip_prefix("{ crate = "));
    let entry = |line: &str| {
        let (name, wrappers) = line.split_once(", wrappers = ").map_or((line, None), |(n, w)| (n, Some(w)));
        let quoted = |text: &str| text.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        (quoted(name).remove(0), wrappers.map(|wrappers| quoted(wrappers).into_iter().collect()))
    };
    entries.map(entry).collect()
}

/// Who names `dependency` in Cargo.lock, whatever for.
fn users_of(lock: &str, dependency: &str) -> BTreeSet<String> {
    let name = |package: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix("name = "));
        line.map(|name| name.trim_matches('"').to_owned())
    };
    let names_it = |package: &&str| {
        let wanted = |line: &str| line.trim().trim_matches([',', '"']).split(' ').next() == Some(dependency);
        package.split_once("dependencies = [").is_some_and(|(_, list)| list.lines().any(wanted))
    };
    lock.split("[[package]]").filter(names_it).filter_map(name).collect()
}

#[test]
fn deny_toml_says_what_these_tables_say() {
    let read = |name: &str| std::fs::read_to_string(repository().join(name)).unwrap();
    let (bans, lock) = (bans(&read("deny.toml")), read("Cargo.lock"));
    let banned: BTreeSet<_> =
        bans.iter().filter(|(_, w)| w.is_none()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(banned, BANNED.iter().copied().collect());
    let pinned: BTreeSet<_> =
        bans.iter().filter(|(_, w)| w.is_some()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(pinned, PINNED.iter().map(|(name, _)| *name).collect());
    for (name, users) in PINNED {
        let wrappers = bans[*name].clone().unwrap();
        let ours: BTreeSet<_> = wrappers.iter().filter(|w| w.starts_with("strongroom")).cloned().collect();
        assert_eq!(ours, users.iter().map(|user| (*user).to_owned()).collect(), "{name}");
        // A wrapper that is none would let somebody in later.
        assert_eq!(wrappers, users_of(&lock, name), "{name}");
    }
}

#[test]
fn the_arrows_that_are_drawn_are_these() {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let drawn = text.lines().filter_map(|line| line.split_once("──▶"));
    let drawn: BTreeMap<_, _> =
        drawn.map(|(from, to)| (from.trim(), to.split_whitespace().collect())).collect();
    let short = |name: &'static str| name.strip_prefix("strongroom-").unwrap_or(name);
    let table = ARROWS.iter().filter(|(_, to)| !to.is_empty());
    let table: BTreeMap<_, BTreeSet<&str>> =
        table.map(|(from, to)| (short(from), to.iter().copied().collect())).collect();
    assert_eq!(drawn, table);
}

#[test]
fn only_http_serves_with_hyper() {
    for (name, package) in packages() {
        if ["strongroom-http", "strongroom-tests"].contains(&name.as_str())
            || !package.normal.contains("hyper")
        {
            continue;
        }
        for file in sources(&package.folder) {
            let code = scan::code(&std::fs::read_to_string(&file).unwrap());
            // One path or one `use`: up to the next semicolon.
            let serves = code.split(';').any(|statement| {
                let mut words = scan::words(statement);
                words.any(|word| word == "hyper" || word == "hyper_util")
                    && words.any(|word| word == "server")
            });
            assert!(!serves, "{}", file.display());
        }
    }
}

#[test]
fn banned_crates_are_not_built_and_no_dependency_comes_from_git() {
    let arguments =
        ["tree", "--workspace", "--offline", "--edges=normal,build", "--prefix=none", "--format={p}"];
    let out = Command::new("cargo").args(arguments).current_dir(repository()).output().unwrap();
    let tree = String::from_utf8_lossy(&out.stdout);
    assert!(tree.contains("redb v4"), "{}", String::from_utf8_lossy(&out.stderr));
    for name in BANNED {
        assert!(!tree.contains(&format!("\n{name} v")), "{name} has come in");
    }
    let lock = std::fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    assert!(!lock.contains("source = \"git+"), "a dependency comes from git");
}

#[test]
fn unsafe_stands_where_it_may() {
    let mut wrong = Vec::new();
    for file in sources(&repository()) {
        let relative = file.strip_prefix(repository()).unwrap().to_owned();
        if UNSAFE.iter().any(|folder| relative.starts_with(folder)) {
            continue;
        }
        let code = scan::code(&std::fs::read_to_string(&file).unwrap());
        // `unsafe_code` is the lint's name: what switches it off is as good as the word.
        if scan::has_word(&code, "unsafe") || scan::has_word(&code, "unsafe_code") {
            wrong.push(relative);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for folder in UNSAFE {
        for file in sources(&repository().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = scan::code(&text);
            let lines: Vec<&str> = text.lines().collect();
            for (at, _) in code.lines().enumerate().filter(|(_, line)| scan::has_word(line, "unsafe")) {
                seen += 1;
                // Right above: a comment, with attributes below it at most.
                let mut above = lines[..at].iter().rev().map(|line| line.trim_start());
                let comment = above.by_ref().skip_while(|line| line.starts_with("#["));
                if !comment
                    .take_while(|line| line.starts_with("//"))
                    .any(|line| line.starts_with("// SAFETY: "))
                {
                    wrong.push(format!("{}:{}", file.display(), at + 1));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn engines_are_named_in_the_registry_only() {
    let packages = packages();
    let is_engine =
        |name: &str| name.starts_with("strongroom-engine-") || name.starts_with("strongroom-auth-");
    for (name, package) in &packages {
        let used: Vec<_> = package.normal.iter().filter(|used| is_engine(used)).collect();
        assert!(used.is_empty() || name == "strongroom", "{name} names {used:?}");
    }
    for file in sources(&repository().join("appliance/src")) {
        let code = scan::code(&std::fs::read_to_string(&file).unwrap());
        let is_engine =
            |word: &str| word.starts_with("strongroom_engine_") || word.starts_with("strongroom_auth_");
        let names = scan::words(&code).any(is_engine);
        assert!(!names || file.ends_with("registry.rs"), "{} names an engine", file.display());
    }
}

/// All Rust files below `folder` that belong to the repository.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}
