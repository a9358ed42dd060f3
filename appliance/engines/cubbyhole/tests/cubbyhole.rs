//! What a token keeps for itself.

use serde_json::json;
use strongroom_engine::Caller;
use strongroom_engine::testing::Mount;
use strongroom_engine::testing::conformance::Suite;
use strongroom_engine::testing::golden::play;
use strongroom_engine_cubbyhole::ENGINE;

#[test]
fn conforms_to_the_contract() {
    let fill = |mount: &Mount| {
        for path in ["a", "a/b", "b", "c/d/e", "Z", "é"] {
            mount.post(path, json!({"x": 1})).status(204);
        }
    };
    Suite { engine: &ENGINE, options: &[], fill, lists: &[""] }.run();
}

#[test]
fn recorded_answers_are_ours() {
    let text = include_str!("../../../../tests/golden/cubbyhole.jsonl");
    let played = play(&ENGINE, &["cubbyhole"], text);
    // Whether a token may patch is decided by its policies before anyone asks what the engine can do.
    assert_eq!(played.failed.len(), 1, "{played:#?}");
    assert!(played.failed[0].starts_with("cubbyhole-errors-07: status 405 instead of [403]"));
    assert!(played.passed >= 4);
}

#[test]
fn an_object_is_kept_replaced_and_deleted() {
    let mount = Mount::new(&ENGINE, &[]);
    mount.get("a").status(404);
    mount.post("a", json!({"x": 1, "y": {"z": null}})).status(204);
    assert_eq!(mount.get("a").status(200).at("data"), &json!({"x": 1, "y": {"z": null}}));
    mount.post("a", json!({"w": 2})).status(204);
    assert_eq!(mount.get("a").status(200).at("data"), &json!({"w": 2}));
    assert_eq!(mount.get("a").at("lease_duration"), 0);
    mount.post("a", json!({})).status(400);
    mount.delete("a").status(204);
    mount.get("a").status(404);
    mount.delete("a").status(204);
    mount.list("").status(404);
    mount.scan("").status(405);
}

#[test]
fn no_token_sees_the_cubbyhole_of_another() {
    let mut mount = Mount::new(&ENGINE, &[]);
    mount.ask_as(Some("ann"));
    mount.post("a/secret", json!({"of": "ann"})).status(204);
    for other in ["root", "ben", "an", "ann/a"] {
        mount.ask_as(Some(other));
        mount.get("a/secret").status(404);
        mount.list("").status(404);
        mount.list("a").status(404);
        mount.delete("a/secret").status(204);
        mount.post("a/secret", json!({"of": other})).status(204);
    }
    mount.ask_as(Some("ann"));
    assert_eq!(mount.get("a/secret").status(200).at("data.of"), "ann");
}

#[test]
fn a_caller_without_a_cubbyhole_gets_nothing() {
    let mut mount = Mount::new(&ENGINE, &[]);
    mount.post("a", json!({"x": 1})).status(204);
    for caller in [None, Some(None), Some(Some(String::new()))] {
        match caller {
            None => mount.ask_as(None),
            Some(cubbyhole) => {
                let caller = Caller { cubbyhole, display_name: "batch".into(), entity_id: String::new() };
                mount.ask_as_caller(caller);
            }
        }
        mount.get("a").status(400);
        mount.list("").status(400);
        mount.post("a", json!({"x": 2})).status(400);
        mount.delete("a").status(400);
    }
}
