//! Lists and walks against a model, and names of every kind.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // the lints spare tests, not what tests share

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use proptest::prelude::*;
use strongroom_barrier::{MAX_NAME, MAX_SEGMENT, MAX_SEGMENTS, Name, NameError, Write};

/// What `Reader::list` says it answers.
fn model_list(
    records: &BTreeMap<Vec<String>, String>,
    parent: &[String],
    after: Option<&str>,
    limit: Option<usize>,
) -> Vec<String> {
    let below = records.keys().filter_map(|path| path.strip_prefix(parent));
    let names: Vec<String> = below
        .filter_map(|rest| match rest {
            [] => None,
            [name] => Some(name.clone()),
            [name, ..] => Some(format!("{name}/")),
        })
        .collect();
    // One line for each directory and each record: of equal lines, one for either.
    let mut directories = BTreeSet::new();
    let mut listed: Vec<String> = Vec::new();
    for (path, name) in
        records.keys().filter(|path| path.len() > parent.len() && path.starts_with(parent)).zip(names)
    {
        if path.len() == parent.len() + 1 || directories.insert(path[parent.len()].clone()) {
            listed.push(name);
        }
    }
    listed.sort();
    listed.retain(|name| after.is_none_or(|after| name.as_str() > after));
    listed.truncate(limit.unwrap_or(usize::MAX));
    listed
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]",
        2 => "[a-c!.-9~é]{1,3}",
        1 => "\\PC{1,40}",
        1 => "[\u{0}/\u{80}\n]{1,2}",
        1 => "[x]{15,17}",
    ]
}

fn path() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(segment(), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_names_round_trip_and_are_listed_as_the_model_says(
        puts in proptest::collection::vec(path(), 0..40),
        deletes in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        after in proptest::option::of(segment()),
        limit in proptest::option::of(0usize..6),
    ) {
        let bench = Bench::new();
        let mut model = BTreeMap::new();
        for (round, path) in puts.iter().enumerate() {
            bench.write(Write::put(Name::new(path.clone()).unwrap(), round.to_string()));
            model.insert(path.clone(), round.to_string());
        }
        for index in deletes {
            if let Some(path) = puts.get(index.index(puts.len().max(1))) {
                bench.write(Write::delete(Name::new(path.clone()).unwrap()));
                model.remove(path);
            }
        }
        let reader = bench.reader();
        for path in &puts {
            let found = text(reader.get(&Name::new(path.clone()).unwrap()).unwrap());
            prop_assert_eq!(found.as_ref(), model.get(path));
        }
        let parents: BTreeSet<&[String]> =
            puts.iter().flat_map(|path| (0..=path.len()).map(|len| &path[..len])).chain([&[][..]]).collect();
        for parent in parents {
            let parent_name = Name::new(parent.to_vec()).unwrap();
            for (after, limit) in [(None, None), (after.as_deref(), None), (after.as_deref(), limit), (None, limit)] {
                let listed = reader.list(&parent_name, after, limit).unwrap();
                prop_assert_eq!(listed, model_list(&model, parent, after, limit));
            }
            let mut walked = Vec::new();
            reader.walk(&parent_name, &mut |path| { walked.push(path.to_vec()); true }).unwrap();
            // From any record on, and from where one was, the rest of the same walk comes.
            for (at, rest) in walked.iter().enumerate() {
                let name = Name::new(parent.iter().chain(rest).cloned()).unwrap();
                let mut rest = Vec::new();
                reader.walk_on(&parent_name, &name, &mut |path| { rest.push(path.to_vec()); true }).unwrap();
                prop_assert_eq!(&rest, &walked[at + 1..]);
            }
            walked.sort();
            let below: Vec<Vec<String>> = model
                .keys()
                .filter_map(|path| path.strip_prefix(parent))
                .filter(|rest| !rest.is_empty())
                .map(<[String]>::to_vec)
                .collect();
            prop_assert_eq!(walked, below);
        }
    }

    #[test]
    fn two_names_never_share_a_key_and_a_key_is_a_prefix_only_of_what_lies_below(
        left in path(),
        right in path(),
    ) {
        let bench = Bench::new();
        let [left_key, right_key] = [&left, &right]
            .map(|path| bench.write(Write::put(Name::new(path.clone()).unwrap(), String::new())));
        prop_assert_eq!(left_key == right_key, left == right);
        prop_assert_eq!(right_key.starts_with(&left_key), right.starts_with(&left));
    }
}

#[test]
fn a_record_stands_beside_the_directory_of_the_same_name() {
    let bench = Bench::new();
    for path in ["a", "a/b", "a/c/d", "a-b", "b/c"] {
        bench.put(path, "x");
    }
    let list = |at: &str, after, limit| bench.reader().list(&name(at), after, limit).unwrap();
    assert_eq!(list("", None, None), ["a", "a-b", "a/", "b/"]);
    assert_eq!(list("a", None, None), ["b", "c/"]);
    assert_eq!(list("b/c", None, None), [""; 0]);
    assert_eq!(list("none", None, None), [""; 0]);
    assert_eq!(list("", Some("a-b"), None), ["a/", "b/"]);
    assert_eq!(list("", Some("a"), Some(1)), ["a-b"]);
    assert_eq!(list("", None, Some(0)), [""; 0]);
}

#[test]
fn a_walk_stops_when_it_is_told_to() {
    let bench = Bench::new();
    for path in ["a", "b", "c/d", "c/e"] {
        bench.put(path, "x");
    }
    let mut seen = 0;
    let stopped = bench.reader().walk(&name(""), &mut |_| {
        seen += 1;
        seen < 2
    });
    stopped.unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn the_longest_names_work_and_longer_ones_are_none() {
    let bench = Bench::new();
    let longest = [
        Name::new(["x".repeat(MAX_SEGMENT)]),
        Name::new(vec!["y".repeat(MAX_NAME / MAX_SEGMENTS); MAX_SEGMENTS]),
    ];
    for name in longest {
        let name = name.unwrap();
        let key = bench.write(Write::put(name.clone(), "deep".to_owned()));
        assert!(key.len() < 23 * 1024);
        assert_eq!(text(bench.reader().get(&name).unwrap()).as_deref(), Some("deep"));
        let mut walked = Vec::new();
        let all = bench.reader().walk(&Name::new([""; 0]).unwrap(), &mut |path| {
            walked.push(Name::new(path.to_vec()).unwrap());
            true
        });
        all.unwrap();
        assert!(walked.contains(&name));
    }
    assert_eq!(Name::new(["x".repeat(MAX_SEGMENT + 1)]), Err(NameError::TooLong));
    assert_eq!(Name::new(vec!["x"; MAX_SEGMENTS + 1]), Err(NameError::TooLong));
    assert_eq!(Name::new(vec!["x".repeat(1000); MAX_NAME / 1000 + 1]), Err(NameError::TooLong));
    assert_eq!(Name::new(["a", "", "b"]), Err(NameError::Empty));
}

#[test]
fn a_list_looks_at_nothing_below_its_directory() {
    let bench = Bench::new();
    let deep = bench.put("dir/sub/record", "x");
    // Whatever lies below `sub` is damaged, but not looked at.
    let mut disk = bench.disk.lock().unwrap();
    let value = disk.records.remove(&deep).unwrap();
    let mut damaged = deep.clone();
    *damaged.last_mut().unwrap() ^= 1;
    disk.records.insert(damaged, value);
    drop(disk);
    assert_eq!(bench.reader().list(&name("dir"), None, None).unwrap(), ["sub/"]);
    assert!(bench.reader().walk(&name("dir"), &mut |_| true).is_err());
}
