//! The compiled access list against a slow one that follows the words of the rules: all stanzas are looked at,
//! one after the other, for each request.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use strongroom_types::Operation;

use super::{NOW, acl, ask, refusal};
use crate::AclPath;

/// The path of a stanza and its words, as they are written.
type Line = (String, Vec<&'static str>);

/// Whether a pattern as it is written matches a path.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, prefix) = pattern.strip_suffix('*').map_or((pattern, false), |pattern| (pattern, true));
    let (own, given): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    if given.len() < own.len() || (!prefix && given.len() != own.len()) {
        return false;
    }
    own.iter().enumerate().all(|(i, segment)| {
        let is_last = i + 1 == own.len();
        *segment == "+" || *segment == given[i] || (prefix && is_last && given[i].starts_with(segment))
    })
}

/// "Lower loses": first wildcard position earlier; ends with `*` vs not; more `+` segments; shorter;
/// lexicographically smaller.
fn order(a: &str, b: &str) -> Ordering {
    let plus = |p: &str| p.split('/').filter(|segment| *segment == "+").count();
    let first = |p: &str| {
        let mut position = 0;
        for segment in p.split('/') {
            if segment == "+" {
                return position;
            }
            position += segment.len() + 1;
        }
        p.trim_end_matches('*').len()
    };
    first(a)
        .cmp(&first(b))
        .then((!a.ends_with('*')).cmp(&!b.ends_with('*')))
        .then(plus(b).cmp(&plus(a)))
        .then(a.trim_end_matches('*').len().cmp(&b.trim_end_matches('*').len()))
        .then(a.trim_end_matches('*').cmp(b.trim_end_matches('*')))
}

fn is_wild(pattern: &str) -> bool {
    pattern.ends_with('*') || pattern.split('/').any(|segment| segment == "+")
}

/// The words for a path by the four steps of the look-up.
fn naive(lines: &[Line], path: &str, operation: Operation) -> Vec<&'static str> {
    let mut merged: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for (pattern, words) in lines {
        merged.entry(pattern).or_default().extend(words);
    }
    let exact = |path: &str| merged.iter().find(|(pattern, _)| !is_wild(pattern) && **pattern == path);
    let best = |path: &str| {
        let matching = merged.iter().filter(|(pattern, _)| is_wild(pattern) && matches(pattern, path));
        matching.max_by(|a, b| order(a.0, b.0))
    };
    let is_list = matches!(operation, Operation::List | Operation::Scan);
    let bare = path.strip_suffix('/').filter(|_| is_list);
    let found =
        exact(path).or_else(|| bare.and_then(exact)).or_else(|| best(path)).or_else(|| bare.and_then(best));
    found.map(|(_, words)| words.clone()).unwrap_or_default()
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "ab", "aba", ""])
}

fn pattern() -> impl Strategy<Value = String> {
    let own = prop_oneof![3 => segment(), 2 => Just("+")];
    (prop::collection::vec(own, 1..5), any::<bool>()).prop_map(|(segments, open)| {
        let text = segments.join("/");
        if open && !text.ends_with('+') { format!("{text}*") } else { text }
    })
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let word = prop::sample::select(vec!["read", "list", "update", "scan", "deny"]);
    let words = prop_oneof![4 => prop::collection::vec(word, 1..3), 1 => Just(vec![])];
    // A slash at the begin of a stanza's path is taken away: such a pattern is another one. No request has a path with
    // an empty segment: such a pattern is none.
    let own = pattern().prop_filter("a leading slash", |pattern| !pattern.starts_with('/'));
    let own = own.prop_filter("an empty segment", |pattern| !pattern.contains("//"));
    prop::collection::vec((own, words), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_list_decides_as_the_rules_say(
        lines in lines(),
        cut in 0..12_usize,
        path in prop::collection::vec(segment(), 1..5),
        listing in any::<bool>(),
    ) {
        let mut path = path.join("/").trim_start_matches('/').to_owned();
        let operation = if listing { Operation::List } else { Operation::Read };
        if listing && !path.ends_with('/') {
            path.push('/');
        }
        let path = path.trim_start_matches('/');
        let text = |lines: &[Line]| {
            let stanza = |(path, words): &Line| format!("path {path:?} {{ capabilities = {words:?} }}\n");
            lines.iter().map(stanza).collect::<String>()
        };
        let (one, two) = lines.split_at(cut.min(lines.len()));
        let compiled = acl(&[&text(one), &text(two)]);

        let words = naive(&lines, path, operation);
        let expected = words.contains(&operation.name()) && !words.contains(&"deny");
        prop_assert_eq!(refusal(&compiled, &ask(path, operation)).is_none(), expected, "{:?}", words);

        let mut told = naive(&lines, path, Operation::List);
        told.sort_unstable();
        told.dedup();
        if told.is_empty() || told.contains(&"deny") {
            told = vec!["deny"];
        }
        prop_assert_eq!(compiled.capabilities(path, NOW), told);
    }

    /// Names that are the same in any case: as if each pattern had been written in lower case there.
    #[test]
    fn a_policy_in_any_case_decides_as_one_in_lower_case(
        lines in lines(),
        path in prop::collection::vec(segment(), 1..5),
        folded in prop::collection::vec(0..5_usize, 0..3),
        spelling in any::<u64>(),
    ) {
        let text = path.join("/");
        prop_assume!(!text.starts_with('/'));
        let text_of = |lines: &[Line]| {
            let stanza = |(path, words): &Line| format!("path {path:?} {{ capabilities = {words:?} }}\n");
            lines.iter().map(stanza).collect::<String>()
        };
        // Some of the letters in upper case, one pattern not as the other.
        let spelt = |number: usize, pattern: &str| -> String {
            let upper = |at: usize| spelling.rotate_left((number * 7 + at) as u32) & 1 == 1;
            pattern.char_indices().map(|(at, c)| if upper(at) { c.to_ascii_uppercase() } else { c }).collect()
        };
        let shouted: Vec<Line> = lines.iter().enumerate().map(|(i, (p, w))| (spelt(i, p), w.clone())).collect();
        let lower = |pattern: &str| -> String {
            let parts = pattern.split('/').enumerate();
            let parts = parts.map(|(at, part)| if folded.contains(&at) { part.to_lowercase() } else { part.into() });
            parts.collect::<Vec<_>>().join("/")
        };
        let lowered: Vec<Line> = shouted.iter().map(|(p, w)| (lower(p), w.clone())).collect();

        let asked = AclPath { text: &text, folded: &folded };
        let told = acl(&[&text_of(&shouted)]).capabilities(asked, NOW);
        prop_assert_eq!(told, acl(&[&text_of(&lowered)]).capabilities(text.as_str(), NOW));
    }
}
