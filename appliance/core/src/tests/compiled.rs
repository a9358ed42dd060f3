//! Which access lists stay compiled.

use std::sync::Arc;

use serde_json::json;

use crate::lifecycle::State;
use crate::testing::{Rig, START};

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_in_use_stays_compiled_whatever_else_is_asked_for() {
    let rig = Rig::new().await;
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    let set = |name: &str| vec!["default".to_owned(), name.to_owned()];
    let acl = |name: &str| active.policies.acl(&set(name));
    let (busy, idle) = (acl("busy"), acl("idle"));
    for other in 0..5_000 {
        acl(&format!("other{other}"));
        if other % 500 == 0 {
            assert!(Arc::ptr_eq(&busy, &acl("busy")), "after {other} others");
        }
    }
    assert!(!Arc::ptr_eq(&idle, &acl("idle")), "what nobody asks for is forgotten");
    // The latest are all there.
    let last = acl("other4999");
    for other in 4_100..5_000 {
        acl(&format!("other{other}"));
    }
    assert!(Arc::ptr_eq(&last, &acl("other4999")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_changes_is_compiled_anew_and_no_other() {
    let rig = Rig::new().await;
    rig.mount().await;
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    let acl = |names: &[&str]| {
        active.policies.acl(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    };
    let write = async |name: &str, text: &str| {
        rig.put(&format!("sys/policies/acl/{name}"), &rig.root, json!({ "policy": text })).await.unwrap();
    };
    write("a", r#"path "toy/a" { capabilities = ["read"] }"#).await;
    let (concerned, none, other) = (acl(&["a", "b"]), acl(&["c"]), acl(&["b", "default"]));
    write("a", r#"path "toy/a" { capabilities = ["list"] }"#).await;
    assert!(!Arc::ptr_eq(&concerned, &acl(&["a", "b"])));
    assert_eq!(acl(&["a", "b"]).capabilities("toy/a", START), ["list"]);
    assert!(Arc::ptr_eq(&none, &acl(&["c"])) && Arc::ptr_eq(&other, &acl(&["b", "default"])));
    // One that was named before there was one, and one that is no more.
    write("c", r#"path "toy/c" { capabilities = ["read"] }"#).await;
    assert_eq!(acl(&["c"]).capabilities("toy/c", START), ["read"]);
    rig.delete("sys/policies/acl/a", &rig.root).await.unwrap();
    assert_eq!(acl(&["a", "b"]).capabilities("toy/a", START), ["deny"]);
    assert!(Arc::ptr_eq(&other, &acl(&["b", "default"])));
}
