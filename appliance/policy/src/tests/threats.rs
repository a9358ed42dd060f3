//! Published flaws of such systems, each as a test.

use strongroom_types::Operation::{self, List, Patch, Read, Scan, Update};

use super::{acl, ask, grants, may, refusal};
use crate::{Ask, NameError, Policy, PolicyName};

/// 1A: `Root` was not refused where `root` was, and then used in lower case. Every spelling is either the reserved
/// name itself, and so refused as it is, or another name, or no name.
#[test]
fn cve_2025_5999_and_64761_no_spelling_of_root_passes() {
    let spellings = [
        "root",
        "Root",
        "rooT",
        "rOoT",
        "ROOT",
        " root",
        "root ",
        "\troot",
        "root\n",
        "\u{a0}root",
        "root\u{3000}",
        "\u{2003}Root\r",
    ];
    for text in spellings {
        let name = PolicyName::parse(text).unwrap();
        assert!(name.is_root(), "{text:?}");
        assert_eq!(name.check_assign_lasting(), Err(NameError::CannotAssign("root")), "{text:?}");
        assert_eq!(name.check_update(), Err(NameError::CannotUpdate("root")), "{text:?}");
    }
    let others = ["r oot", "ｒｏｏｔ", "rооt", "%72oot", "root.", "röot", "\"root\""];
    for text in others {
        assert!(PolicyName::parse(text).is_ok_and(|name| !name.is_root()), "{text:?}");
    }
    let invisible =
        ["ro\u{200b}ot", "root\u{200d}", "\u{feff}root", "ro\u{ad}ot", "root\u{0}", "ro\tot", "\u{202e}toor"];
    for text in invisible {
        assert_eq!(PolicyName::parse(text), Err(NameError::Malformed), "{text:?}");
    }
}

/// 1A: a name with a separator reached another namespace's policy.
#[test]
fn cve_2026_115365_names_cannot_hold_a_path() {
    for text in ["../admin", "ns2/admin", "/", "//", "..", ".", " .. ", "a\\b", "a,b", "a/../b"] {
        assert_eq!(PolicyName::parse(text), Err(NameError::Malformed), "{text:?}");
    }
    for text in ["", " ", "\t\n"] {
        assert_eq!(PolicyName::parse(text), Err(NameError::Empty), "{text:?}");
    }
    assert_eq!(PolicyName::parse(&"a".repeat(257)), Err(NameError::TooLong));
}

/// 1F: a list without its slash was looked up before a more specific pattern with it.
#[test]
fn ghsa_xp3c_3jw3_4vcr_a_list_is_denied_by_the_pattern_below_it() {
    for operation in [List, Scan] {
        let word = operation.name();
        for (rules, path, allowed) in [
            (
                vec![("foo/metadata/*", word), ("foo/metadata/private/*", "deny")],
                "foo/metadata/private/",
                false,
            ),
            (
                vec![("foo/metadata/*", word), ("foo/metadata/private/*", "deny")],
                "foo/metadata/private/x/",
                false,
            ),
            (
                vec![("foo/metadata/*", word), ("foo/metadata/private/*", "deny")],
                "foo/metadata/public/",
                true,
            ),
            (
                vec![("foo/metadata/+", word), ("foo/metadata/private/*", "deny")],
                "foo/metadata/private/",
                false,
            ),
            (vec![("foo/metadata/private", word), ("foo/metadata/*", "deny")], "foo/metadata/private/", true),
            (vec![("foo/metadata/+", word), ("foo/metadata/+/", "deny")], "foo/metadata/private/", false),
            (vec![("foo/metadata/pri*", word), ("foo/metadata/+/*", "deny")], "foo/metadata/private/", true),
            (vec![("foo/metadata/+", word), ("foo/*", "deny")], "foo/metadata/private/", false),
        ] {
            assert_eq!(
                may(&acl(&[&grants(&rules)]), path, operation),
                allowed,
                "{operation:?} {path} {rules:?}"
            );
        }
    }
}

/// 1F: an error in the template of a `deny` dropped the `deny`. Until templates are there, none is accepted.
#[test]
fn ghsa_hr5j_3j78_4vh2_a_template_never_drops_its_stanza() {
    for path in ["a/{{identity.entity.metadata.x}}", "{{x}}", "a{{", "a/{{identity.entity.id}}/*"] {
        assert!(Policy::parse("p", &grants(&[(path, "deny")])).is_err(), "{path}");
    }
}

