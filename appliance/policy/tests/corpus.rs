//! Policies and configurations as Vault's users write them, and the mistakes they make.

// Also the helpers of a test may end it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use strongroom_policy::Policy;
use strongroom_policy::hcl::{Document, Value};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn text(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap()
}

/// The paths of each policy, in order.
const POLICIES: &[(&str, &[&str])] = &[
    (
        "policy-admin.hcl",
        &[
            "sys/health",
            "sys/policies/acl",
            "sys/policies/acl/*",
            "auth/*",
            "sys/auth/*",
            "sys/auth",
            "sys/mounts/*",
            "sys/mounts",
        ],
    ),
    ("policy-app-readonly.hcl", &["secret/data/app/*", "secret/metadata/app/*"]),
    ("policy-attributes-by-comma.hcl", &["a"]),
    ("policy-bom.hcl", &["a"]),
    ("policy-brace-on-last-line.hcl", &["a"]),
    ("policy-deny.hcl", &["secret/data/*", "secret/data/super-secret", "secret/leading/slash"]),
    ("policy-duplicates.hcl", &["kv/x", "kv/x"]),
    ("policy-empty.hcl", &[]),
    ("policy-heredoc.hcl", &["a/*", "b/*"]),
    ("policy-legacy.hcl", &["secret/*", "secret/ops", "secret/super", "auth/*"]),
    ("policy-limits.hcl", &["kv/metadata/*", "kv/data/*"]),
    ("policy-lists.json", &["a/*", "b/*"]),
    ("policy-mail-plus.hcl", &["auth/userpass/users/me+test@example.com", "secret/a*b"]),
    ("policy-minified.json", &["auth/token/lookup-self", "secret/*"]),
    ("policy-object.hcl", &["secret/a", "secret/b", "secret/c"]),
    ("policy-oneline.hcl", &["secret/*", "kv/*"]),
    ("policy-parameters-as-blocks.hcl", &["secret/foo"]),
    ("policy-parameters.hcl", &["secret/p/*"]),
    ("policy-pretty.json", &["secret/data/*"]),
    ("policy-segments.hcl", &["secret/+/teamb", "secret/+/+/teamb/*", "+/data/app", "+"]),
    ("policy-unicode.hcl", &["secret/café/schlüssel", "secret/café/2"]),
    ("policy-windows.hcl", &["a"]),
    ("policy-wrapping.hcl", &["auth/approle/role/my-role/secret-id"]),
];

const CONFIGURATIONS: &[&str] = &[
    "config-legacy-backend.hcl",
    "config-minimal.hcl",
    "config-production.hcl",
    "config-raft.hcl",
    "config.json",
];

/// What a writer is told.
const MISTAKES: &[(&str, &str)] = &[
    (
        "bad-bare-word.hcl",
        "expected a value (texts are written in quotes), found a word without quotes on line 1, column 28",
    ),
    ("bad-block.hcl", "invalid key on line 1, column 1"),
    ("bad-capability.hcl", "invalid capability on line 1, column 12"),
    ("bad-control-group-block.hcl", "control_group is not supported yet on line 3, column 3"),
    ("bad-control-group.hcl", "control_group is not supported yet on line 3, column 3"),
    ("bad-expiration.hcl", "expiration is not a time such as \"2030-01-01T00:00:00Z\" on line 1, column 12"),
    ("bad-half.hcl", "expected ',' or ']' in the list, found the end on line 1, column 34"),
    ("bad-json-key.json", "invalid key on line 2, column 17"),
    ("bad-json-tail.json", "expected the end after the JSON object on line 1, column 14"),
    ("bad-json.json", "expected a text in double quotes on line 1, column 42"),
    ("bad-key.hcl", "invalid key on line 2, column 3"),
    ("bad-labels.hcl", "\"path\" takes 1 label(s) on line 1, column 1"),
    ("bad-legacy.hcl", "invalid policy: there are deny, read, write and sudo on line 1, column 12"),
    ("bad-list.hcl", "\"capabilities\" is not a list of texts in quotes on line 1, column 12"),
    ("bad-template.hcl", "templated paths ('{{…}}') are not supported yet on line 2, column 1"),
    ("bad-twice.hcl", "\"capabilities\" is given twice on line 3, column 3"),
    (
        "bad-unquoted-duration.hcl",
        "this is not a number; texts and durations are written in quotes on line 1, column 31",
    ),
    ("bad-wildcard.hcl", "invalid use of wildcards ('+*' is forbidden) on line 1, column 1"),
    ("bad-wrapping.hcl", "max_wrapping_ttl cannot be less than min_wrapping_ttl on line 3, column 3"),
];

