//! Mounts: moved, tuned, seen.

use serde_json::{Value, json};
use strongroom_types::error::Kind;

use super::sweep::active;
use crate::mounts::MountTable;
use crate::testing::{Answer, Rig};

async fn remount(rig: &Rig, from: &str, to: &str) -> Answer {
    rig.put("sys/remount", &rig.root, json!({ "from": from, "to": to })).await
}

async fn tune(rig: &Rig, says: Value) -> Answer {
    rig.put("sys/mounts/toy/tune", &rig.root, says).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_mount_keeps_all_it_has() {
    let mut rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a/b", &rig.root, json!({"x": 1})).await.unwrap();
    let before = rig.get("sys/mounts/toy", &rig.root).await.unwrap()["data"].clone();
    let id = remount(&rig, "/toy/", "far/away").await.unwrap()["data"]["migration_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let status = rig.get(&format!("sys/remount/status/{id}"), &rig.root).await.unwrap()["data"].clone();
    let expected = json!({"source_mount": "toy/", "target_mount": "far/away/", "status": "success"});
    assert_eq!((&status["migration_id"], &status["migration_info"]), (&json!(id), &expected));
    for _ in 0..2 {
        assert_eq!(rig.get("far/away/a/b", &rig.root).await.unwrap()["data"]["x"], 1);
        assert_eq!(rig.get("toy/a/b", &rig.root).await.unwrap_err().0, Kind::NotFound);
        assert_eq!(rig.get("sys/mounts/far/away", &rig.root).await.unwrap()["data"], before);
        rig.restart();
        rig.unseal().await;
    }
    // The place is free, and who takes it sees nothing of what was there.
    rig.mount().await;
    assert_eq!(rig.get("toy/a/b", &rig.root).await.unwrap_err().0, Kind::NotFound);
    assert_eq!(rig.get("sys/remount/status/none", &rig.root).await.unwrap_err().0, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_of_tokens_are_shown_and_are_those_of_the_configuration() {
    let rig = Rig::new().await;
    let settings = crate::Settings::default();
    for path in ["sys/auth/token/tune", "sys/mounts/auth/token/tune"] {
        let shown = rig.get(path, &rig.root).await.unwrap()["data"].clone();
        assert_eq!(shown["default_lease_ttl"], settings.default_lease_ttl, "{path}");
        assert_eq!(shown["max_lease_ttl"], settings.max_lease_ttl, "{path}");
        assert_eq!(shown["description"], "token based credentials", "{path}");
        assert_eq!(shown["token_type"], "default-service", "{path}");
        let (kind, text) = rig.put(path, &rig.root, json!({"max_lease_ttl": "1h"})).await.unwrap_err();
        assert!(kind == Kind::BadRequest && text.starts_with("tokens are not tuned"), "{path}: {text}");
    }
    let weak = rig.allowed(r#"path "sys/*" { capabilities = ["read", "update"] }"#).await;
    for path in ["sys/auth/token/tune", "sys/mounts/auth/token/tune"] {
        assert_eq!(rig.get(path, &weak).await.unwrap_err().0, Kind::Denied, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c1_a_mount_moves_to_no_place_that_is_taken_or_reserved() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("sys/mounts/other/deep", &rig.root, json!({"type": "toy"})).await.unwrap();
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    for (from, to) in [
        ("toy", "toy"),
        ("toy", "toy/below"),
        ("toy", "other"),
        ("toy", "other/deep/er"),
        ("toy", "sys/x"),
        ("toy", "sys"),
        ("toy", "identity"),
        ("toy", "cubbyhole/x"),
        ("toy", "a/../sys"),
        ("toy", ""),
        ("toy", "/"),
        ("sys", "x"),
        ("cubbyhole", "x"),
        ("auth/token", "x"),
        ("auth/token", "auth/x"),
        ("auth/door", "auth/token"),
        ("auth/door", "auth/token/x"),
        ("auth/door", "auth"),
        ("auth/door", "auth/door/below"),
        ("auth/door", "x"),
        ("auth/door", "sys/x"),
        ("auth", "auth/x"),
        ("auth/none", "auth/x"),
        ("toy", "auth/x"),
        ("none", "x"),
        ("", "x"),
        ("toy/../other/deep", "x"),
    ] {
        assert_eq!(remount(&rig, from, to).await.unwrap_err().0, Kind::BadRequest, "{from} {to}");
    }
    // Moving changes who may reach what: that needs sudo.
    let weak = rig.allowed(r#"path "sys/remount" { capabilities = ["update"] }"#).await;
    let answer = rig.put("sys/remount", &weak, json!({"from": "toy", "to": "x"})).await;
    assert_eq!(answer.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_moves_to_one_place_one_gets_there() {
    let rig = Rig::new().await;
    for number in 0..16 {
        rig.put(&format!("sys/mounts/m{number}"), &rig.root, json!({"type": "toy"})).await.unwrap();
    }
    let moves = (0..16).map(|number| {
        let (core, root) = (rig.core.clone(), rig.root.clone());
        let body = json!({ "from": format!("m{number}"), "to": "there" });
        tokio::spawn(async move {
            let asked = crate::testing::request(
                strongroom_types::Operation::Update,
                "sys/remount",
                &root,
                Some(body),
            );
            crate::testing::ask(&core, asked).await.is_ok()
        })
    });
    let mut moved = 0;
    for one in moves.collect::<Vec<_>>() {
        moved += usize::from(one.await.unwrap());
    }
    assert_eq!(moved, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tuned_is_shown() {
    let rig = Rig::new().await;
    rig.mount().await;
    let says = json!({
        "description": "d", "default_lease_ttl": "1h", "max_lease_ttl": 7200, "force_no_cache": "true",
        "audit_non_hmac_request_keys": "a,b", "audit_non_hmac_response_keys": ["c"], "listing_visibility": "unauth",
        "passthrough_request_headers": ["X-A"], "allowed_response_headers": "X-B",
    });
    tune(&rig, says).await.unwrap();
    let seen = rig.get("sys/mounts/toy/tune", &rig.root).await.unwrap()["data"].clone();
    assert_eq!((&seen["default_lease_ttl"], &seen["max_lease_ttl"]), (&json!(3600), &json!(7200)));
    assert_eq!((&seen["force_no_cache"], &seen["description"]), (&json!(true), &json!("d")));
    assert_eq!(seen["audit_non_hmac_request_keys"], json!(["a", "b"]));
    assert_eq!(
        (&seen["passthrough_request_headers"], &seen["allowed_response_headers"]),
        (&json!(["X-A"]), &json!(["X-B"]))
    );
    tune(&rig, json!({"default_lease_ttl": "system", "max_lease_ttl": ""})).await.unwrap();
    let seen = rig.get("sys/mounts/toy/tune", &rig.root).await.unwrap()["data"].clone();
    assert_eq!((&seen["default_lease_ttl"], &seen["description"]), (&json!(32 * 24 * 3600), &json!("d")));
    for wrong in [
        json!({"default_lease_ttl": "3h", "max_lease_ttl": "2h"}),
        json!({"default_lease_ttl": "100000h"}),
        json!({"default_lease_ttl": "soon"}),
        json!({"max_lease_ttl": -1}),
        json!({"force_no_cache": "perhaps"}),
        json!({"listing_visibility": "public"}),
        json!({"plugin_version": "v1"}),
        json!({"allowed_managed_keys": ["k"]}),
        json!({"token_type": "batch"}),
        json!({"user_lockout_config": {"lockout_threshold": "3"}}),
    ] {
        assert_eq!(tune(&rig, wrong.clone()).await.unwrap_err().0, Kind::BadRequest, "{wrong}");
        let made = rig.put("sys/mounts/second", &rig.root, json!({"type": "toy", "config": wrong})).await;
        assert_eq!(made.unwrap_err().0, Kind::BadRequest, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_are_seen_by_whoever_may_do_something_there() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put(
        "sys/mounts/second",
        &rig.root,
        json!({"type": "toy", "config": {"listing_visibility": "unauth"}}),
    )
    .await
    .unwrap();
    let weak = rig.allowed(r#"path "toy/a" { capabilities = ["read"] }"#).await;
    let seen = |answer: Answer| {
        let data = answer.unwrap()["data"].clone();
        let names = |kind: &str| data[kind].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        (names("secret"), names("auth"), data)
    };
    let (secret, auth, _) = seen(rig.get("sys/internal/ui/mounts", &weak).await);
    assert_eq!(secret, ["cubbyhole/", "second/", "toy/"]);
    assert_eq!(auth, ["token/"]);
    let bare = rig.token(json!({"policies": ["none"], "no_default_policy": true})).await;
    let (secret, auth, _) = seen(rig.get("sys/internal/ui/mounts", &bare).await);
    assert_eq!((secret, auth.len()), (vec!["second/".to_owned()], 0));
    let (secret, auth, data) = seen(rig.get("sys/internal/ui/mounts", "").await);
    assert_eq!((secret, auth.len()), (vec!["second/".to_owned()], 0));
    assert_eq!(data["secret"]["second/"], json!({"description": "", "options": {}, "type": "toy"}));
    // By path: the same answer for what is hidden and for what is not there.
    let of = async |path: &str| rig.get(&format!("sys/internal/ui/mounts/{path}"), &bare).await;
    assert_eq!(of("toy").await.unwrap_err(), of("none").await.unwrap_err());
    assert_eq!(rig.get("sys/internal/ui/mounts/toy/a", &weak).await.unwrap()["data"]["path"], "toy/");
}

/// What is in memory, and what the next start would read.
fn tables(rig: &Rig) -> [Vec<(String, String, String)>; 2] {
    let active = active(rig);
    let reader = active.system.at(active.snapshot().unwrap());
    let stored = MountTable::load(&reader, &active.barrier, active.kinds, &active.settings).unwrap();
    let shown = |table: &MountTable| {
        let all = table.all().into_iter();
        all.map(|mount| {
            let record = &mount.record;
            let by_id = table.by_id(record.id).unwrap();
            (record.path.clone(), record.id.to_string(), by_id.record.description.clone())
        })
        .collect()
    };
    [shown(&active.mounts.load()), shown(&stored)]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_in_memory_follows_each_change_as_if_it_were_read_again() {
    let rig = Rig::new().await;
    for (method, path, body) in [
        ("put", "sys/mounts/a", json!({"type": "toy"})),
        ("put", "sys/mounts/a-b", json!({"type": "toy", "description": "near"})),
        ("put", "sys/auth/a", json!({"type": "door"})),
        ("put", "sys/mounts/b/c", json!({"type": "toy"})),
        ("put", "sys/mounts/a/tune", json!({"description": "first"})),
        ("put", "sys/remount", json!({"from": "a", "to": "z"})),
        ("put", "sys/mounts/a", json!({"type": "toy", "description": "second"})),
        ("put", "sys/auth/a/tune", json!({"description": "a door"})),
        ("delete", "sys/mounts/z", Value::Null),
        ("delete", "sys/auth/a", Value::Null),
        ("delete", "sys/mounts/nothing", Value::Null),
    ] {
        match method {
            "put" => rig.put(path, &rig.root, body).await.unwrap(),
            _ => rig.delete(path, &rig.root).await.unwrap(),
        };
        let [memory, stored] = tables(&rig);
        assert_eq!(memory, stored, "{method} {path}");
    }
    let paths: Vec<String> = tables(&rig)[0].iter().map(|(path, ..)| path.clone()).collect();
    assert_eq!(paths, ["a-b/", "a/", "b/c/", "cubbyhole/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_a_path_is_found_at_its_own_mount_whatever_is_near_it_in_order() {
    let rig = Rig::new().await;
    // Around the slash in order stand '-' and '.' before it, '0' after it.
    for path in ["a", "a-b", "a.b", "a0", "b/c"] {
        rig.put(&format!("sys/mounts/{path}"), &rig.root, json!({"type": "toy"})).await.unwrap();
    }
    let mounts = active(&rig).mounts.load_full();
    for (path, found) in [
        ("a", Some(("a/", ""))),
        ("a/x", Some(("a/", "x"))),
        ("a/-", Some(("a/", "-"))),
        ("a/x/y", Some(("a/", "x/y"))),
        ("a-b/x", Some(("a-b/", "x"))),
        ("a-b", Some(("a-b/", ""))),
        ("a-c", None),
        ("a.b/0", Some(("a.b/", "0"))),
        ("a0", Some(("a0/", ""))),
        ("ab", None),
        ("a0b", None),
        ("b", None),
        ("b/c/d", Some(("b/c/", "d"))),
        ("b/d", None),
        ("", None),
    ] {
        let held = mounts.find(path).map(|(mount, rest)| (mount.record.path.as_str(), rest));
        assert_eq!(held, found, "{path}");
    }
    for (path, held) in [
        ("a/", Some("a/")),
        ("a/x/", Some("a/")),
        ("b/", Some("b/c/")),
        ("b/c/d/", Some("b/c/")),
        ("a-/", None),
        ("b/b/", None),
        ("c/", None),
    ] {
        assert_eq!(mounts.conflict(path), held, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: cargo test -p strongroom-core many_mounts -- --ignored --nocapture"]
#[allow(clippy::print_stdout, clippy::disallowed_methods)]
async fn many_mounts_and_policies_measured() {
    let most: usize = std::env::var("MANY").ok().and_then(|many| many.parse().ok()).unwrap_or(10_000);
    let rig = Rig::new().await;
    let began = std::time::Instant::now();
    for number in 0..most {
        rig.put(&format!("sys/mounts/team-{number}"), &rig.root, json!({"type": "toy"})).await.unwrap();
    }
    println!("{most} mounts enabled in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    for number in 0..most {
        let policy = format!("path \"team-{number}/*\" {{ capabilities = [\"read\"] }}");
        rig.put(&format!("sys/policies/acl/team-{number}"), &rig.root, json!({ "policy": policy }))
            .await
            .unwrap();
    }
    println!("{most} policies written in {:?}", began.elapsed());
}
