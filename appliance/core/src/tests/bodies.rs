//! How much of a body is read, of whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use strongroom_types::error::Kind;
use strongroom_types::request::{BodyError, BodySource};
use strongroom_types::{BoxFuture, Operation, Received, Request, Secret};

use crate::testing::{Answer, Rig, ask, request};

/// A body larger than anybody may send, which notes how much of it was wanted.
struct Endless(Arc<AtomicUsize>);

impl BodySource for Endless {
    fn read(&mut self, limit: usize) -> BoxFuture<'_, Result<Secret, BodyError>> {
        self.0.store(limit, Ordering::SeqCst);
        Box::pin(async { Err(BodyError::TooLarge) })
    }
}

async fn wanted(rig: &Rig, operation: Operation, path: &str, token: &str) -> (usize, Answer) {
    let wanted = Arc::new(AtomicUsize::new(0));
    let Request { head, .. } = request(operation, path, token, None);
    let body = Box::new(Endless(wanted.clone()));
    let answer = ask(&rig.core, Request { head, stage: Received { body } }).await;
    (wanted.load(Ordering::SeqCst), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_only_whoever_may_write_there_may_send_a_large_body() {
    const STRANGERS: usize = 64 * 1024;
    const ALL: usize = 32 * 1024 * 1024;
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    let token = rig
        .allowed(
            r#"path "toy/read" { capabilities = ["read", "list", "delete"] }
               path "toy/create" { capabilities = ["create"] }
               path "toy/update" { capabilities = ["update"] }
               path "toy/denied" { capabilities = ["deny", "update"] }"#,
        )
        .await;
    for (path, limit) in [
        ("toy/create", ALL),
        ("toy/update", ALL),
        ("toy/read", STRANGERS),
        ("toy/denied", STRANGERS),
        ("toy/nothing", STRANGERS),
        ("sys/policies/acl/a", STRANGERS),
    ] {
        let (wanted, answer) = wanted(&rig, Operation::Update, path, &token).await;
        let expected = if limit == ALL { Kind::TooLarge } else { Kind::Denied };
        assert_eq!((wanted, answer.unwrap_err().0), (limit, expected), "{path}");
    }
    assert_eq!(wanted(&rig, Operation::Update, "toy/nothing", &rig.root).await.0, ALL);
    // A login asks for no token: one that is sent all the same is worth nothing there.
    for token in ["", &token, &rig.root] {
        let (wanted, answer) = wanted(&rig, Operation::Update, "auth/door/login/somebody", token).await;
        assert_eq!((wanted, answer.unwrap_err().0), (STRANGERS, Kind::TooLarge));
    }
}
