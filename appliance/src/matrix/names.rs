//! Names that are not canonical, and names that only look like another.

use strongroom_engine::{Operation, ParamKind};
use strongroom_types::error::Kind as Blame;

use super::Watch;
use super::rig::{ROOT, Spot, THING, spots};

/// Everything there is.
const ALL: &str = r#"capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"]"#;

/// No canonical name, whoever asks.
const NEVER: &[&str] = &[
    ".",
    "..",
    "%2e%2e",
    "a/../b",
    "a//b",
    "a%00",
    "a%0a",
    "a%5cb",
    "cafe%cc%81",
    "%ff",
    "%c0%af",
    "a%2fb",
    "%",
];

/// As [`THING`], to the eye or to a careless comparison.
const LIKE: &[&str] = &[
    "THING",
    "Thing",
    "thing%20",
    "%20thing",
    "thing%c2%a0",
    "thing%e2%80%8b",
    "%ef%bd%94hing",
    "th%c4%b1ng",
    "t%d2%bbing",
    "%2574hing",
    "thing.",
    "thing;",
];

#[tokio::test(flavor = "multi_thread")]
async fn c1_and_c15_a_name_that_is_not_canonical_is_refused_and_nothing_changes() {
    let (watch, spots) = (Watch::new().await, spots());
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        for name in NEVER {
            let ask = spot.ask(ROOT).path(spot.with(name));
            watch.refused(spot, ask, Blame::BadRequest, "not canonical").await;
        }
    };
    let named = spots.iter().filter(|spot| !spot.entry.params.is_empty());
    watch.unchanged(named.map(|spot| (spot, ())), cases).await;
}

/// Whether its names are the same in any case.
fn folds(spot: &Spot) -> bool {
    spot.entry.params.iter().all(|param| param.kind == ParamKind::Folded)
}

/// Its path as a policy may have it, with its names in some upper case.
fn spelt(spot: &Spot) -> String {
    format!("{}{}", spot.with("tHiNG"), if spot.is_list() { "/" } else { "" })
}

/// What is allowed or denied for one name is so for that name under all its spellings, and for no other.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_89322_and_c2_a_name_that_looks_like_another_inherits_nothing_and_gets_past_nothing() {
    let (watch, spots) = (Watch::new().await, spots());
    let named = spots.iter().filter(|spot| !spot.entry.params.is_empty() && !spot.entry.rule.is_open());
    let mut prepared = Vec::new();
    for (number, spot) in named.enumerate() {
        let path = spot.acl_path();
        let only = format!("path \"{path}\" {{ {ALL} }}");
        // What folds is denied however the policy spells it.
        let path = if folds(spot) { spelt(spot) } else { path };
        let but = format!("path \"*\" {{ {ALL} }}\npath \"{path}\" {{ capabilities = [\"deny\"] }}");
        let only = watch.rig.token(&format!("only-{number}"), &only).await;
        prepared.push((spot, (only, watch.rig.token(&format!("but-{number}"), &but).await)));
    }
    let cases = async |watch: &Watch, spot: &Spot, (only, but): (String, String)| {
        let folds = folds(spot);
        for name in LIKE.iter().filter(|name| !(folds && name.to_lowercase() == THING)) {
            let ask = spot.ask(&only).path(spot.with(name));
            watch.refused(spot, ask, Blame::Denied, "allowed for another name").await;
        }
        let same: &[&str] = if folds { &["THING", "Thing", "%54hinG"] } else { &["%74hing"] };
        for name in same {
            let ask = spot.ask(&but).path(spot.with(name));
            watch.refused(spot, ask, Blame::Denied, "denied under another spelling").await;
        }
    };
    watch.unchanged(prepared, cases).await;
}

/// A policy that writes a name in upper case speaks of it where names are the same in any case, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_89322_a_name_in_upper_case_in_a_policy_is_the_name_where_its_route_folds_it() {
    const ASKS: &str = "path \"sys/capabilities-self\" { capabilities = [\"update\"] }";
    let (watch, spots) = (Watch::new().await, spots());
    let named = spots.iter().filter(|spot| !spot.entry.params.is_empty() && !spot.entry.rule.is_open());
    for (number, spot) in named.enumerate() {
        let (path, spelt) = (spot.acl_path(), spelt(spot));
        let grant = format!("path \"{spelt}\" {{ {ALL} }}");
        let deny = format!("path \"*\" {{ {ALL} }}\npath \"{spelt}\" {{ capabilities = [\"deny\"] }}");
        for (word, policy, is_granted) in [("in", grant, folds(spot)), ("out", deny, !folds(spot))] {
            let token = watch.rig.token(&format!("{word}-{number}"), &format!("{policy}\n{ASKS}")).await;
            let body = serde_json::json!({ "paths": [path] }).to_string();
            let ask = spot.ask_for(Operation::Update, &token).path("sys/capabilities-self").body(body);
            let told = watch.rig.ask(ask).await.unwrap().to_string();
            watch.holds(told.contains("sudo") == is_granted, || format!("{spot}, {word}: {told}"));
        }
    }
}
