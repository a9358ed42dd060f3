//! Who may not.

use strongroom_engine::Operation;
use strongroom_engine::surface::Rule;
use strongroom_types::error::Kind as Blame;

use super::known::{ALWAYS, WRAPPING};
use super::rig::{ROOT, Rig, Spot, spots};
use super::{OPERATIONS, Watch, by_path};

/// Everything but `sudo`.
const ALL: &str =
    r#"path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan"] }"#;

const WHOLE: &str =
    r#"capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"]"#;

/// What needs a token.
fn guarded(spots: &[Spot]) -> impl Iterator<Item = &Spot> {
    spots.iter().filter(|spot| !spot.entry.rule.is_open())
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_without_a_token_and_with_a_wrong_one_nothing_is_answered_and_nothing_changes() {
    let (watch, spots) = (Watch::new().await, spots());
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        watch.refused(spot, spot.ask(""), Blame::Denied, "no token").await;
        for wrong in ["made-up", "hvs.0000000000000000000000000000000000000000", "hvb.AAAA", "root", "\u{fc}"]
        {
            let opens = WRAPPING.contains(&spot.path.as_str());
            let blame = if opens { Blame::BadRequest } else { Blame::Denied };
            watch.refused(spot, spot.ask(wrong), blame, "wrong token").await;
        }
    };
    watch.unchanged(guarded(&spots).map(|spot| (spot, ())), cases).await;
}

