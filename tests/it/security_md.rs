//! SECURITY.md promises; this checks that each test which it names is there, in the file that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use strongroom_tests::repository;

use crate::scan;

/// The (file, test) pairs that `text` names: in paragraphs that begin with "Shown by", and in rows of tables that name a file.
fn named(text: &str) -> Vec<(String, String)> {
    let rows = text.lines().filter(|line| line.starts_with('|') && line.contains(".rs`")).map(str::to_owned);
    let shown = text.split("\n\n").filter(|paragraph| paragraph.starts_with("Shown by")).map(str::to_owned);
    let mut all = Vec::new();
    for part in rows.chain(shown) {
        let mut file = String::new();
        // Every second piece stands between backticks.
        for word in part.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                word.clone_into(&mut file);
            } else if word.contains('_')
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            {
                all.push((file.clone(), word.to_owned()));
            }
        }
    }
    all
}

/// The tests of `source`: functions with an attribute that ends in `test` right above them.
pub fn tests(source: &str) -> BTreeSet<String> {
    let code = scan::code(source);
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in code.lines().map(str::trim) {
        if let Some(attribute) = line.strip_prefix("#[") {
            let path = attribute.split(['(', ']', ' ']).next().unwrap_or_default();
            is_test |= path.split("::").last() == Some("test");
        } else if !line.is_empty() {
            let mut words = scan::words(line).skip_while(|word| ["pub", "async"].contains(word));
            if is_test && words.next() == Some("fn") {
                found.extend(words.next().map(str::to_owned));
            }
            is_test = false;
        }
    }
    found
}

#[test]
fn every_test_that_security_md_names_is_there() {
    let text = fs::read_to_string(repository().join("SECURITY.md")).unwrap();
    let named = named(&text);
    assert!(named.len() > 100, "only {} tests are named", named.len());
    let mut sources = BTreeMap::new();
    let mut missing = Vec::new();
    for (file, name) in &named {
        let source = sources
            .entry(file.clone())
            .or_insert_with(|| tests(&fs::read_to_string(repository().join(file)).unwrap_or_default()));
        if !source.contains(name) {
            missing.push(format!("{name} in {file:?}"));
        }
    }
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there:\n{}", missing.join("\n"));
}

#[test]
fn what_is_shown_is_found_and_what_is_not_there_is_noticed() {
    let text = "Shown by `a/b.rs`: `one_thing`, `another_thing`;\n`c.rs`: `x_y`.\n\nNot `this_one`.\n\n| CVE | `c.rs` `z_z` |\n";
    let pairs = named(text);
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(file, name)| (file.as_str(), name.as_str())).collect();
    assert_eq!(
        pairs,
        [("c.rs", "z_z"), ("a/b.rs", "one_thing"), ("a/b.rs", "another_thing"), ("c.rs", "x_y")]
    );
    let source = "#[test]\nfn one() {}\n\nfn helper() {}\n\n    #[tokio::test(flavor = \"a\")]\n    #[allow(x)] // why\n    async fn two() {}\n\
                  proptest! {\n    fn strategy() {}\n    /// What.\n    #[test]\n    fn three(a in any()) {}\n}\n\
                  // #[test]\nfn four() {}\n/*\n#[test]\nfn five() {}\n*/\n#[cfg(test)]\nfn six() {}\n";
    assert_eq!(tests(source), ["one", "three", "two"].map(str::to_owned).into());
}
