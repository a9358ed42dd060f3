//! SECURITY.md promises; this checks that each test which it names is there, in the file that it names.

use std::collections::BTreeMap;
use std::fs;

use strongroom_tests::repository;

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

/// Whether `source` has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    let before = &source[..source[..at].rfind('\n').map_or(0, |end| end + 1)];
    // The attribute stands right above, with others of its kind at most.
    let mut above = before.lines().rev().take_while(|line| line.trim_start().starts_with("#["));
    let is_test = above.any(|line| line.contains("test"));
    is_test || before.contains("proptest! {")
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
            .or_insert_with(|| fs::read_to_string(repository().join(file)).unwrap_or_default());
        if !has_test(source, name) {
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
    let source = "#[test]\nfn one_thing() {}\n\nfn helper() {}\n\n    #[tokio::test(flavor = \"multi_thread\")]\n    async fn x_y() {}\n";
    assert!(has_test(source, "one_thing") && has_test(source, "x_y"));
    assert!(!has_test(source, "helper") && !has_test(source, "one"));
}
