//! No effect without its line, no answer without its line.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom_audit::testing::Mood;
use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::testing::{Rig, ask, request};

#[tokio::test(flavor = "multi_thread")]
async fn c21_every_request_leaves_two_lines() {
    let rig = Rig::new().await;
    rig.mount().await;
    let token = rig.token(json!({"policies": ["default"]})).await;
    let before = rig.lines().len();
    rig.put("toy/a", &rig.root, json!({"x": "canary"})).await.unwrap();
    rig.get("toy/a", &token).await.unwrap_err();
    rig.get("toy/a", "made-up").await.unwrap_err();
    rig.get("toy/a", "").await.unwrap_err();
    rig.get("nothing", &rig.root).await.unwrap_err();
    rig.put("toy/a", &rig.root, json!("no object")).await.unwrap_err();
    let lines = &rig.lines()[before..];
    let shape: Vec<_> =
        lines.iter().map(|line| (line["type"].as_str().unwrap(), line["error"].as_str().is_some())).collect();
    let (granted, refused) =
        ([("request", false), ("response", false)], [("request", true), ("response", true)]);
    let expected: Vec<_> = granted.into_iter().chain(std::iter::repeat_n(refused, 5).flatten()).collect();
    // What is not there is found out after the request may go on, and the rest before.
    assert_eq!(shape.len(), 12);
    assert_eq!(shape[..8], expected[..8]);
    assert_eq!(lines[0]["request"]["operation"], "create");
    assert_eq!(lines[2]["auth"]["policies"], json!(["default"]));
    let all = rig.sink.lines().join("\n");
    for secret in ["canary", token.as_str(), rig.root.as_str()] {
        assert!(!all.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_a_sink_that_refuses_stops_everything() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    rig.sink.set(Mood::Refusing);
    let revision = rig.store.snapshot().unwrap().revision();
    for (operation, path, body) in [
        (Operation::Update, "toy/a", Some(json!({"x": 2}))),
        (Operation::Read, "toy/a", None),
        (Operation::Delete, "toy/a", None),
        (Operation::Update, "auth/token/create", Some(json!({}))),
        (Operation::Update, "sys/mounts/other", Some(json!({"type": "toy"}))),
        (Operation::Update, "sys/seal", None),
    ] {
        let (kind, text) = ask(&rig.core, request(operation, path, &rig.root, body)).await.unwrap_err();
        assert_eq!(kind, Kind::Internal, "{path}");
        assert_eq!(text, "the audit log did not accept the request: nothing was done");
    }
    assert_eq!(rig.store.snapshot().unwrap().revision(), revision);
    assert!(!rig.core.is_sealed());
    rig.sink.set(Mood::RefusingResponses);
    let (kind, text) = rig.get("toy/a", &rig.root).await.unwrap_err();
    assert!(kind == Kind::Internal && text.contains("nothing was done"));
    let (kind, text) = rig.put("toy/b", &rig.root, json!({"x": 1})).await.unwrap_err();
    assert!(kind == Kind::Internal && text.contains("withheld"));
    rig.sink.set(Mood::Well);
    for path in ["toy/a", "toy/b"] {
        assert_eq!(rig.get(path, &rig.root).await.unwrap()["data"]["x"], 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_asks_has_both_lines_in_one_write_and_what_has_an_effect_has_one_before_it() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let limited = rig.token(json!({"policies": ["root"], "num_uses": 5, "ttl": "1h"})).await;
    let weak = rig.token(json!({"policies": ["default"]})).await;
    let mut wrapped = request(Operation::Read, "toy/a", &rig.root, None);
    wrapped.head.wrap_ttl = Some(60);
    for (what, ask, writes) in [
        ("a read", request(Operation::Read, "toy/a", &rig.root, None), 1),
        ("a list", request(Operation::List, "toy", &rig.root, None), 1),
        ("nothing there", request(Operation::Read, "toy/b", &rig.root, None), 1),
        ("a refused write", request(Operation::Update, "toy/a", &weak, Some(json!({"x": 2}))), 1),
        ("nobody", request(Operation::Read, "toy/a", "", None), 1),
        ("the system's own", request(Operation::Read, "sys/mounts", &rig.root, None), 1),
        ("a write", request(Operation::Update, "toy/a", &rig.root, Some(json!({"x": 2}))), 2),
        ("a read that costs a use", request(Operation::Read, "toy/a", &limited, None), 2),
        ("a refusal that costs a use", request(Operation::Read, "toy/b", &limited, None), 2),
        ("a read that is wrapped", wrapped, 2),
    ] {
        let before = (rig.sink.writes(), rig.sink.lines().len());
        let _ = crate::testing::ask(&rig.core, ask).await;
        let after = (rig.sink.writes() - before.0, rig.sink.lines().len() - before.1);
        assert_eq!(after, (writes, 2), "{what}");
        let kinds: Vec<_> = rig.lines()[before.1..].iter().map(|line| line["type"].clone()).collect();
        assert_eq!(kinds, ["request", "response"], "{what}");
    }
    // No effect without its line, also of what usually has none.
    rig.sink.set(Mood::Refusing);
    let revision = rig.store.snapshot().unwrap().revision();
    rig.get("toy/a", &limited).await.unwrap_err();
    assert_eq!(rig.store.snapshot().unwrap().revision(), revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn c30_a_crash_after_the_commit_leaves_a_row_and_the_line_comes_back() {
    let disk: Arc<MemoryStore> = MemoryStore::new();
    let mut rig = Rig::over(FaultyStore::new(disk.clone(), Plan::default())).await;
    rig.mount().await;
    // What came before is on the disk of the log.
    rig.core.clone().run(tokio::sync::watch::channel(true).1).await;
    rig.restart();
    rig.unseal().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let path = |line: &serde_json::Value| (line["type"].clone(), line["request"]["path"].clone());
    let wanted = (json!("request"), json!("toy/a"));
    assert!(rig.lines().iter().any(|line| path(line) == wanted));
    rig.sink.lose_unsynced();
    assert!(!rig.lines().iter().any(|line| path(line) == wanted));
    rig.restart_on(disk);
    rig.unseal().await;
    assert_eq!(rig.lines().iter().filter(|line| path(line) == wanted).count(), 1);
    // And once more: what is there already is not written twice.
    rig.restart();
    rig.unseal().await;
    assert_eq!(rig.lines().iter().filter(|line| path(line) == wanted).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn c30_a_commit_that_was_never_acknowledged_has_its_line_if_it_has_an_effect() {
    for kept in [0, 1] {
        let store = FaultyStore::new(MemoryStore::new(), Plan::default());
        let mut rig = Rig::over(store.clone()).await;
        rig.mount().await;
        store.plan(|plan| plan.hold = true);
        let (core, root) = (rig.core.clone(), rig.root.clone());
        let asked = tokio::spawn(async move {
            ask(&core, request(Operation::Update, "toy/a", &root, Some(json!({"x": 1})))).await
        });
        while store.held() == 0 {
            tokio::task::yield_now().await;
        }
        rig.sink.lose_unsynced();
        let reopened = store.crash(kept).await;
        asked.await.unwrap().unwrap_err();
        rig.sink.lose_unsynced();
        rig.restart_on(reopened);
        rig.unseal().await;
        let is_there = rig.get("toy/a", &rig.root).await.is_ok();
        let has_line = rig.lines().iter().any(|line| {
            line["type"] == "request"
                && line["request"]["operation"] == "create"
                && line["request"]["path"] == "toy/a"
        });
        assert_eq!((is_there, has_line), (kept == 1, kept == 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_leaves_nothing_half_done() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    store.plan(|plan| plan.hold = true);
    let before = rig.lines().len();
    let core = rig.core.clone();
    let asked = request(Operation::Update, "sys/mounts/toy", &rig.root, Some(json!({"type": "toy"})));
    let gone = tokio::spawn(async move { ask(&core, asked).await });
    while store.held() == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    store.plan(|plan| plan.hold = false);
    assert_eq!(store.sync().await, 1);
    // The line is the last thing that is done.
    for _ in 0..1000 {
        if rig.lines().len() == before + 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rig.lines().len(), before + 2);
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sinks_are_listed_and_hash_and_are_not_made_by_clients() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("sys/audit", &rig.root).await.unwrap()["data"]["memory/"]["type"], "memory");
    let hash = rig.put("sys/audit-hash/memory", &rig.root, json!({"input": rig.root})).await.unwrap();
    let hash = hash["data"]["hash"].as_str().unwrap().to_owned();
    assert!(hash.starts_with("hmac-sha256:") && rig.sink.lines().join("").contains(&hash));
    let made = rig
        .put("sys/audit/own", &rig.root, json!({"type": "file", "options": {"file_path": "/tmp/x"}}))
        .await;
    assert_eq!(made.unwrap_err().0, Kind::BadRequest);
    assert_eq!(rig.delete("sys/audit/memory", &rig.root).await.unwrap_err().0, Kind::BadRequest);
}
