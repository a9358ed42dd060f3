//! The rules of access lists, one by one, and against a second implementation.

use std::sync::Arc;

use serde_json::json;
use strongroom_types::{JsonMap, Operation, Timestamp};

use crate::{Acl, Ask, Decision, Policy, Reason};

mod conditions;
mod differential;
mod matching;
mod names;
mod threats;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// One policy per text, named `p0`, `p1`, …
fn policies(texts: &[&str]) -> Vec<Arc<Policy>> {
    let parse = |(i, text): (usize, &&str)| {
        Arc::new(Policy::parse(&format!("p{i}"), text).unwrap_or_else(|error| panic!("{text}: {error}")))
    };
    texts.iter().enumerate().map(parse).collect()
}

fn acl(texts: &[&str]) -> Acl {
    Acl::compile(&policies(texts))
}

/// `path "…" { capabilities = […] }` for each pair.
fn grants(pairs: &[(&str, &str)]) -> String {
    let stanza = |(path, words): &(&str, &str)| {
        let words: Vec<String> = words.split_whitespace().map(|word| format!("{word:?}")).collect();
        format!("path {path:?} {{ capabilities = [{}] }}\n", words.join(", "))
    };
    pairs.iter().map(stanza).collect()
}

fn ask(path: &str, operation: Operation) -> Ask<'_> {
    Ask { path: path.into(), operation, parameters: None, wrap_ttl: None, needs_sudo: false, now: NOW }
}

fn refusal(acl: &Acl, ask: &Ask<'_>) -> Option<Reason> {
    match acl.check(ask) {
        Decision::Granted { .. } => None,
        Decision::Refused { reason } => Some(reason),
    }
}

fn may(acl: &Acl, path: &str, operation: Operation) -> bool {
    refusal(acl, &ask(path, operation)).is_none()
}

/// The refusal of an update with these parameters.
fn with(acl: &Acl, path: &str, parameters: &serde_json::Value) -> Option<Reason> {
    let parameters: JsonMap = parameters.as_object().unwrap().clone();
    refusal(acl, &Ask { parameters: Some(&parameters), ..ask(path, Operation::Update) })
}

#[test]
fn root_may_do_everything_and_only_root_is_root() {
    let root = Acl::root();
    assert!(may(&root, "sys/seal", Operation::Update));
    assert_eq!(refusal(&root, &Ask { needs_sudo: true, ..ask("sys/raw/x", Operation::Delete) }), None);
    assert_eq!(root.capabilities("anything", NOW), ["root"]);
    assert!(root.visible("secret/", NOW) && root.is_root());
    let named_root = Acl::compile(&[Arc::new(Policy::parse("root", "").unwrap())]);
    assert!(!named_root.is_root() && !may(&named_root, "sys/seal", Operation::Update));
}

#[test]
fn nothing_is_allowed_by_default_but_help() {
    let acl = Acl::compile(&[]);
    assert_eq!(refusal(&acl, &ask("secret/a", Operation::Read)), Some(Reason::NoRule));
    assert!(may(&acl, "secret/a", Operation::Help));
    assert!(may(&self::acl(&[&grants(&[("secret/*", "deny")])]), "secret/a", Operation::Help));
    assert_eq!(acl.capabilities("secret/a", NOW), ["deny"]);
    assert!(!acl.visible("secret/", NOW));
}

#[test]
fn a_decision_names_who_granted_it() {
    let acl = acl(&[
        &grants(&[("a", "read sudo")]),
        &grants(&[("a", "update")]),
        "path \"a\" { capabilities = [\"read\"] pagination_limit = 5 }",
    ]);
    let expected =
        Decision::Granted { by: vec!["p0".into(), "p2".into()], sudo: true, pagination_limit: Some(5) };
    assert_eq!(acl.check(&ask("a", Operation::Read)), expected);
}

#[test]
fn explanations_are_in_words() {
    let acl = acl(&[
        &grants(&[("secret/*", "read list"), ("secret/top", "deny")]),
        "path \"w\" { capabilities = [\"update\"] min_wrapping_ttl = 1 required_parameters = [\"a\"] }",
    ]);
    for (path, operation, words) in [
        ("secret/a", Operation::Read, "read is allowed: the rule \"secret/*\" (of p0) grants list, read"),
        (
            "secret/a",
            Operation::Delete,
            "delete is refused: the rule \"secret/*\" (of p0) grants only list, read",
        ),
        ("secret/top", Operation::Read, "read is refused: the rule \"secret/top\" (of p0) denies everything"),
        ("other", Operation::List, "list is refused: no policy speaks of this path"),
        (
            "w",
            Operation::Update,
            "update is allowed: the rule \"w\" (of p1) grants update; some parameters are required; the answer must be wrapped",
        ),
        ("other", Operation::Help, "help is always allowed"),
    ] {
        assert_eq!(acl.explain(path, operation, NOW), words);
    }
    assert_eq!(
        Acl::root().explain("x", Operation::Read, NOW),
        "read is allowed: the policy root allows everything"
    );
}