#[test]
fn policies_are_read() {
    for (file, paths) in POLICIES {
        let policy = Policy::parse("p", &text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let found: Vec<String> = policy.stanzas().iter().map(|stanza| stanza.pattern.to_string()).collect();
        assert_eq!(found, *paths, "{file}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (file, message) in MISTAKES {
        assert_eq!(Policy::parse("p", &text(file)).unwrap_err().to_string(), *message, "{file}");
    }
}

#[test]
fn configurations_are_read() {
    for file in CONFIGURATIONS {
        Document::parse(&text(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    let body = Document::parse(&text("config-production.hcl")).unwrap().body;
    let listeners = body.blocks("listener", 1).unwrap();
    let kinds: Vec<_> = listeners.iter().map(|listener| (listener.labels[0], listener.line)).collect();
    assert_eq!(kinds, [("tcp", 12), ("tcp", 29), ("unix", 30)]);
    assert!(listeners[1].body.get("tls_disable").unwrap().unwrap().boolean().unwrap());
    assert_eq!(body.get("max_lease_ttl").unwrap().unwrap().duration().unwrap(), 768 * 3_600 * 1_000_000_000);
    assert_eq!(body.blocks("seal", 1).unwrap()[0].labels, ["pkcs11"]);
    assert_eq!(body.blocks("telemetry", 0).unwrap().len(), 1);
    let audit = &body.blocks("audit", 2).unwrap()[0];
    assert_eq!(audit.labels, ["file", "to-disk"]);
    let mode = audit.body.blocks("options", 0).unwrap()[0].body.get("mode").unwrap().unwrap();
    assert_eq!((&mode.value, mode.integer().unwrap()), (&Value::Number("0600".into()), 0o600));
    assert_eq!(body.only(&["ui"]).unwrap_err().to_string(), "invalid key on line 2, column 1");
}

#[test]
fn a_configuration_in_json_is_the_same_tree() {
    let body = Document::parse(&text("config.json")).unwrap().body;
    let listeners = body.blocks("listener", 1).unwrap();
    let disabled = |i: usize| listeners[i].body.get("tls_disable").unwrap().unwrap().boolean().unwrap();
    assert_eq!((listeners.len(), disabled(0), disabled(1)), (2, true, false));
    assert_eq!((listeners[1].labels[0], listeners[1].line, listeners[1].column), ("tcp", 5, 6));
    assert_eq!(body.blocks("storage", 1).unwrap()[0].labels, ["redb"]);
    assert_eq!(body.blocks("telemetry", 0).unwrap().len(), 1);
}

#[test]
fn every_file_of_the_corpus_is_tested() {
    let mut known: BTreeSet<String> = POLICIES.iter().map(|(file, _)| (*file).into()).collect();
    known.extend(MISTAKES.iter().map(|(file, _)| (*file).into()));
    known.extend(CONFIGURATIONS.iter().map(|file| (*file).into()));
    let found: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, known);
}

#[test]
fn every_beginning_of_every_file_is_read_or_refused() {
    for entry in fs::read_dir(folder()).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _ = Policy::parse("p", &text[..end]);
        }
    }
}
