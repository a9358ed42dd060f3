//! What is answered to whom, pinned.

use std::collections::BTreeSet;

use super::*;

/// All that is answered without a token. Each of them is explained in SECURITY.md; more than 12 there may not be.
const OPEN: &[&str] = &[
    "/auth/{approle}/login",
    "/auth/{userpass}/login/{username}",
    "/sys/generate-root/attempt",
    "/sys/health",
    "/sys/init",
    "/sys/internal/specs/openapi",
    "/sys/internal/ui/mounts",
    "/sys/internal/ui/mounts/{path}",
    "/sys/leader",
    "/sys/seal-status",
    "/sys/unseal",
    "/sys/wrapping/lookup",
];

fn given(arguments: &[&str]) -> Result<Option<Wish>, String> {
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    parse(&arguments, None)
}

fn paths(entries: &[Entry], wanted: fn(&Entry) -> bool) -> BTreeSet<String> {
    entries.iter().filter(|entry| wanted(entry)).map(Entry::shown_path).collect()
}

#[test]
fn c5_what_needs_no_token_is_pinned_and_nothing_is_without_a_rule() {
    let all = all();
    assert!(all.len() > 100, "only {} operations", all.len());
    let open: Vec<String> = paths(&all, |entry| entry.rule.is_open()).into_iter().collect();
    assert_eq!(open, OPEN);
    assert!(open.len() <= 12, "{} routes need no token", open.len());
    assert_eq!(paths(&all, |entry| entry.rule == Rule::Missing), BTreeSet::new());
}

#[test]
fn c5_what_the_configuration_may_open_is_said_and_needs_a_token_otherwise() {
    let shown = answer(&Wish { unauthenticated: true, ..Wish::default() });
    let said = "GET /sys/metrics: without a token on a listener that has telemetry { unauthenticated_metrics_access = true }";
    assert!(shown.lines().any(|line| line == said), "{shown}");
    let may_be_open: Vec<(&str, &str)> =
        strongroom_core::OPEN_BY_CONFIGURATION.iter().map(|(method, path, _)| (*method, *path)).collect();
    assert_eq!(may_be_open, [("GET", "/sys/metrics")]);
    let all = all();
    let entry = all.iter().find(|entry| entry.shown_path() == "/sys/metrics").unwrap();
    assert_eq!((entry.method(), entry.rule), ("GET", Rule::AccessList));
}

#[test]
fn every_operation_says_what_it_is_for_and_stands_once() {
    let all = all();
    let mut seen = BTreeSet::new();
    for entry in &all {
        let name = format!("{} {}", entry.method(), entry.shown_path());
        assert!(!entry.summary.is_empty(), "{name} has no summary");
        assert!(seen.insert(name.clone()), "{name} is there twice");
        for field in entry.fields {
            assert!(!field.help.is_empty(), "{name}: the field {} has no help", field.name);
        }
        let named = entry.path.matches('{').count();
        assert_eq!(named, entry.params.len(), "{name}: its parameters are not all described");
    }
}

/// Quotas and access lists know a name before it is known which route is meant: routes that share a place agree on it.
#[test]
fn names_at_one_place_of_a_table_fold_in_all_routes_or_in_none() {
    let all = all();
    let mut compared = 0;
    for (entry, other) in all.iter().flat_map(|entry| all.iter().map(move |other| (entry, other))) {
        if entry.prefix != other.prefix {
            continue;
        }
        for (part, there) in entry.path.split('/').zip(other.path.split('/')) {
            let [name, same] = [part, there].map(|part| part.trim_matches(['{', '}', '*', '?']));
            match (part.starts_with('{'), there.starts_with('{')) {
                (true, true) => {
                    let kind = |of: &Entry, name| of.params.iter().find(|p| p.name == name).unwrap().kind;
                    assert_eq!(kind(entry, name), kind(other, same), "{} {}", entry.path, other.path);
                    compared += 1;
                }
                (false, false) if part != there => break,
                (is_name, _) => assert!(is_name || part == part.to_lowercase(), "{part}"),
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

/// `-output-policy` has a list of its own. Of what only a handler asks for, it has the two cases below.
#[test]
fn the_command_line_knows_what_asks_for_sudo() {
    use strongroom_cli::sudo::{PATHS, covers, is_needed};
    use strongroom_engine::Operation;
    let all = all();
    let filled = |entry: &Entry| {
        let parts = entry.shown_path();
        let parts =
            parts.trim_matches('/').split('/').map(|part| if part.starts_with('{') { "thing" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    for entry in &all {
        let (path, lists) = (filled(entry), matches!(entry.operation, Operation::List | Operation::Scan));
        let by_handler = match path.as_str() {
            "sys/generate-root/attempt" => true,
            "sys/leases/lookup" => lists,
            _ => false,
        };
        assert_eq!(
            is_needed(&path, lists),
            entry.rule == Rule::Sudo || by_handler,
            "{} {path}",
            entry.method()
        );
    }
    for pattern in PATHS {
        assert!(all.iter().any(|entry| covers(pattern, &filled(entry))), "{pattern} is nowhere");
    }
}

#[test]
fn every_engine_and_method_is_shown() {
    let text = answer(&Wish::default());
    for path in [
        "/{kv}/{path}",
        "/{kv version=2}/data/{path}",
        "/{cubbyhole}/{path}",
        "/auth/{userpass}/users",
        "/auth/token/create",
        "/sys/seal",
    ] {
        assert!(
            text.lines().any(|line| line.contains(&format!("  {path} "))),
            "{path} is not shown:\n{text}"
        );
    }
    assert!(
        text.ends_with(&format!("{} without authentication, 0 without an authorisation rule", OPEN.len()))
    );
    assert!(text.contains("policy: update and sudo"));
}

#[test]
fn the_lists_are_what_the_flags_ask_for_and_json_is_json() {
    assert_eq!(given(&[]), Ok(Some(Wish::default())));
    assert_eq!(given(&["--help"]), Ok(None));
    let wish = given(&["--unauthenticated", "--format", "json"]).unwrap().unwrap();
    assert_eq!(wish, Wish { unauthenticated: true, without_rule: false, json: true });
    let objects: serde_json::Value = serde_json::from_str(&answer(&wish)).unwrap();
    let objects = objects.as_array().unwrap();
    assert!(objects.len() >= OPEN.len() && objects.iter().all(|object| object["unauthenticated"] == true));
    let whole: serde_json::Value =
        serde_json::from_str(&answer(&Wish { json: true, ..Wish::default() })).unwrap();
    assert_eq!(whole.as_array().unwrap().len(), all().len());
    let nothing = answer(&Wish { without_rule: true, ..Wish::default() });
    assert_eq!(nothing, "0 operations on 0 paths: 0 without authentication, 0 without an authorisation rule");
    for wrong in [&["-format=xml"][..], &["-format"], &["extra"], &["-unknown"]] {
        assert!(given(wrong).is_err(), "{wrong:?}");
    }
}
