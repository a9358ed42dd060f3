//! Version 2, by its requests.

use serde_json::{Value, json};
use strongroom_engine::testing::conformance::Suite;
use strongroom_engine::testing::golden::play;
use strongroom_engine::testing::{Answer, Mount};
use strongroom_engine_kv::ENGINE;

const VERSION_2: &[(&str, &str)] = &[("version", "2")];

fn mount() -> Mount {
    Mount::new(&ENGINE, VERSION_2)
}

fn put(mount: &Mount, path: &str, data: Value) -> Answer {
    mount.post(&format!("data/{path}"), json!({ "data": data })).status(200)
}

fn fill(mount: &Mount) {
    for path in ["a", "a/b", "a/c/d", "a/e", "b", "c/d", "Z", "sample/deep"] {
        put(mount, path, json!({"x": 1}));
        put(mount, path, json!({"x": {"y": 2}}));
    }
    mount.post("delete/b", json!({"versions": [1]})).status(204);
    mount.delete("data/a/b").status(204);
    mount.post("destroy/sample/deep", json!({"versions": [1]})).status(204);
    mount.post("metadata/only/settings", json!({"max_versions": 3})).status(204);
}

#[test]
fn conforms_to_the_contract() {
    let lists = &["metadata", "metadata/a", "detailed-metadata", "detailed-metadata/a"];
    Suite { engine: &ENGINE, options: VERSION_2, fill, lists }.run();
}

#[test]
fn recorded_answers_are_ours() {
    let played = play(&ENGINE, &[], include_str!("../../../../tests/golden/kv2.jsonl"));
    assert_eq!(played.failed, Vec::<String>::new());
    assert!(played.passed >= 115, "{} of {played:#?}", played.passed);
}

#[test]
fn versions_are_added_read_and_kept_apart() {
    let mount = mount();
    mount.get("data/a").status(404);
    assert_eq!(put(&mount, "a", json!({"n": 1})).at("data.version"), 1);
    assert_eq!(put(&mount, "a", json!({"n": 2})).at("data.version"), 2);
    assert_eq!(put(&mount, "a/2", json!({"n": "other"})).at("data.version"), 1);
    assert_eq!(mount.get("data/a").status(200).at("data.data.n"), 2);
    assert_eq!(mount.get("data/a?version=1").status(200).at("data.data.n"), 1);
    assert_eq!(mount.get("data/a?version=0").status(200).at("data.metadata.version"), 2);
    assert_eq!(mount.get("data/a?version=-1").status(200).at("data.metadata.version"), 2);
    assert_eq!(mount.get("data/a/2").status(200).at("data.data.n"), "other");
    mount.get("data/a?version=3").status(404);
    mount.get("data/a?version=18446744073709551617").status(400);
    put(&mount, "a", json!({}));
    assert_eq!(mount.get("data/a").status(200).at("data.data"), &json!({}));
}

#[test]
fn numbers_come_back_as_they_were_written() {
    let mount = mount();
    let secret = r#"{"big":9007199254740993,"exact":1.0,"long":123456789012345678901234567890}"#;
    mount.send("PUT", "data/a", None, Some(&format!("{{\"data\":{secret}}}"))).status(200);
    assert_eq!(mount.get("data/a").at("data.data").to_string(), secret);
    mount.patch("data/a", json!({"data": {"new": 1}})).status(200);
    let patched = mount.get("data/a").at("data.data").to_string();
    assert!(patched.contains("9007199254740993") && patched.contains("1.0"), "{patched}");
}