/// Otherwise none of these tests could fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_noticed_wherever_it_is() {
    for path in ["sys/policies/acl/thing", "sys/auth/thing", "cubbyhole/thing", "m-kv-1/data/thing"] {
        let (watch, spots) = (Watch::new().await, spots());
        let is_delete = |spot: &&Spot| spot.path == path && spot.entry.operation == Operation::Delete;
        let spot = spots.iter().find(is_delete).unwrap();
        let delete =
            async |watch: &Watch, spot: &Spot, ()| assert!(watch.rig.ask(spot.ask(ROOT)).await.is_ok());
        watch.unchanged([(spot, ())], delete).await;
        assert_eq!(watch.failures.take().len(), 2, "{path}: the store, and what is shown");
        watch.refused(spot, spot.ask(ROOT), Blame::Denied, "it is not refused").await;
        assert!(!watch.failures.take().is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_a_weak_token_is_refused_everywhere_and_nothing_changes() {
    let (watch, spots) = (Watch::new().await, spots());
    let weak = watch.rig.token("weak", "path \"nothing/at/all\" { capabilities = [\"read\"] }").await;
    let cases = async |watch: &Watch, spot: &Spot, ()| {
        watch.refused(spot, spot.ask(&weak), Blame::Denied, "weak token").await;
        for body in ["", "no JSON", "[]", "{\"type\": {}}"] {
            watch.refused(spot, spot.ask(&weak).body(body), Blame::Denied, "weak token, odd body").await;
        }
    };
    watch.unchanged(guarded(&spots).map(|spot| (spot, ())), cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_and_c5_what_is_denied_by_name_or_asks_for_sudo_is_refused_to_a_token_that_may_all_else() {
    let (watch, spots) = (Watch::new().await, spots());
    let no_sudo = watch.rig.token("no-sudo", ALL).await;
    let mut prepared = Vec::new();
    for (number, spot) in guarded(&spots).enumerate() {
        let policy = format!("{ALL}\npath \"{}\" {{ capabilities = [\"deny\"] }}", spot.acl_path());
        prepared.push((spot, watch.rig.token(&format!("all-but-{number}"), &policy).await));
    }
    let cases = async |watch: &Watch, spot: &Spot, denied: String| {
        watch.refused(spot, spot.ask(&denied), Blame::Denied, "denied by name").await;
        if spot.entry.rule == Rule::Sudo {
            watch.refused(spot, spot.ask(&no_sudo), Blame::Denied, "no sudo").await;
        }
    };
    watch.unchanged(prepared, cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_what_a_path_does_not_offer_is_405_and_only_to_those_who_may_ask() {
    let (watch, spots) = (Watch::new().await, spots());
    let cases = async |watch: &Watch, spot: &Spot, offered: Vec<&Spot>| {
        let is_always = ALWAYS.contains(&spot.path.as_str());
        for operation in OPERATIONS.iter().copied() {
            if offered.iter().any(|other| other.entry.operation == operation) {
                continue;
            }
            watch.refused(spot, spot.ask_for(operation, ROOT), Blame::Unsupported, "not offered").await;
            // Where no token is needed, everybody may ask.
            let is_open = is_always || spot.entry.rule.is_open();
            let blame = if is_open { Blame::Unsupported } else { Blame::Denied };
            watch.refused(spot, spot.ask_for(operation, ""), blame, "not offered, no token").await;
        }
        if !is_always {
            let path = format!("{}/", spot.path);
            let write = spot.ask_for(Operation::Update, ROOT).path(&path);
            watch.refused(spot, write, Blame::BadRequest, "a write with a slash at its end").await;
            let read = spot.ask_for(Operation::Read, ROOT).path(&path);
            watch.refused(spot, read, Blame::NotFound, "a read with a slash at its end").await;
        }
    };
    let paths = by_path(&spots).into_values().filter_map(|offered| Some((*offered.first()?, offered)));
    watch.unchanged(paths, cases).await;
}

/// The capability that an operation asks for, and the others.
fn capabilities(spot: &Spot) -> (String, String) {
    const ALL: [&str; 7] = ["create", "read", "update", "patch", "delete", "list", "scan"];
    let needs = |word: &&'static str| match spot.entry.operation {
        // Which of the two depends on what is there.
        Operation::Update if spot.entry.tells_create => ["create", "update"].contains(word),
        operation => operation.name() == *word,
    };
    let (own, others): (Vec<&str>, Vec<&str>) = ALL.iter().copied().partition(needs);
    let rule = |words: Vec<&str>| {
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        format!("path \"{}\" {{ capabilities = [{}, \"sudo\"] }}\n", spot.acl_path(), words.join(", "))
    };
    (rule(own), rule(others))
}

/// No operation is had by what allows another one on the same path, nor by the same on a path around it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_42135_and_2023_0665_each_operation_asks_for_its_own_capability_on_its_own_path() {
    let (mut watch, spots) = (Watch::new().await, spots());
    let mut prepared = Vec::new();
    for (number, spot) in guarded(&spots).enumerate() {
        let (_, others) = capabilities(spot);
        let (path, prefix) = (spot.acl_path(), &spot.entry.prefix);
        let around = [format!("{path}x"), format!("x{path}"), format!("{prefix}/+/+/+/+/+/+")];
        let around = around.map(|path| format!("path \"{path}\" {{ {WHOLE} }}\n"));
        let policy = format!("{others}{}", around.concat());
        prepared.push((spot, watch.rig.token(&format!("others-{number}"), &policy).await));
    }
    let cases = async |watch: &Watch, spot: &Spot, others: String| {
        watch.refused(spot, spot.ask(&others), Blame::Denied, "every other capability").await;
    };
    watch.unchanged(prepared, cases).await;
    for spot in guarded(&spots) {
        // With its own it is decided by the route: whatever that says, it is not for want of a capability.
        let own = watch.rig.token("own", &capabilities(spot).0).await;
        let answer = watch.rig.ask(spot.ask(&own)).await;
        let is_denied = answer.as_ref().is_err_and(|refusal| {
            refusal.kind == Blame::Denied && refusal.message.contains("1 error occurred")
        });
        watch.holds(!is_denied, || format!("{spot}: refused with its own capability: {answer:?}"));
        if answer.is_ok() && spot.entry.operation.is_write() {
            watch.rig = Rig::new().await;
        }
    }
}
