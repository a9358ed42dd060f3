//! Parameters, wrapping, expiry and what else a stanza may demand.

use serde_json::json;
use strongroom_types::{JsonMap, Operation, Timestamp};

use super::{NOW, acl, ask, may, refusal, with};
use crate::parameters::Fault;
use crate::{Acl, Ask, Decision, Reason};

/// An access list with one rule for `a` that grants all verbs, from some attributes.
fn rule(attributes: &str) -> Acl {
    acl(&[&stanza(attributes)])
}

fn stanza(attributes: &str) -> String {
    let verbs = "[\"create\", \"read\", \"update\", \"patch\", \"delete\", \"list\", \"scan\"]";
    format!("path \"a\" {{ capabilities = {verbs} {attributes} }}")
}

const MISSING: Option<Reason> = Some(Reason::Parameters(Fault::Missing));
const DENIED: Option<Reason> = Some(Reason::Parameters(Fault::Denied));
const NOT_ALLOWED: Option<Reason> = Some(Reason::Parameters(Fault::NotAllowed));

#[test]
fn parameters_are_compared_as_the_rules_say() {
    let deny_some = "denied_parameters = { \"Bad\" = [] \"mode\" = [\"x*\", \"*y\", \"*mid*\", 3, true] }";
    let allow_some = "allowed_parameters = { \"Color\" = [\"red\", \"b*\"] \"any\" = [] }";
    let allow_rest = "allowed_parameters = { \"color\" = [\"red\"] \"*\" = [] }";
    let nested = "allowed_parameters = { \"data\" = [{ \"a\" = \"b*\", n = [1, 2] }] }";
    for (attributes, parameters, expected) in [
        (deny_some, json!({"good": 1}), None),
        (deny_some, json!({"bad": null}), DENIED),
        (deny_some, json!({"BAD": 1}), DENIED),
        (deny_some, json!({"mode": "xa"}), DENIED),
        (deny_some, json!({"mode": "ay"}), DENIED),
        (deny_some, json!({"mode": "a mid b"}), DENIED),
        (deny_some, json!({"mode": "a"}), None),
        (deny_some, json!({"mode": 3}), DENIED),
        (deny_some, json!({"mode": 3.0}), DENIED),
        (deny_some, json!({"mode": "3"}), DENIED),
        (deny_some, json!({"mode": "true"}), DENIED),
        (deny_some, json!({"mode": 4}), None),
        ("denied_parameters = { \"*\" = [] }", json!({"x": 1}), DENIED),
        ("denied_parameters = { \"*\" = [\"only\"] }", json!({"x": 1}), DENIED),
        ("denied_parameters = { \"x\" = [\"*\"] }", json!({"x": "a"}), DENIED),
        (allow_some, json!({"color": "red"}), None),
        (allow_some, json!({"color": "blue", "ANY": [1]}), None),
        (allow_some, json!({"color": "green"}), NOT_ALLOWED),
        (allow_some, json!({"color": null}), NOT_ALLOWED),
        (allow_some, json!({"color": ["red"]}), NOT_ALLOWED),
        (allow_some, json!({"taste": 1}), NOT_ALLOWED),
        (allow_rest, json!({"color": "red", "x": 1}), None),
        (allow_rest, json!({"color": "blue", "x": 1}), NOT_ALLOWED),
        ("allowed_parameters = { \"*\" = [] }", json!({"x": 1}), None),
        (nested, json!({"data": {"a": "b*", "n": [1, 2]}}), None),
        (nested, json!({"data": {"a": "bc", "n": [1, 2]}}), NOT_ALLOWED),
        (nested, json!({"data": {"a": "b*", "n": [1, 2], "more": 1}}), NOT_ALLOWED),
        ("required_parameters = [\"Ttl\"]", json!({"ttl": 1}), None),
        ("required_parameters = [\"ttl\"]", json!({"x": 1}), MISSING),
        ("required_parameters = [\"ttl\"]", json!({"ttl": null}), MISSING),
        ("required_parameters = [\"ttl\"]", json!({}), MISSING),
        // Without any parameters the two lists are not looked at.
        (deny_some, json!({}), None),
        (allow_some, json!({}), None),
        ("denied_parameters = { \"*\" = [] }", json!({}), None),
        // Denied comes before allowed.
        ("allowed_parameters = { \"*\" = [] } denied_parameters = { \"x\" = [] }", json!({"x": 1}), DENIED),
    ] {
        assert_eq!(with(&rule(attributes), "a", &parameters), expected, "{attributes} {parameters}");
    }
}

