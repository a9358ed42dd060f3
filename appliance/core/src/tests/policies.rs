//! Policies that are stored.

use serde_json::json;
use strongroom_barrier::Write;
use strongroom_store::Batch;
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::lifecycle::State;
use crate::policies::{PolicyRecord, name_of};
use crate::testing::{Rig, START, ask, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_policy_that_is_none_denies_its_holders_everything_and_nobody_else() {
    let mut rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let text = r#"path "toy/*" { capabilities = ["read"] }"#;
    for name in ["broken", "good"] {
        rig.put(&format!("sys/policies/acl/{name}"), &rig.root, json!({ "policy": text })).await.unwrap();
    }
    let good = rig.token(json!({"policies": ["good"]})).await;
    let both = rig.token(json!({"policies": ["good", "broken"]})).await;
    // As an older version may have stored it, which did not know better.
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    let text = r#"path "toy//a" { capabilities = ["deny"] }"#.to_owned();
    let record = PolicyRecord { text: text.clone(), ..PolicyRecord::first(START) };
    let mut batch = Batch::default();
    let write = Write::put(name_of("broken").unwrap(), serde_json::to_vec(&record).unwrap());
    active.system.seal(&write, &mut batch).unwrap();
    rig.store.commit(batch).await.unwrap();
    rig.restart();
    rig.unseal().await;
    assert_eq!(rig.get("toy/a", &good).await.unwrap()["data"]["x"], 1);
    for path in ["toy/a", "auth/token/lookup-self"] {
        assert_eq!(rig.get(path, &both).await.unwrap_err().0, Kind::Denied, "{path}");
    }
    // It is there to be seen and mended.
    let names = rig.list("sys/policies/acl", &rig.root).await.unwrap()["data"]["keys"].clone();
    assert!(names.as_array().unwrap().contains(&json!("broken")));
    assert_eq!(rig.get("sys/policies/acl/broken", &rig.root).await.unwrap()["data"]["policy"], text);
    rig.put("sys/policies/acl/broken", &rig.root, json!({"policy": r#"path "b" {}"#})).await.unwrap();
    assert_eq!(rig.get("toy/a", &both).await.unwrap()["data"]["x"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_refused_is_not_in_the_log() {
    let rig = Rig::new().await;
    let policy = r#"path "s3cret" { capabilities = ["s3cret"] }"#;
    rig.put("sys/policies/acl/p", &rig.root, json!({ "policy": policy })).await.unwrap_err();
    let lines = rig.sink.lines();
    assert!(lines.iter().any(|line| line.contains("failed to parse policy")));
    assert!(lines.iter().all(|line| !line.contains("s3cret")));
}

#[tokio::test(flavor = "multi_thread")]
async fn c3_capabilities_of_any_spelling_are_those_of_the_canonical_path() {
    let rig = Rig::new().await;
    let policy = r#"
        path "sys/policies/acl/*" { capabilities = ["read"] }
        path "sys/policies/acl/kept" { capabilities = ["deny"] }
        path "*" { capabilities = ["list"] }
    "#;
    let token = rig
        .allowed(&format!("{policy}\npath \"sys/capabilities-self\" {{ capabilities = [\"update\"] }}"))
        .await;
    let paths = [
        "sys/policies/acl/kept",
        "sys/policies/acl/KEPT",
        "/sys/policies/acl/Kept",
        "sys/policies/acl/Other",
    ];
    let told = rig.put("sys/capabilities-self", &token, json!({ "paths": paths })).await.unwrap();
    for (path, held) in paths.iter().zip(["deny", "deny", "deny", "read"]) {
        assert_eq!(told["data"][*path], json!([held]), "{path}");
    }
    // No request can have these: nothing is granted, though the policy allows a list of anything.
    for path in
        ["sys//policies", "//sys", "a/../b", "./a", "a\u{0}b", "a\\b", "cafe\u{301}", &"x/".repeat(300)]
    {
        let told = rig.put("sys/capabilities-self", &token, json!({ "paths": [path] })).await.unwrap();
        assert_eq!(told["data"]["capabilities"], json!(["deny"]), "{path:?}");
    }
    let told =
        rig.put("sys/capabilities-self", &token, json!({ "paths": ["toy/a/", "toy/a"] })).await.unwrap();
    assert_eq!((&told["data"]["toy/a/"], &told["data"]["toy/a"]), (&json!(["list"]), &json!(["list"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_counts_as_it_is_from_the_moment_in_which_it_changes() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let write = async |name: &str, says: &str| {
        let policy = format!("path \"toy/a\" {{ capabilities = [\"{says}\"] }}");
        rig.put(&format!("sys/policies/acl/{name}"), &rig.root, json!({ "policy": policy })).await.unwrap();
    };
    let token = rig.token(json!({"policies": ["one", "two"]})).await;
    let reads = async || rig.get("toy/a", &token).await.is_ok();
    assert!(!reads().await);
    write("one", "read").await;
    assert!(reads().await);
    write("two", "deny").await;
    assert!(!reads().await);
    write("other", "deny").await;
    rig.delete("sys/policies/acl/two", &rig.root).await.unwrap();
    assert!(reads().await);
    rig.delete("sys/policies/acl/one", &rig.root).await.unwrap();
    assert!(!reads().await);
    let names = rig.list("sys/policies/acl", &rig.root).await.unwrap()["data"]["keys"].clone();
    assert_eq!(names, json!(["default", "other", "root"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_is_told_all_that_its_user_may_do_and_nobody_else() {
    let rig = Rig::new().await;
    let policy = r#"
        path "toy/*" { capabilities = ["read", "list"] }
        path "toy/a" { capabilities = ["deny"] }
        path "toy/+/b" { capabilities = ["update"] }
    "#;
    let token = rig.allowed(policy).await;
    let told = rig.get("sys/internal/ui/resultant-acl", &token).await.unwrap()["data"].clone();
    assert_eq!(told["root"], false);
    assert_eq!(told["exact_paths"]["toy/a"], json!({"capabilities": ["deny"]}));
    assert_eq!(told["glob_paths"]["toy/"], json!({"capabilities": ["list", "read"]}));
    assert_eq!(told["glob_paths"]["toy/+/b"], json!({"capabilities": ["update"]}));
    let told = rig.get("sys/internal/ui/resultant-acl", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(told, json!({"root": true}));
    assert_eq!(rig.get("sys/internal/ui/resultant-acl", "").await.unwrap_err().0, Kind::Denied);
    let console = rig.allowed(r#"path "sys/internal/ui/namespaces" { capabilities = ["read"] }"#).await;
    assert_eq!(rig.get("sys/internal/ui/namespaces", &console).await.unwrap()["data"]["keys"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sets_of_policies_than_are_kept_compiled_all_decide_as_they_say() {
    let rig = Rig::new().await;
    rig.allowed(r#"path "toy/a" { capabilities = ["read"] }"#).await;
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    for round in 0..2 {
        for number in 0..2100 {
            let other = format!("other-{number}");
            let held = |names: &[&str]| {
                let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
                active.policies.acl(&names).capabilities("toy/a", START)
            };
            assert_eq!(held(&[&other, "test"]), ["read"], "{round}: {number}");
            assert_eq!(held(&[&other]), ["deny"], "{round}: {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_a_policy_counts_until_it_ends() {
    let mut rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let text = r#"path "toy/*" { capabilities = ["read"] }"#;
    let place = "sys/policies/acl/short";
    let end = START.secs() + 7200;
    let at = strongroom_types::Timestamp::from_secs(end).to_string();
    for (wish, secs) in
        [(json!({"policy": text, "ttl": "1h"}), 3600), (json!({"policy": text, "expiration": at}), 3600)]
    {
        rig.put(place, &rig.root, wish.clone()).await.unwrap();
        let token = rig.token(json!({"policies": ["short"]})).await;
        let shown = rig.get(place, &rig.root).await.unwrap();
        assert!(shown["data"]["expiration"].is_string(), "{shown}");
        rig.clock.advance(secs - 1);
        rig.restart();
        rig.unseal().await;
        rig.get("toy/a", &token).await.unwrap();
        rig.clock.advance(1);
        assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::Denied, "{wish}");
        // Without an end it counts again.
        rig.put(place, &rig.root, json!({ "policy": text })).await.unwrap();
        rig.get("toy/a", &token).await.unwrap();
    }
    for wrong in [
        json!({"policy": text, "ttl": "-1h"}),
        json!({"policy": text, "expiration": "2001-01-01T00:00:00Z"}),
        json!({"policy": text, "expiration": "soon"}),
        json!({"policy": text, "ttl": "1h", "expiration": "2100-01-01T00:00:00Z"}),
    ] {
        assert_eq!(
            rig.put(place, &rig.root, wrong.clone()).await.unwrap_err().0,
            Kind::BadRequest,
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_listed_by_the_page() {
    let rig = Rig::new().await;
    for name in ["a", "b", "c"] {
        rig.put(&format!("sys/policies/acl/{name}"), &rig.root, json!({"policy": ""})).await.unwrap_err();
        let text = r#"path "x" { capabilities = ["read"] }"#;
        rig.put(&format!("sys/policies/acl/{name}"), &rig.root, json!({ "policy": text })).await.unwrap();
    }
    for place in ["sys/policies/acl", "sys/policy"] {
        let keys = |answer: crate::testing::Answer| answer.unwrap()["data"]["keys"].clone();
        assert_eq!(keys(rig.list(&format!("{place}?after=a&limit=2"), &rig.root).await), json!(["b", "c"]));
        assert_eq!(keys(rig.list(place, &rig.root).await), json!(["a", "b", "c", "default", "root"]));
    }
}

/// What is enforced is what is told, by each that asks: until a stanza ends, and from then on.
#[tokio::test(flavor = "multi_thread")]
async fn c3_what_a_passing_stanza_grants_is_told_while_it_does_and_not_after() {
    let end = START.plus_secs(3600);
    let own = format!(
        "path \"toy/*\" {{ capabilities = [\"read\"] expiration = \"{end}\" }}
         path \"auth/token/create\" {{ capabilities = [\"update\", \"sudo\"] expiration = \"{end}\" }}
         path \"auth/token/create\" {{ capabilities = [\"update\"] }}
         path \"sys/leases/lookup\" {{ capabilities = [\"list\"] }}
         path \"sys/leases/lookup/\" {{ capabilities = [\"list\", \"sudo\"] expiration = \"{end}\" }}"
    );
    let all = r#"path "toy/*" { capabilities = ["read"] }
        path "auth/token/create" { capabilities = ["update", "sudo"] }
        path "sys/leases/lookup" { capabilities = ["list", "sudo"] }"#;
    // Each stanza its own end, or one end for all of the policy.
    for policy in [json!({ "policy": own }), json!({ "policy": all, "ttl": "1h" })] {
        let rig = Rig::new().await;
        rig.mount().await;
        rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
        rig.put("sys/policies/acl/passing", &rig.root, policy.clone()).await.unwrap();
        let token = rig.token(json!({"policies": ["passing"], "ttl": "10h"})).await;
        let own_accessor =
            rig.get("auth/token/lookup-self", &token).await.unwrap()["data"]["accessor"].clone();
        let told = async || {
            let path = "toy/a";
            let by = [
                ("sys/capabilities-self", &token, json!({ "path": path })),
                ("sys/capabilities", &rig.root, json!({ "path": path, "token": token })),
                ("sys/capabilities-accessor", &rig.root, json!({ "path": path, "accessor": own_accessor })),
            ];
            let mut told = Vec::new();
            for (place, asker, body) in by {
                told.push(rig.put(place, asker, body).await.unwrap()["data"][path][0] == "read");
            }
            told.push(rig.get("sys/internal/ui/mounts/toy/a", &token).await.is_ok());
            let mounts = rig.get("sys/internal/ui/mounts", &token).await.unwrap();
            told.push(mounts["data"]["secret"]["toy/"].is_object());
            told.push(ask(&rig.core, request(Operation::Help, "toy/a", &token, None)).await.is_ok());
            told.push(rig.get("toy/a", &token).await.is_ok());
            // These ask for sudo without their routes saying so.
            let periodic = json!({"period": "1h", "policies": ["default"]});
            told.push(rig.put("auth/token/create", &token, periodic).await.is_ok());
            told.push(rig.list("sys/leases/lookup", &token).await.is_ok());
            told
        };
        assert_eq!(told().await, [true; 9], "{policy}");
        rig.clock.advance(3600);
        assert_eq!(told().await, [false; 9], "{policy}");
    }
}

/// Names that are the same in any case are so in a policy too, and no other name is.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_89322_a_policy_means_a_name_in_any_case_where_its_route_does() {
    let rig = Rig::new().await;
    rig.mount().await;
    for name in ["myapp", "other"] {
        let text = r#"path "x" { capabilities = ["read"] }"#;
        rig.put(&format!("sys/policies/acl/{name}"), &rig.root, json!({ "policy": text })).await.unwrap();
    }
    for path in ["toy/MyApp", "toy/myapp"] {
        rig.put(path, &rig.root, json!({"x": 1})).await.unwrap();
    }
    let told = async |token: &str, path: &str| {
        let told = rig.put("sys/capabilities-self", token, json!({ "path": path })).await.unwrap();
        told["data"]["capabilities"].clone()
    };
    let denies = r#"path "sys/policies/acl/*" { capabilities = ["read"] }
        path "sys/policies/acl/MyApp" { capabilities = ["deny"] }
        path "toy/*" { capabilities = ["read"] }
        path "toy/MyApp" { capabilities = ["deny"] }"#;
    let grants = r#"path "sys/policies/acl/MyApp" { capabilities = ["read"] }
        path "toy/MyApp" { capabilities = ["read"] }"#;
    for (policy, of_name, of_others) in [(denies, false, true), (grants, true, false)] {
        rig.put("sys/policies/acl/case", &rig.root, json!({ "policy": policy })).await.unwrap();
        let token = rig.token(json!({"policies": ["case"]})).await;
        for (path, may) in [
            ("sys/policies/acl/MyApp", of_name),
            ("sys/policies/acl/myapp", of_name),
            ("sys/policies/acl/MYAPP", of_name),
            ("sys/policies/acl/other", of_others),
            ("sys/policies/acl/OTHER", of_others),
            // This route's names are as they are written.
            ("toy/MyApp", of_name),
            ("toy/myapp", of_others),
        ] {
            let answer = rig.get(path, &token).await;
            assert_eq!(
                answer.as_ref().err().map(|(kind, _)| *kind),
                (!may).then_some(Kind::Denied),
                "{path}"
            );
            assert_eq!(told(&token, path).await, json!([if may { "read" } else { "deny" }]), "{path}");
        }
    }
}