#[test]
fn the_built_in_policies_are_policies() {
    let default = acl(&[crate::builtin::DEFAULT_TEXT]);
    for (path, words) in [
        ("auth/token/lookup-self", vec!["read"]),
        ("auth/token/renew-self", vec!["update"]),
        ("sys/capabilities-self", vec!["update"]),
        ("sys/leases/lookup", vec!["update"]),
        ("cubbyhole/a/b", vec!["create", "delete", "list", "read", "update"]),
        ("sys/tools/hash/sha2-256", vec!["update"]),
        ("identity/oidc/provider/x/authorize", vec!["read", "update"]),
        ("secret/a", vec!["deny"]),
        ("sys/policies/acl/default", vec!["deny"]),
        ("auth/token/create", vec!["deny"]),
    ] {
        assert_eq!(default.capabilities(path, NOW), words, "{path}");
    }
    assert!(default.visible("cubbyhole/", NOW) && !default.visible("secret/", NOW));
    let wrapping = acl(&[crate::builtin::RESPONSE_WRAPPING_TEXT]);
    assert_eq!(wrapping.capabilities("cubbyhole/response", NOW), ["create", "read"]);
    assert_eq!(wrapping.capabilities("sys/wrapping/unwrap", NOW), ["update"]);
}

/// The recorded policy `policy-matching`, and what a token with it was answered.
#[test]
fn a_recorded_policy_is_answered_as_recorded() {
    let acl = acl(&[concat!(
        "path \"policy-matching/a/*\" { capabilities = [\"read\", \"list\"] }\n",
        "path \"policy-matching/a/two\" { capabilities = [\"deny\"] }\n",
        "path \"policy-matching/+/x/end\" { capabilities = [\"read\"] }\n",
        "path \"policy-matching/p/*\" { capabilities = [\"create\", \"update\"] ",
        "allowed_parameters = { \"color\" = [\"red\", \"b*\"] \"size\" = [] } required_parameters = [\"color\"] }\n",
        "path \"policy-matching/d/*\" { capabilities = [\"create\", \"update\"] ",
        "denied_parameters = { \"secret\" = [] \"mode\" = [\"bad\"] } }\n",
        "path \"policy-matching/w\" { capabilities = [\"read\", \"create\", \"update\"] ",
        "min_wrapping_ttl = \"1s\" max_wrapping_ttl = \"60s\" }"
    )]);
    for (path, operation, allowed) in [
        ("a/one", Operation::Read, true),
        ("a/two", Operation::Read, false),
        ("b/x/end", Operation::Read, true),
        ("c", Operation::Read, false),
        ("a/", Operation::List, true),
        ("a/one", Operation::Delete, false),
    ] {
        assert_eq!(may(&acl, &format!("policy-matching/{path}"), operation), allowed, "{path}");
    }
    for (path, parameters, allowed) in [
        ("p/1", json!({"color": "red"}), true),
        ("p/1", json!({"color": "blue", "size": 3}), true),
        ("p/1", json!({"color": "green"}), false),
        ("p/1", json!({"size": 3}), false),
        ("p/1", json!({"color": "red", "taste": 1}), false),
        ("d/1", json!({"open": "x"}), true),
        ("d/1", json!({"secret": "x"}), false),
        ("d/1", json!({"mode": "bad"}), false),
        ("d/1", json!({"mode": "good"}), true),
    ] {
        let answer = with(&acl, &format!("policy-matching/{path}"), &parameters);
        assert_eq!(answer.is_none(), allowed, "{path} {parameters}");
    }
    for (wrap_ttl, allowed) in [(None, false), (Some(120), false), (Some(30), true)] {
        let ask = Ask { wrap_ttl, ..ask("policy-matching/w", Operation::Read) };
        assert_eq!(refusal(&acl, &ask).is_none(), allowed, "{wrap_ttl:?}");
    }
}
