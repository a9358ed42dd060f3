//! Version 1, by its requests.

use serde_json::json;
use strongroom_engine::testing::Mount;
use strongroom_engine::testing::conformance::Suite;
use strongroom_engine::testing::golden::play;
use strongroom_engine_kv::ENGINE;

fn mount() -> Mount {
    Mount::new(&ENGINE, &[])
}

#[test]
fn conforms_to_the_contract() {
    let fill = |mount: &Mount| {
        for path in ["a", "a/b", "a/c/d", "a/e", "b", "c/d", "Z"] {
            mount.post(path, json!({"x": 1})).status(204);
        }
    };
    Suite { engine: &ENGINE, options: &[], fill, lists: &["", "a"] }.run();
}

#[test]
fn recorded_answers_are_ours() {
    let played = play(&ENGINE, &[], include_str!("../../../../tests/golden/kv1.jsonl"));
    // HEAD is refused by the harness itself, with a body that a client of HEAD never sees.
    assert_eq!(
        played.failed,
        [
            "kv1-errors-18: : {\"errors\":[\"1 error occurred:\\n\\t* unsupported operation\\n\\n\"]} instead of null"
        ]
    );
    assert!(played.passed >= 10, "{played:#?}");
}

#[test]
fn a_write_replaces_the_whole_secret() {
    let mount = mount();
    mount.get("app/db").status(404);
    mount.post("app/db", json!({"user": "ann", "pass": "s3"})).status(204);
    mount.post("app/db", json!({"user": "ben"})).status(204);
    let answer = mount.get("app/db").status(200);
    assert_eq!(answer.at("data"), &json!({"user": "ben"}));
    assert_eq!(answer.at("lease_id"), "");
    assert_eq!(answer.at("renewable"), false);
    mount.delete("app/db").status(204);
    mount.get("app/db").status(404);
    mount.delete("app/db").status(204);
}

#[test]
fn c1_a_name_with_a_slash_at_its_end_is_no_secret() {
    let mount = mount();
    mount.post("a", json!({"x": 1})).status(204);
    mount.get("a/").status(404);
    mount.post("a/", json!({"x": 2})).status(400);
    mount.delete("a/").status(400);
    assert_eq!(mount.get("a").status(200).at("data.x"), 1);
}

#[test]
fn a_write_without_anything_is_refused() {
    for body in [None, Some(""), Some("{}"), Some("null")] {
        assert_eq!(mount().send("POST", "a", None, body).status(400).text(), "missing data fields");
    }
}

#[test]
fn numbers_come_back_as_they_were_written() {
    let mount = mount();
    let body = r#"{"big":9007199254740993,"exact":1.0,"long":123456789012345678901234567890}"#;
    mount.send("PUT", "a", None, Some(body)).status(204);
    assert_eq!(mount.get("a").status(200).at("data").to_string(), body);
}

#[test]
fn a_secret_says_how_long_it_is_good_for() {
    let mount = mount();
    for (body, seconds) in [
        (json!({"x": 1}), 2_764_800),
        (json!({"ttl": "30s"}), 30),
        (json!({"ttl": 90}), 90),
        (json!({"lease": "1h"}), 3600),
        (json!({"lease": "1h", "ttl": "1m"}), 60),
        (json!({"ttl": ""}), 0),
        (json!({"ttl": "soon"}), 2_764_800),
        (json!({"ttl": {"a": 1}}), 2_764_800),
        (json!({"ttl": "-1s"}), 2_764_800),
    ] {
        mount.post("a", body.clone()).status(204);
        assert_eq!(mount.get("a").status(200).at("lease_duration"), seconds, "{body}");
    }
}

#[test]
fn names_are_listed_with_their_folders() {
    let mount = mount();
    mount.list("").status(404);
    for path in ["foo", "foo/bar", "foo-bar", "foo/baz/deep", "a"] {
        mount.post(path, json!({"x": 1})).status(204);
    }
    assert_eq!(mount.list("").status(200).keys(), ["a", "foo", "foo-bar", "foo/"]);
    assert_eq!(mount.list("foo").keys(), ["bar", "baz/"]);
    assert_eq!(mount.list("foo/").keys(), ["bar", "baz/"]);
    assert_eq!(mount.get("foo?list=true").keys(), ["bar", "baz/"]);
    assert_eq!(mount.list("?after=foo&limit=1").keys(), ["foo-bar"]);
    assert_eq!(mount.scan("").status(200).keys(), ["a", "foo", "foo-bar", "foo/bar", "foo/baz/deep"]);
    assert_eq!(mount.scan("foo").keys(), ["bar", "baz/deep"]);
    mount.list("a").status(404);
    mount.scan("none").status(404);
}

#[test]
fn the_body_is_the_secret_whatever_its_keys_are_called() {
    let mount = mount();
    let secret = json!({"path": "x", "*": null, "data": {"cas": 1}, "list": "true", "version": 2});
    mount.post("a", secret.clone()).status(204);
    let answer = mount.get("a").status(200);
    assert_eq!(answer.at("data"), &secret);
    assert_eq!(answer.at("warnings"), &json!(null));
}