#[test]
fn big_numbers_are_not_rounded_together() {
    let acl = rule("allowed_parameters = { \"n\" = [9007199254740993] }");
    assert_eq!(with(&acl, "a", &json!({"n": 9_007_199_254_740_993_u64})), None);
    assert_eq!(with(&acl, "a", &json!({"n": 9_007_199_254_740_992_u64})), NOT_ALLOWED);
}

#[test]
fn parameters_count_for_reads_and_writes_only() {
    let acl = rule("required_parameters = [\"x\"]");
    for operation in [Operation::Read, Operation::Create, Operation::Update, Operation::Patch] {
        assert_eq!(refusal(&acl, &ask("a", operation)), MISSING, "{operation:?}");
    }
    for operation in [Operation::Delete, Operation::List, Operation::Scan] {
        assert!(may(&acl, "a", operation), "{operation:?}");
    }
}

#[test]
fn parameters_of_the_same_path_merge_by_key() {
    let one = stanza("allowed_parameters = { x = [\"1\"], y = [\"1\"] } required_parameters = [\"x\"]");
    let two = stanza("allowed_parameters = { x = [\"2\"], y = [] } required_parameters = [\"y\"]");
    for texts in [[one.as_str(), two.as_str()], [&two, &one]] {
        let acl = acl(&texts);
        for (parameters, expected) in [
            (json!({"x": "1", "y": "1"}), None),
            (json!({"x": "2", "y": "anything"}), None),
            (json!({"x": "3", "y": "1"}), NOT_ALLOWED),
            (json!({"x": "1"}), MISSING),
            (json!({"y": "1"}), MISSING),
        ] {
            assert_eq!(with(&acl, "a", &parameters), expected, "{parameters}");
        }
    }
    let three = stanza("denied_parameters = { x = [\"1\"] }");
    let four = stanza("denied_parameters = { x = [], z = [] }");
    for texts in [[three.as_str(), four.as_str()], [&four, &three]] {
        assert_eq!(with(&acl(&texts), "a", &json!({"x": "2"})), DENIED);
        assert_eq!(with(&acl(&texts), "a", &json!({"z": "2"})), DENIED);
    }
}

#[test]
fn wrapping_is_demanded_within_its_bounds() {
    let minimum = "min_wrapping_ttl = \"10s\"";
    let maximum = "max_wrapping_ttl = 60";
    let both = &format!("{minimum} {maximum}");
    for (attributes, wrap_ttl, allowed) in [
        ("", None, true),
        ("", Some(5), true),
        (minimum, None, false),
        (minimum, Some(0), false),
        (minimum, Some(9), false),
        (minimum, Some(10), true),
        (maximum, None, false),
        (maximum, Some(60), true),
        (maximum, Some(61), false),
        (both, Some(u64::MAX), false),
        (both, Some(30), true),
        ("min_wrapping_ttl = 0", None, true),
    ] {
        let reason = refusal(&rule(attributes), &Ask { wrap_ttl, ..ask("a", Operation::Delete) });
        assert_eq!(reason, (!allowed).then_some(Reason::Wrapping), "{attributes} {wrap_ttl:?}");
    }
}

