//! A target for each parser of foreign bytes: no input may cause a panic, and what is accepted has one reading.
//!
//! `tests/fuzz` runs them with coverage guidance; `tests/it/fuzz.rs` runs each for a moment in every test.

use std::str::from_utf8;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri, Version};
use strongroom_core::{form, json};
use strongroom_http::head::{self, Lines};
use strongroom_openpgp::Recipient;
use strongroom_policy::hcl::Document;
use strongroom_policy::{Policy, PolicyName};
use strongroom_seal::{SlotTable, share};
use strongroom_types::id::RequestId;
use strongroom_types::path::parse_query;
use strongroom_types::time::{Timestamp, format_duration, parse_duration};
use strongroom_types::{ApiPath, Entropy, NoEntropy, Secret};

/// One parser under attack.
pub struct Target {
    /// Its name, and that of its corpus folder.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
    /// Well-formed inputs to begin with.
    pub seeds: &'static [&'static [u8]],
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "path", run: path, seeds: &[b"secret/data/a%20b", b"a/%C3%A9/..b?list=true&after=x+y"] },
    Target {
        name: "head",
        run: request_head,
        seeds: &[b"GET /v1/secret/data/a?version=1\nX-Vault-Token: t\nHost: x"],
    },
    Target { name: "json", run: json_body, seeds: &[br#"{"data": {"a": [1, 2.50, "x\"y"], "b": null}}"#] },
    Target { name: "form", run: form_body, seeds: &[b"a=1&b=x+y%20z&a=%7B%22", b" {\"a\": 1}"] },
    Target {
        name: "policy",
        run: policy,
        seeds: &[b"path \"secret/+/x*\" {\n capabilities = [\"read\"]\n}\n"],
    },
    Target {
        name: "configuration",
        run: configuration,
        seeds: &[b"storage \"redb\" {\n path = \"x\" # y\n}\n"],
    },
    Target { name: "slot-table", run: slot_table, seeds: &[b"SRKS\x01"] },
    Target { name: "share", run: unseal_share, seeds: &[b"AQ==", b"01ff"] },
    Target { name: "frame", run: strongroom_device_api::wire::fuzz, seeds: &[b"\x01\x00\x01", b"\x03\x00"] },
    Target {
        name: "openpgp",
        run: openpgp,
        seeds: &[
            include_bytes!("../../appliance/openpgp/src/tests/keys/curve.gpg"),
            include_bytes!("../../appliance/openpgp/src/tests/keys/two-revoked.asc"),
            include_bytes!("../../appliance/openpgp/src/tests/keys/newer.asc"),
        ],
    },
    Target { name: "time", run: time, seeds: &[b"1h30m", b"2026-11-25T09:00:00.5Z"] },
];

fn path(input: &[u8]) {
    let Ok(text) = from_utf8(input) else { return };
    let _ = parse_query(text);
    if let Ok(path) = ApiPath::parse(text) {
        let again = ApiPath::from_text(path.as_str());
        assert!(
            again.is_ok_and(|again| again.as_str() == path.as_str()),
            "a canonical path is not canonical"
        );
        assert!(path.segments().all(|s| !s.is_empty() && s != "." && s != ".."), "a segment is no name");
    }
}

/// First line `METHOD URI`, then a header a line.
fn request_head(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let Ok(method) = Method::from_bytes(words.next().unwrap_or_default()) else { return };
    let Ok(uri) = Uri::try_from(words.next().unwrap_or_default()) else { return };
    let mut headers = HeaderMap::new();
    for line in lines.take(64) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let lines = Lines { method: &method, uri: &uri, version, headers: &headers };
        let _ = head::parse(&lines, RequestId::from_random([0; 16]), None, 8192);
    }
}

fn json_body(input: &[u8]) {
    let limits = json::Limits { depth: 20, members: 1000 };
    if let Ok(map) = json::object(input, &limits) {
        // What was written as a number comes back as it was written.
        let text = serde_json::Value::Object(map.clone()).to_string();
        assert!(
            json::object(text.as_bytes(), &limits).is_ok_and(|again| again == map),
            "JSON changes on its way"
        );
    }
}

fn form_body(input: &[u8]) {
    let (limits, body) = (json::Limits { depth: 1, members: 100 }, Secret::copy_of(input));
    let is_form = form::is_form(Some("application/x-www-form-urlencoded"), &body);
    let is_json = matches!(input.trim_ascii().first(), Some(b'{' | b'[') | None);
    assert!(is_form != is_json, "a body is read in two ways, or in none");
    if let Ok(fields) = form::fields(&body, &limits) {
        assert!(fields.len() <= limits.members + 1, "a form has more members than it may");
        assert!(fields.values().all(serde_json::Value::is_string), "a form holds something else than text");
    }
}

fn policy(input: &[u8]) {
    let Ok(text) = from_utf8(input) else { return };
    let _ = Policy::parse("fuzzed", text);
    if let Ok(name) = PolicyName::parse(text) {
        let again = PolicyName::parse(name.as_str());
        assert!(
            again.is_ok_and(|again| again.as_str() == name.as_str()),
            "a canonical name is not canonical"
        );
    }
}

fn configuration(input: &[u8]) {
    if let Ok(text) = from_utf8(input) {
        let _ = Document::parse(text);
    }
}

fn slot_table(input: &[u8]) {
    if let Ok(table) = SlotTable::parse(input) {
        let again = table.unverified().seal_bytes(|_| [0; 32]);
        let body = input.len().saturating_sub(32);
        let same = again.is_ok_and(|again| again.get(..body) == input.get(..body));
        assert!(same, "a table has two encodings");
        let _ = strongroom_seal::smallest_sets(table.unverified());
        let _ = strongroom_seal::kind(table.unverified());
    }
}

fn unseal_share(input: &[u8]) {
    let Ok(text) = from_utf8(input) else { return };
    if let Ok(bytes) = share::from_text(text) {
        assert!(bytes != Secret::copy_of(b""), "an empty share");
    }
}

/// The same bytes always: a fuzzer has to see the same thing twice.
struct Ones;

impl Entropy for Ones {
    fn fill(&self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill(1);
        Ok(())
    }
}

fn openpgp(input: &[u8]) {
    let now = Timestamp::from_secs(1_800_000_000);
    if let Ok(recipient) = Recipient::parse(input, now, &Ones) {
        assert!(recipient.fingerprint().len() == 40, "a fingerprint is none");
        assert!(recipient.encrypt(b"x", &Ones).is_ok(), "a key that was tried does not work");
    }
}

fn time(input: &[u8]) {
    let Ok(text) = from_utf8(input) else { return };
    if let Some(nanos) = parse_duration(text) {
        assert!(parse_duration(&format_duration(nanos)) == Some(nanos), "a duration changes on its way");
    }
    if let Some(when) = Timestamp::parse(text) {
        assert!(Timestamp::parse(&when.to_string()) == Some(when), "a time changes on its way");
    }
}
