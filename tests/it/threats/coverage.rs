//! `README.md` beside this file says which flaw is tried where: that it is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use strongroom_tests::repository;

use crate::security_md::tests;

/// The ids of a row, and what stands beside them.
fn rows(text: &str) -> Vec<(Vec<String>, String)> {
    let cells =
        text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = cells.filter(|(ids, _)| *ids != "id");
    rows.map(|(ids, beside)| (ids.split(", ").map(str::to_owned).collect(), beside.to_owned())).collect()
}

/// Whether the name of a test carries `id`: every part of it that tells it from others.
fn carries(test: &str, id: &str) -> bool {
    let words: BTreeSet<&str> = test.split('_').collect();
    let id = id.to_lowercase();
    let parts: Vec<&str> = id.split(['-', ' ', '.']).collect();
    match parts.as_slice() {
        ["vault", numbers @ ..] => format!("_{test}").contains(&format!("_vault_{}_", numbers.join("_"))),
        ["ghsa", first, ..] => words.contains("ghsa") && words.contains(first),
        [kind @ ("cve" | "rustsec"), numbers @ ..] => {
            words.contains(kind) && numbers.iter().all(|number| words.contains(number))
        }
        _ => words.contains(id.as_str()),
    }
}

/// Every test of the repository.
fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            collect(&entry, found);
        } else if entry.extension().is_some_and(|kind| kind == "rs") {
            found.extend(tests(&fs::read_to_string(&entry).unwrap()));
        }
    }
}

#[test]
fn every_flaw_has_its_test_or_a_reason() {
    let text = fs::read_to_string(repository().join("tests/it/threats/README.md")).unwrap();
    let rows = rows(&text);
    let mut there = BTreeSet::new();
    for folder in ["appliance", "hsm-bridge", "tpm", "tests"] {
        collect(&repository().join(folder), &mut there);
    }
    let mut seen = BTreeSet::new();
    for (ids, beside) in &rows {
        let named: Vec<&str> = beside.split('`').skip(1).step_by(2).collect();
        for name in &named {
            assert!(there.contains(*name), "{ids:?}: there is no test {name}");
        }
        for id in ids {
            assert!(seen.insert(id.clone()), "{id} stands there twice");
            let is_reason = named.is_empty() && beside.len() > 20;
            let is_tried = named.iter().any(|name| carries(name, id));
            assert!(is_reason || is_tried, "{id}: no test that is named carries it, and there is no reason");
        }
    }
    for class in 1..=16 {
        assert!(seen.contains(&format!("C{class}")), "nothing is said of C{class}");
    }
    assert!(seen.len() > 60, "only {} flaws", seen.len());
}

#[test]
fn an_id_is_known_by_its_parts() {
    assert!(carries("cve_2025_5999_and_64761_no_spelling", "CVE-2025-64761"));
    assert!(!carries("cve_2025_5999_and_64761_no_spelling", "CVE-2024-64761"));
    assert!(carries("ghsa_xp3c_3jw3_4vcr_a_list", "GHSA-xp3c") && !carries("xp3c_a_list", "GHSA-xp3c"));
    assert!(carries("vault_0_10_1_a_policy", "Vault 0.10.1") && !carries("vault_0_10_12_a", "Vault 0.10.1"));
    assert!(carries("c1_and_c15_a_name", "C15") && !carries("c15_a_name", "C1"));
    let text = "| id | x |\n|---|---|\n| A-1, B-2 | `a_1`, `b_2` |\n| C3 | why not |\n";
    assert_eq!(rows(text).len(), 2);
}