/// What a full disk must not keep anybody from, and what it has to.
#[test]
fn deletes_and_destroys_free_and_nothing_else_does() {
    let mount = mount();
    put(&mount, "a", json!({"n": 1}));
    put(&mount, "a", json!({"n": 2}));
    let frees = |verb, path, body| {
        let outcome = mount.handle(verb, path, body).unwrap();
        assert!(!outcome.writes.is_empty(), "{verb} {path}");
        outcome.writes.iter().all(|write| write.frees)
    };
    let versions = Some(r#"{"versions": [1, 2]}"#);
    assert!(frees("DELETE", "data/a", None));
    assert!(frees("POST", "delete/a", versions));
    assert!(frees("POST", "destroy/a", versions));
    assert!(frees("DELETE", "metadata/a", None));
    assert!(!frees("POST", "data/a", Some(r#"{"data": {}}"#)));
    assert!(!frees("POST", "metadata/a", Some(r#"{"max_versions": 1}"#)));
    mount.delete("data/a").status(204);
    assert!(!frees("POST", "undelete/a", Some(r#"{"versions": [2]}"#)));
}

#[test]
fn a_read_takes_at_most_two_records() {
    let mount = mount();
    put(&mount, "a", json!({"n": 1}));
    let write = mount.handle("POST", "data/a", Some(r#"{"data": {"n": 2}}"#)).unwrap();
    let names: Vec<_> = write.writes.iter().map(|write| write.name.segments().join("/")).collect();
    assert_eq!(names, ["key/a", "version/a/2"]);
}

#[test]
fn data_is_needed_and_named() {
    let mount = mount();
    for body in ["", "{}", r#"{"data": null}"#, r#"{"user": "ann"}"#, r#"{"options": {"cas": 0}}"#] {
        assert_eq!(mount.send("POST", "data/a", None, Some(body)).status(400).text(), "no data provided");
    }
    mount.send("POST", "data/a", None, Some(r#"{"data": "text"}"#)).status(400);
    mount.send("POST", "data/a", None, Some(r#"{"data": [1]}"#)).status(400);
    mount.get("metadata/a").status(404);
    let answer = mount.post("data/a", json!({"data": {}, "metdata": {}, "path": "b"})).status(200);
    assert_eq!(answer.at("warnings").as_array().unwrap().len(), 2);
}

#[test]
fn check_and_set_decides_by_the_version_that_counts() {
    let mount = mount();
    let write = |cas: Value| mount.post("data/a", json!({"data": {}, "options": {"cas": cas}}));
    write(json!(1)).status(400);
    write(json!(0)).status(200);
    write(json!(0)).status(400);
    write(json!("1")).status(200);
    write(json!(-1)).status(400);
    write(json!("x")).status(400);
    write(json!([2])).status(400);
    write(json!(2.0)).status(200);
    // The newest version is deleted, but it is still the newest.
    mount.delete("data/a").status(204);
    write(json!(0)).status(400);
    mount.post("destroy/a", json!({"versions": [1, 2, 3]})).status(204);
    write(json!(0)).status(400);
    write(json!(3)).status(200);
    mount.delete("metadata/a").status(204);
    write(json!(0)).status(200);
}

#[test]
fn of_two_writers_that_saw_the_same_version_one_wins() {
    let mount = mount();
    for (first, second) in [
        (
            ("POST", "data/a", r#"{"data": {"n": 1}, "options": {"cas": 0}}"#),
            ("POST", "data/a", r#"{"data": {"n": 2}}"#),
        ),
        (("POST", "data/a", r#"{"data": {"n": 3}}"#), ("DELETE", "data/a", "")),
        (("POST", "data/a", r#"{"data": {"n": 4}}"#), ("PATCH", "data/a", r#"{"data": {"m": 1}}"#)),
        (("POST", "metadata/a", r#"{"max_versions": 7}"#), ("POST", "destroy/a", r#"{"versions": [1]}"#)),
        (("POST", "data/a", r#"{"data": {"n": 5}}"#), ("DELETE", "metadata/a", "")),
    ] {
        if first.0 == "POST" && second.1 == "data/a" && mount.get("metadata/a").status == 404 {
            mount.delete("metadata/a").status(204);
        } else {
            put(&mount, "a", json!({"n": 0}));
        }
        let one = mount.handle(first.0, first.1, Some(first.2)).unwrap();
        let other = mount.handle(second.0, second.1, Some(second.2)).unwrap();
        assert!(mount.commit(&one).is_ok());
        assert!(mount.commit(&other).is_err(), "{second:?} after {first:?}");
    }
}

#[test]
fn old_versions_are_dropped_with_their_values() {
    let mount = mount();
    for n in 1..=12 {
        put(&mount, "a", json!({ "n": n }));
    }
    let metadata = mount.get("metadata/a").status(200);
    assert_eq!(metadata.at("data.oldest_version"), 3);
    assert_eq!(metadata.at("data.versions").as_object().unwrap().len(), 10);
    mount.get("data/a?version=2").status(404);
    assert_eq!(mount.get("data/a?version=3").status(200).at("data.data.n"), 3);
    // The larger of the two numbers counts; a smaller one takes effect with the next write.
    mount.post("config", json!({"max_versions": 2})).status(204);
    mount.post("metadata/a", json!({"max_versions": 3})).status(204);
    mount.get("data/a?version=3").status(200);
    let write = mount.handle("POST", "data/a", Some(r#"{"data": {}}"#)).unwrap();
    let dropped = write.writes.iter().filter(|write| write.value.is_none()).count();
    assert_eq!(dropped, 8);
    mount.commit(&write).unwrap();
    assert_eq!(mount.get("metadata/a").at("data.oldest_version"), 11);
    mount.post("metadata/a", json!({"max_versions": -1})).status(400);
    mount.post("config", json!({"max_versions": -1})).status(400);
    mount.post("config", json!({"max_versions": 4_294_967_296_i64})).status(400);
}

#[test]
fn a_deleted_version_is_404_with_what_is_known_of_it() {
    let mount = mount();
    put(&mount, "a", json!({"n": 1}));
    mount.delete("data/a").status(204);
    let answer = mount.get("data/a").status(404);
    assert_eq!(answer.at("data.data"), &Value::Null);
    assert_eq!(answer.at("data.metadata.version"), 1);
    assert_eq!(answer.at("data.metadata.deletion_time"), answer.at("data.metadata.created_time"));
    // Deleted again, it keeps the time of the first deletion.
    mount.wait(5);
    mount.delete("data/a").status(204);
    assert_eq!(mount.get("data/a").body, answer.body);
    mount.post("undelete/a", json!({"versions": "1"})).status(204);
    assert_eq!(mount.get("data/a").status(200).at("data.metadata.deletion_time"), "");
    mount.post("destroy/a", json!({"versions": [1, 1, 9, -1]})).status(204);
    mount.post("undelete/a", json!({"versions": [1]})).status(204);
    let answer = mount.get("data/a").status(404);
    assert_eq!(answer.at("data.metadata.destroyed"), true);
    assert_eq!(mount.get("subkeys/a").status(404).at("data.subkeys"), &Value::Null);
}

#[test]
fn a_version_counts_as_deleted_when_its_time_has_come() {
    let mount = mount();
    let times = |mount_after: &str, key_after: &str| {
        mount.post("config", json!({ "delete_version_after": mount_after })).status(204);
        mount.post("metadata/a", json!({ "delete_version_after": key_after })).status(204);
        put(&mount, "a", json!({"x": 1})).at("data.deletion_time").as_str().unwrap().to_owned()
    };
    let now = "2023-11-14T22:13:20Z";
    assert_eq!(times("0s", "0s"), "");
    assert_eq!(times("1h", "0s"), now.replace("22:", "23:"));
    assert_eq!(times("0s", "10s"), now.replace(":20Z", ":30Z"));
    assert_eq!(times("1h", "10s"), now.replace(":20Z", ":30Z"));
    assert_eq!(times("5s", "10s"), now.replace(":20Z", ":25Z"));
    assert_eq!(times("-1s", "10s"), "");
    assert_eq!(mount.get("config").at("data.delete_version_after"), "-1s");
    mount.post("metadata/a", json!({"delete_version_after": "-1s"})).status(400);
    times("0s", "10s");
    mount.wait(9);
    mount.get("data/a").status(200);
    mount.wait(1);
    mount.get("data/a").status(404);
    // Brought back it lives as long as a new one.
    mount.post("undelete/a", json!({"versions": [7]})).status(204);
    mount.get("data/a").status(200);
    mount.wait(10);
    mount.get("data/a").status(404);
    // A deletion before the time is one at once.
    times("0s", "10s");
    mount.delete("data/a").status(204);
    mount.get("data/a").status(404);
}

#[test]
fn a_patch_needs_something_to_patch() {
    let mount = mount();
    let patch = |body: Value| mount.patch("data/a", body);
    assert_eq!(patch(json!({"data": {"a": 1}})).status(404).body, Value::Null);
    mount.post("metadata/a", json!({"max_versions": 3})).status(204);
    assert_eq!(patch(json!({"data": {"a": 1}})).status(404).body, Value::Null);
    put(&mount, "a", json!({"a": 1, "b": {"c": 2, "d": null}}));
    patch(json!({"data": {"a": null, "b": {"c": null, "e": [null]}}})).status(200);
    assert_eq!(mount.get("data/a").at("data.data"), &json!({"b": {"d": null, "e": [null]}}));
    mount.send("PATCH", "data/a", Some("application/json"), Some("{}")).status(415);
    mount.delete("data/a").status(204);
    assert_eq!(patch(json!({"data": {"a": 1}})).status(404).at("data.version"), 2);
}

#[test]
fn names_are_listed_scanned_and_described() {
    let mount = mount();
    fill(&mount);
    assert_eq!(mount.list("metadata").keys(), ["Z", "a", "a/", "b", "c/", "only/", "sample/"]);
    assert_eq!(mount.list("metadata/a/").keys(), ["b", "c/", "e"]);
    assert_eq!(mount.scan("metadata/a").keys(), ["b", "c/d", "e"]);
    assert_eq!(mount.list("metadata?after=a&limit=2").keys(), ["a/", "b"]);
    mount.list("metadata/b").status(404);
    let detailed = mount.list("detailed-metadata").status(200);
    assert_eq!(detailed.keys(), mount.list("metadata").keys());
    let known: Vec<_> = detailed.at("data.key_info").as_object().unwrap().keys().collect();
    assert_eq!(known, ["Z", "a", "b"]);
    assert_eq!(detailed.at("data.key_info.a"), mount.get("metadata/a").at("data"));
    let detailed = mount.scan("detailed-metadata/a").status(200);
    assert_eq!(detailed.at("data.key_info")["c/d"]["current_version"], 2);
    mount.list("detailed-metadata/none").status(404);
    mount.get("metadata").status(405);
}

#[test]
fn metadata_is_deleted_with_everything() {
    let mount = mount();
    fill(&mount);
    let purge = mount.handle("DELETE", "metadata/sample/deep", None).unwrap();
    let names: Vec<_> = purge.writes.iter().map(|write| write.name.segments().join("/")).collect();
    assert_eq!(names, ["key/sample/deep", "version/sample/deep/2"]);
    mount.delete("metadata/a").status(204);
    mount.get("data/a").status(404);
    mount.get("metadata/a").status(404);
    mount.get("data/a/e").status(200);
    assert_eq!(mount.list("metadata?limit=3").keys(), ["Z", "a/", "b"]);
    mount.delete("metadata/a").status(204);
}

#[test]
fn custom_metadata_has_limits() {
    let mount = mount();
    let set = |custom: Value| mount.post("metadata/a", json!({ "custom_metadata": custom }));
    let many = |count: usize| (0..count).map(|n| (n.to_string(), json!("v"))).collect::<Value>();
    set(many(64)).status(204);
    set(many(65)).status(400);
    set(json!({ "k".repeat(128): "v".repeat(512) })).status(204);
    for bad in [
        json!({ "k".repeat(129): "v" }),
        json!({ "k": "v".repeat(513) }),
        json!({ "": "v" }),
        json!({ "k": "" }),
        json!({ "k": null }),
        json!({ "k": [] }),
        json!({ "k": "a\u{0}b" }),
        json!("x"),
    ] {
        set(bad).status(400);
    }
    set(json!({"n": 1, "b": true, "f": 1.5})).status(204);
    assert_eq!(mount.get("metadata/a").at("data.custom_metadata"), &json!({"n": "1", "b": "1", "f": "1.5"}));
    mount.patch("metadata/a", json!({"custom_metadata": {"x": ["bad"]}})).status(400);
    mount.patch("metadata/a", json!({"custom_metadata": {"n": null, "m": 2}})).status(204);
    assert_eq!(mount.get("metadata/a").at("data.custom_metadata"), &json!({"b": "1", "f": "1.5", "m": "2"}));
    mount.patch("metadata/a", json!({"custom_metadata": null})).status(204);
    assert_eq!(mount.get("metadata/a").at("data.custom_metadata"), &Value::Null);
}

#[test]
fn settings_are_taken_back_by_null() {
    let mount = mount();
    let settings = json!({"max_versions": 3, "cas_required": true, "delete_version_after": "1h"});
    mount.post("metadata/a", settings.clone()).status(204);
    mount.post("metadata/a", json!({"cas_required": null})).status(204);
    assert_eq!(mount.get("metadata/a").at("data.cas_required"), false);
    assert_eq!(mount.get("metadata/a").at("data.max_versions"), 3);
    mount.patch("metadata/a", json!({"max_versions": null, "delete_version_after": null})).status(204);
    let known = mount.get("metadata/a");
    assert_eq!(known.at("data.max_versions"), 0);
    assert_eq!(known.at("data.delete_version_after"), "0s");
    assert_eq!(mount.patch("metadata/none", json!({"max_versions": 1})).status(404).body, Value::Null);
}

#[test]
fn changes_of_metadata_are_counted_and_checked() {
    let mount = mount();
    let set = |path: &str, body: Value| mount.post(&format!("metadata/{path}"), body);
    let count =
        |path: &str| mount.get(&format!("metadata/{path}")).at("data.current_metadata_version").clone();
    put(&mount, "a", json!({}));
    assert_eq!(count("a"), 0);
    set("a", json!({"metadata_cas": 0, "custom_metadata": {"o": "1"}})).status(204);
    set("a", json!({"metadata_cas": 0, "custom_metadata": {"o": "2"}})).status(400);
    assert_eq!(count("a"), 1);
    // What changes nothing is no change.
    set("a", json!({})).status(204);
    set("a", json!({"metadata_cas": 99})).status(204);
    mount.patch("metadata/a", json!({"metadata_cas": 99})).status(204);
    assert_eq!(count("a"), 1);
    set("new", json!({"metadata_cas": 1, "max_versions": 1})).status(400);
    mount.get("metadata/new").status(404);
    set("new", json!({"metadata_cas": 0, "metadata_cas_required": true})).status(204);
    set("new", json!({"max_versions": 1})).status(400);
    mount.patch("metadata/new", json!({"max_versions": 1})).status(400);
    mount.patch("metadata/new", json!({"max_versions": 1, "metadata_cas": 1})).status(204);
    mount.post("config", json!({"metadata_cas_required": true, "cas_required": true})).status(204);
    set("other", json!({"max_versions": 1})).status(400);
    let answer =
        set("other", json!({"metadata_cas": 0, "metadata_cas_required": false, "cas_required": false}));
    assert_eq!(answer.status(200).at("warnings").as_array().unwrap().len(), 2);
    set("other", json!({"max_versions": 1})).status(400);
}

#[test]
fn a_mount_of_version_1_becomes_one_of_version_2() {
    let mut mount = Mount::new(&ENGINE, &[]);
    for path in ["a", "a/b", "c", "d"] {
        mount.post(path, json!({ "at": path })).status(204);
    }
    let upgraded = mount.retune(&[("version", "2")]).status(200);
    assert_eq!(upgraded.at("warnings").as_array().unwrap().len(), 1);
    mount.wait(60);
    assert_eq!(mount.retune(&[("version", "1")]).status(400).text(), "cannot downgrade mount from version 2");
    mount.retune(&[("version", "3")]).status(400);
    // Read, listed, counted as they are.
    let read = mount.get("data/a").status(200);
    assert_eq!(read.at("data.data.at"), "a");
    assert_eq!(read.at("data.metadata.created_time"), "2023-11-14T22:13:20Z");
    mount.post("data/a", json!({"data": {}, "options": {"cas": 0}})).status(400);
    assert_eq!(mount.get("metadata/c").status(200).at("data.current_version"), 1);
    // Changed, they move.
    put(&mount, "a", json!({"at": "new"}));
    assert_eq!(mount.get("data/a?version=1").status(200).at("data.data.at"), "a");
    assert_eq!(mount.get("data/a").at("data.data.at"), "new");
    put(&mount, "e", json!({}));
    mount.delete("data/c").status(204);
    mount.get("data/c").status(404);
    mount.post("undelete/c", json!({"versions": [1]})).status(204);
    assert_eq!(mount.get("data/c").status(200).at("data.data.at"), "c");
    assert_eq!(mount.list("metadata").keys(), ["a", "a/", "c", "d", "e"]);
    assert_eq!(mount.list("metadata?limit=2&after=a").keys(), ["a/", "c"]);
    assert_eq!(mount.scan("metadata").keys(), ["a", "a/b", "c", "d", "e"]);
    assert_eq!(mount.list("detailed-metadata").at("data.key_info.d.current_version"), 1);
    // Gone is gone.
    for path in ["a", "c", "d"] {
        mount.delete(&format!("metadata/{path}")).status(204);
        mount.get(&format!("data/{path}")).status(404);
    }
    assert_eq!(mount.scan("metadata").keys(), ["a/b", "e"]);
    mount.post("destroy/a/b", json!({"versions": [1]})).status(204);
    assert_eq!(mount.get("data/a/b").status(404).at("data.metadata.destroyed"), true);
}

#[test]
fn a_secret_of_version_1_is_moved_by_one_of_two_writers() {
    let mut mount = Mount::new(&ENGINE, &[]);
    mount.post("a", json!({"n": 1})).status(204);
    mount.retune(&[("version", "2")]).status(200);
    let one = mount.handle("POST", "data/a", Some(r#"{"data": {}}"#)).unwrap();
    let other = mount.handle("DELETE", "metadata/a", None).unwrap();
    assert!(mount.commit(&one).is_ok());
    assert!(mount.commit(&other).is_err());
}

#[test]
fn a_version_1_path_is_explained() {
    let mount = mount();
    for (answer, command) in [
        (mount.get("app/db"), "kv get"),
        (mount.post("app/db", json!({"x": 1})), "kv put"),
        (mount.delete("app/db"), "kv delete"),
        (mount.list("app"), "kv list"),
    ] {
        let answer = answer.status(404);
        assert!(answer.text().starts_with("Invalid path for a versioned K/V secrets engine."), "{answer:?}");
        assert!(answer.text().contains(command), "{answer:?}");
    }
}