#[test]
fn merged_limits_are_the_lowest_of_each() {
    let texts = [
        stanza("min_wrapping_ttl = 20 max_wrapping_ttl = 90 pagination_limit = 10"),
        stanza("min_wrapping_ttl = 10 max_wrapping_ttl = 60 pagination_limit = 0"),
        stanza("pagination_limit = 100"),
    ];
    let acl = acl(&[&texts[2], &texts[0], &texts[1]]);
    let decide = |seconds| acl.check(&Ask { wrap_ttl: Some(seconds), ..ask("a", Operation::List) });
    assert!(matches!(decide(10), Decision::Granted { pagination_limit: Some(10), .. }));
    assert!(matches!(decide(60), Decision::Granted { .. }));
    assert!(matches!(decide(9), Decision::Refused { .. }));
    assert!(matches!(decide(61), Decision::Refused { .. }));
    let apart = self::acl(&[&stanza("min_wrapping_ttl = 20"), &stanza("max_wrapping_ttl = 10")]);
    for wrap_ttl in [None, Some(10), Some(15), Some(20)] {
        assert!(refusal(&apart, &Ask { wrap_ttl, ..ask("a", Operation::Read) }).is_some());
    }
}

#[test]
fn a_stanza_counts_until_it_expires() {
    let expiring = |path: &str, word: &str, when: &str| {
        format!("path {path:?} {{ capabilities = [{word:?}] expiration = {when:?} }}\n")
    };
    let end = NOW.plus_secs(60);
    let at = |acl: &Acl, path: &str, now: Timestamp| {
        refusal(acl, &Ask { now, ..ask(path, Operation::Read) }).is_none()
    };
    let text = expiring("a", "read", &end.to_string()) + "path \"a\" { capabilities = [\"list\"] }";
    let grant = acl(&[&text]);
    assert!(at(&grant, "a", NOW) && at(&grant, "a", NOW.plus_secs(59)));
    assert!(!at(&grant, "a", end) && !at(&grant, "a", end.plus_secs(1)));
    assert_eq!(grant.capabilities("a", NOW), ["list", "read"]);
    assert_eq!(grant.capabilities("a", end), ["list"]);
    let denied =
        acl(&[&(expiring("a", "deny", &end.to_string()) + "path \"a\" { capabilities = [\"read\"] }")]);
    assert_eq!(denied.capabilities("a", NOW), ["deny"]);
    assert_eq!(denied.capabilities("a", end), ["read"]);
    assert!(!at(&denied, "a", NOW) && at(&denied, "a", end));
    // All that asks says what is enforced: what can be seen, sudo, and why.
    let text = expiring("kv/a", "sudo", &end.to_string());
    let passing = acl(&[&text]);
    assert!(passing.visible("kv/", NOW) && !passing.visible("kv/", end));
    assert!(passing.has_sudo("kv/a", NOW) && !passing.has_sudo("kv/a", end));
    assert!(passing.explain("kv/a", Operation::Read, NOW).ends_with("grants only sudo"));
    assert!(passing.explain("kv/a", Operation::Read, end).ends_with("no policy speaks of this path"));
    // Where all of a rule has expired, the next best counts.
    let text = expiring("x/y", "deny", &end.to_string())
        + &expiring("x/y*", "deny", &end.to_string())
        + "path \"x/*\" { capabilities = [\"read\"] }";
    assert!(!at(&acl(&[&text]), "x/y", NOW) && at(&acl(&[&text]), "x/y", end));
}

#[test]
fn a_condition_that_cannot_be_checked_is_not_met() {
    let mfa = acl(&[&stanza(""), &stanza("mfa_methods = [\"totp\"]")]);
    assert_eq!(refusal(&mfa, &ask("a", Operation::Read)), Some(Reason::Unsupported("mfa_methods")));
    let filter = rule("list_scan_response_keys_filter_path = \"{{ .path }}{{ .key }}\"");
    let reason = Some(Reason::Unsupported("list_scan_response_keys_filter_path"));
    assert_eq!(refusal(&filter, &ask("a", Operation::List)), reason);
    assert_eq!(refusal(&filter, &ask("a", Operation::Scan)), reason);
    assert_eq!(refusal(&filter, &ask("a", Operation::Read)), None);
}

#[test]
fn no_parameters_are_the_same_as_none() {
    let acl = rule("required_parameters = [\"x\"] denied_parameters = { y = [] }");
    let empty = JsonMap::new();
    let given = Ask { parameters: Some(&empty), ..ask("a", Operation::Update) };
    assert_eq!(refusal(&acl, &given), refusal(&acl, &ask("a", Operation::Update)));
}