/// 1F: what was put in for a template brought wildcards and slashes of its own. Nothing is put in: a grant with a template
/// is refused as a whole, and told so.
#[test]
fn cve_2026_71543_and_ghsa_59w7_a_template_brings_no_wildcard() {
    for path in [
        "users/{{identity.entity.name}}/*",
        "{{identity.groups.names.x.id}}",
        "a/{{ identity.entity.id }}",
        "a/{{b",
    ] {
        let error = Policy::parse("p", &grants(&[(path, "read")])).unwrap_err().to_string();
        assert!(error.contains("template"), "{path}: {error}");
        let both = format!("{}{}", grants(&[("a", "read")]), grants(&[(path, "read")]));
        assert!(Policy::parse("p", &both).is_err(), "{path}");
    }
}

/// 1F: a policy that is not wholly understood is not half applied.
#[test]
fn c4_any_error_refuses_the_whole_policy() {
    let good = grants(&[("secret/*", "read")]);
    for bad in
        ["path \"a\" { capabilities = [\"dney\"] }", "path \"a\" { deny = true }", "path \"b/+*\" {}", "}"]
    {
        assert!(Policy::parse("p", &format!("{good}{bad}")).is_err(), "{bad}");
        assert!(Policy::parse("p", &format!("{bad}\n{good}")).is_err(), "{bad}");
    }
}

/// C4: a more specific `deny` is stronger than a broader grant, for every verb.
#[test]
fn c4_deny_dominates_for_every_verb() {
    let all = "create read update patch delete list scan sudo";
    let operations = [Operation::Create, Read, Update, Patch, Operation::Delete, List, Scan, Operation::Head];
    for deny in ["kv/a/private", "kv/a/private*", "kv/a/+", "kv/+/private"] {
        let acl = acl(&[&grants(&[("kv/*", all), (deny, "deny")])]);
        for operation in operations {
            for needs_sudo in [false, true] {
                assert!(
                    refusal(&acl, &Ask { needs_sudo, ..ask("kv/a/private", operation) }).is_some(),
                    "{deny}"
                );
                assert!(refusal(&acl, &Ask { needs_sudo, ..ask("kv/other", operation) }).is_none(), "{deny}");
            }
        }
    }
}

/// C1: a rule for a path that no canonical path equals only looks like a rule; the spelling that looks the same
/// and is not is refused when the policy is written.
#[test]
fn c1_a_path_in_another_normal_form_is_refused() {
    assert!(Policy::parse("p", &grants(&[("kv/caf\u{e9}", "deny")])).is_ok());
    assert!(Policy::parse("p", "path \"kv/cafe\u{301}\" { capabilities = [\"deny\"] }").is_err());
}

/// What is refused is shown to its writer and logged in clear: in the wrong place anything may be a secret.
#[test]
fn an_error_repeats_nothing_that_the_policy_says() {
    for text in [
        r#"s3cret "a" { capabilities = ["read"] }"#,
        r#"path "a" { s3cret = "red" }"#,
        r#"path "a" { capabilities = ["s3cret"] }"#,
        r#"path "a" { policy = "s3cret" }"#,
        r#"path "s3cret/+*" { capabilities = ["read"] }"#,
        r#"path "s3cret" { expiration = "s3cret" }"#,
        r#"path "s3cret" "a" { capabilities = ["read"] }"#,
        r#"path "a" { capabilities = [s3cret] }"#,
        r#"path "a" { allowed_parameters = { "s3cret" = 1 } }"#,
        r#"path "a" { denied_parameters = { "s3cret" = [], "S3cret" = [] } }"#,
        r#"path { s3cret = 1 }"#,
        "s3cret",
        r#"{"path": {"s3cret": 1}}"#,
        r#"{"s3cret": 1}"#,
    ] {
        let error = Policy::parse("p", text).unwrap_err();
        let words = error.to_string();
        assert!(!words.to_lowercase().contains("s3cret") && words.contains("on line 1"), "{text}: {words}");
    }
}

/// No request has such a path: a `deny` on it would only seem to work.
#[test]
fn c4_a_path_that_no_request_has_is_refused() {
    for path in [
        "secret//x",
        "../x",
        "secret/../x",
        "secret/./x",
        "secret//*",
        "secret/../*",
        "//secret",
        "secret/.",
        "secret//",
    ] {
        let text = format!(r#"path "{path}" {{ capabilities = ["deny"] }}"#);
        assert!(Policy::parse("p", &text).is_err(), "{path}");
    }
    for path in ["*", "/secret/x", "secret/", "secret/.*", "secret/..*", "secret/.x", "+/x", "secret/*"] {
        let text = format!(r#"path "{path}" {{ capabilities = ["deny"] }}"#);
        assert!(Policy::parse("p", &text).is_ok(), "{path}");
    }
}
