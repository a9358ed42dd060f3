//! Lockouts, as clients meet them.

use serde_json::{Value, json};
use strongroom_types::error::Kind;

use crate::testing::{Answer, Rig};

/// A method at `auth/door` with somebody, who is locked out for 10 minutes after 3 wrong words.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    let config = json!({"lockout_threshold": "3", "lockout_duration": "10m", "lockout_counter_reset": "5m"});
    rig.put("sys/auth/door/tune", &rig.root, json!({ "user_lockout_config": config })).await.unwrap();
    rig.put("auth/door/who/ann", &rig.root, json!({"token_policies": "a"})).await.unwrap();
    rig
}

async fn say(rig: &Rig, name: &str, word: &str) -> Answer {
    rig.put(&format!("auth/door/login/{name}"), "", json!({ "word": word })).await
}

fn wrong() -> (Kind, String) {
    (Kind::BadRequest, "wrong word".into())
}

fn locked() -> (Kind, String) {
    (Kind::Denied, "permission denied".into())
}

async fn lock(rig: &Rig, name: &str) {
    for _ in 0..3 {
        assert_eq!(say(rig, name, "x").await.unwrap_err(), wrong());
    }
    assert_eq!(say(rig, name, "x").await.unwrap_err(), locked());
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_after_so_many_wrong_words_the_right_one_is_refused_too() {
    let rig = rig().await;
    lock(&rig, "ann").await;
    assert_eq!(say(&rig, "ann", "open").await.unwrap_err(), locked());
    // Others come in, and so does this one later.
    rig.put("auth/door/who/bob", &rig.root, json!({})).await.unwrap();
    say(&rig, "bob", "open").await.unwrap();
    rig.clock.advance(599);
    assert_eq!(say(&rig, "ann", "open").await.unwrap_err(), locked());
    rig.clock.advance(1);
    say(&rig, "ann", "open").await.unwrap();
    // A success begins the count anew, and so does time.
    for _ in 0..2 {
        say(&rig, "ann", "x").await.unwrap_err();
        say(&rig, "ann", "x").await.unwrap_err();
        say(&rig, "ann", "open").await.unwrap();
    }
    say(&rig, "ann", "x").await.unwrap_err();
    say(&rig, "ann", "x").await.unwrap_err();
    rig.clock.advance(300);
    say(&rig, "ann", "x").await.unwrap_err();
    say(&rig, "ann", "open").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_lockout_outlives_seal_and_restart() {
    let mut rig = rig().await;
    lock(&rig, "ann").await;
    say(&rig, "bob", "x").await.unwrap_err();
    rig.put("sys/seal", &rig.root, json!({})).await.unwrap();
    assert!(rig.core.is_sealed());
    rig.unseal().await;
    assert_eq!(say(&rig, "ann", "open").await.unwrap_err(), locked());
    rig.restart();
    rig.unseal().await;
    assert_eq!(say(&rig, "ann", "open").await.unwrap_err(), locked());
    rig.clock.advance(600);
    say(&rig, "ann", "open").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_6010_a_lockout_does_not_tell_who_exists() {
    let rig = rig().await;
    for name in ["ann", "nobody"] {
        lock(&rig, name).await;
    }
    // But whoever may look is shown those who exist.
    let seen = rig.get("sys/locked-users", &rig.root).await.unwrap()["data"].clone();
    let accessor = rig.get("sys/auth/door", &rig.root).await.unwrap()["data"]["accessor"].clone();
    let wanted = json!({
        "by_namespace": [{
            "namespace_id": "root",
            "namespace_path": "",
            "counts": 1,
            "mount_accessors": [{ "mount_accessor": accessor, "counts": 1, "alias_identifiers": ["ann"] }],
        }],
        "total": 1,
    });
    assert_eq!(seen, wanted);
    let none = json!({"by_namespace": [], "total": 0});
    assert_eq!(rig.get("sys/locked-users?mount_accessor=x", &rig.root).await.unwrap()["data"], none);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_unlocked_comes_in_at_once_and_stays_unlocked() {
    let mut rig = rig().await;
    lock(&rig, "ann").await;
    crate::lockouts::flush(&super::sweep::active(&rig)).await.unwrap();
    let accessor = rig.get("sys/auth/door", &rig.root).await.unwrap()["data"]["accessor"].clone();
    let path = |alias: &str| format!("sys/locked-users/{}/unlock/{alias}", accessor.as_str().unwrap());
    assert_eq!(rig.put(&path("ann"), "", json!({})).await.unwrap_err().0, Kind::Denied);
    let wrong = rig.put("sys/locked-users/x/unlock/ann", &rig.root, json!({})).await;
    assert_eq!(wrong.unwrap_err().0, Kind::BadRequest);
    assert_eq!(rig.put(&path("ann"), &rig.root, json!({})).await.unwrap(), Value::Null);
    rig.put(&path("nobody"), &rig.root, json!({})).await.unwrap();
    rig.restart();
    rig.unseal().await;
    say(&rig, "ann", "open").await.unwrap();
    assert_eq!(rig.get("sys/locked-users", &rig.root).await.unwrap()["data"]["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c6_a_thousand_guesses_at_once_are_three() {
    let rig = rig().await;
    let guesses = (0..1000).map(|number| {
        let core = rig.core.clone();
        // The right word is among them, late.
        let word = if number == 900 { "open" } else { "x" };
        let asked = crate::testing::request(
            strongroom_types::Operation::Update,
            "auth/door/login/ann",
            "",
            Some(json!({ "word": word })),
        );
        tokio::spawn(async move { crate::testing::ask(&core, asked).await })
    });
    let (mut told, mut refused) = (0, 0);
    for guess in guesses.collect::<Vec<_>>() {
        match guess.await.unwrap() {
            Err(error) if error == wrong() => told += 1,
            Err(error) if error == locked() => refused += 1,
            // Only if it came before three others: then these count anew.
            Ok(_) => told -= 3,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(told <= 3, "{told} of {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_says_when_and_whether_anybody_is_locked_out() {
    let rig = rig().await;
    let tune =
        |config: Value| rig.put("sys/auth/door/tune", &rig.root, json!({ "user_lockout_config": config }));
    let shown = rig.get("sys/auth/door/tune", &rig.root).await.unwrap()["data"].clone();
    assert_eq!((&shown["user_lockout_threshold"], &shown["user_lockout_duration"]), (&json!(3), &json!(600)));
    assert_eq!(shown["user_lockout_counter_reset_duration"], 300);
    tune(json!({"lockout_disable": true})).await.unwrap();
    for _ in 0..10 {
        assert_eq!(say(&rig, "ann", "x").await.unwrap_err(), wrong());
    }
    tune(json!({"lockout_disable": "false", "lockout_threshold": 1})).await.unwrap();
    say(&rig, "ann", "x").await.unwrap_err();
    assert_eq!(say(&rig, "ann", "open").await.unwrap_err(), locked());
    // What holds now is asked at each login.
    tune(json!({"lockout_threshold": 2})).await.unwrap();
    say(&rig, "ann", "open").await.unwrap();
    for wrong in [
        json!({"lockout_threshold": -1}),
        json!({"lockout_threshold": "x"}),
        json!({"lockout_duration": "soon"}),
        json!({"lockout_thresold": 3}),
        json!("x"),
    ] {
        assert_eq!(tune(wrong.clone()).await.unwrap_err().0, Kind::BadRequest, "{wrong}");
    }
    let config = json!({"type": "door", "config": {"user_lockout_config": {"lockout_threshold": 3}}});
    assert_eq!(rig.put("sys/auth/more", &rig.root, config).await.unwrap_err().0, Kind::BadRequest);
    // With the method its failures go, and another one at the same place has none.
    tune(json!({"lockout_threshold": 1})).await.unwrap();
    say(&rig, "ann", "x").await.unwrap_err();
    rig.delete("sys/auth/door", &rig.root).await.unwrap();
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/ann", &rig.root, json!({})).await.unwrap();
    say(&rig, "ann", "open").await.unwrap();
}
