//! What is stored is pinned: a change of these files is a change of the format, and needs a new shape and a reader of
//! both.

// Also the helpers of a test may end it.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use serde_json::json;
use strongroom_engine::testing::Mount;
use strongroom_engine_kv::ENGINE;

/// The records of an outcome: name, shape, JSON.
fn records(mount: &Mount, method: &str, path: &str, body: &str) -> String {
    let outcome = mount.handle(method, path, Some(body)).unwrap();
    mount.commit(&outcome).unwrap();
    let mut text = format!("> {method} {path} {body}\n");
    for write in &outcome.writes {
        let name = write.name.segments().join("/");
        match write.value.as_ref().map(|value| value.expose()) {
            Some([shape, json @ ..]) => {
                writeln!(text, "{name} = {shape} {}", String::from_utf8_lossy(json)).unwrap()
            }
            Some([]) => writeln!(text, "{name} is empty").unwrap(),
            None => writeln!(text, "{name} is deleted").unwrap(),
        }
    }
    text
}

fn pinned(file: &str, text: &str) {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{path} does not hold this");
}

#[test]
fn version_1() {
    let mount = Mount::new(&ENGINE, &[]);
    let text = records(&mount, "POST", "app/db", r#"{"user":"ann","n":1.0}"#)
        + &records(&mount, "DELETE", "app/db", "");
    pinned("v1.txt", &text);
}

#[test]
fn version_2() {
    let mount = Mount::new(&ENGINE, &[("version", "2")]);
    let mut text = String::new();
    for (method, path, body) in [
        ("POST", "config", r#"{"max_versions":2,"delete_version_after":"1h"}"#),
        (
            "POST",
            "metadata/app/db",
            r#"{"custom_metadata":{"owner":"ann"},"cas_required":true,"max_versions":1}"#,
        ),
        ("POST", "data/app/db", r#"{"data":{"n":1.0},"options":{"cas":0}}"#),
        ("POST", "data/app/db", r#"{"data":{"n":2},"options":{"cas":1}}"#),
        ("POST", "data/app/db", r#"{"data":{"n":3},"options":{"cas":2}}"#),
        ("POST", "destroy/app/db", r#"{"versions":[2]}"#),
        ("DELETE", "metadata/app/db", ""),
    ] {
        text += &records(&mount, method, path, body);
    }
    pinned("v2.txt", &text);
}

#[test]
fn an_upgrade() {
    let mut mount = Mount::new(&ENGINE, &[]);
    mount.post("app/db", json!({"user": "ann"})).status(204);
    mount.retune(&[("version", "2")]).status(200);
    pinned("upgrade.txt", &records(&mount, "POST", "data/app/db", r#"{"data":{"user":"ben"}}"#));
}
