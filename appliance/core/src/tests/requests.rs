//! From a token to a secret and back.

use serde_json::json;
use strongroom_engine::Route;
use strongroom_store::MemoryStore;
use strongroom_store::faulty::{FaultyStore, Plan};
use strongroom_types::error::Kind;
use strongroom_types::request::{BodyError, BodySource};
use strongroom_types::{BoxFuture, Operation, Received, Request, Secret};

use crate::perform::Run;
use crate::testing::{Rig, ask, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_comes_back() {
    let rig = Rig::new().await;
    rig.mount().await;
    let token = rig
        .allowed(r#"path "toy/a/*" { capabilities = ["create", "read", "update", "delete", "list"] }"#)
        .await;
    rig.put("toy/a/b", &token, json!({"x": 1})).await.unwrap();
    assert_eq!(rig.get("toy/a/b", &token).await.unwrap()["data"], json!({"x": 1}));
    assert_eq!(rig.list("toy/a", &token).await.unwrap()["data"]["keys"], json!(["b"]));
    assert_eq!(rig.delete("toy/a/b", &token).await.unwrap(), json!(null));
    assert_eq!(rig.get("toy/a/b", &token).await, Err((Kind::NotFound, String::new())));
    assert_eq!(rig.list("toy/a", &token).await, Err((Kind::NotFound, String::new())));
    let (kind, text) = rig.get("toy/c", &token).await.unwrap_err();
    assert_eq!((kind, text.contains("permission denied")), (Kind::Denied, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn create_is_told_from_update() {
    let rig = Rig::new().await;
    rig.mount().await;
    let token = rig.allowed(r#"path "toy/*" { capabilities = ["create"] }"#).await;
    rig.put("toy/a", &token, json!({"x": 1})).await.unwrap();
    assert_eq!(rig.put("toy/a", &token, json!({"x": 2})).await.unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap()["data"]["x"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_only_to_whoever_may_ask() {
    let rig = Rig::new().await;
    let token = rig.token(json!({"policies": ["default"]})).await;
    let (kind, text) = rig.get("nothing/here", &rig.root).await.unwrap_err();
    assert_eq!(
        (kind, text.as_str()),
        (Kind::NotFound, "no handler for route \"nothing/here\". route entry not found.")
    );
    // C7: the same answer whether something is mounted or not.
    rig.mount().await;
    let told = rig.get("toy/a", &token).await.unwrap_err();
    assert_eq!(rig.get("nothing/here", &token).await.unwrap_err(), told);
    assert_eq!(rig.get("toy/a", "").await.unwrap_err(), rig.get("nothing/here", "").await.unwrap_err());
    assert_eq!(rig.get("toy/a", "hvs.made-up").await.unwrap_err().1, "permission denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_run_again_and_nothing_is_lost() {
    let rig = Rig::new().await;
    rig.mount().await;
    let all = (0..20).map(|_| {
        let (core, root) = (rig.core.clone(), rig.root.clone());
        tokio::spawn(async move {
            ask(&core, request(Operation::Update, "toy/count", &root, Some(json!({})))).await
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    assert_eq!(rig.get("toy/count", &rig.root).await.unwrap()["data"]["count"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_always_conflicts_is_given_up() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    rig.mount().await;
    store.plan(|plan| plan.conflicts = 10);
    rig.put("toy/count", &rig.root, json!({})).await.unwrap();
    store.plan(|plan| plan.conflicts = u64::MAX);
    assert_eq!(rig.put("toy/count", &rig.root, json!({})).await.unwrap_err().0, Kind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_space_reads_and_deletes_go_on() {
    let store = FaultyStore::new(MemoryStore::new(), Plan::default());
    let rig = Rig::over(store.clone()).await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let token = rig.token(json!({"policies": ["default"]})).await;
    store.plan(|plan| plan.full = true);
    assert_eq!(rig.put("toy/b", &rig.root, json!({"x": 1})).await.unwrap_err().0, Kind::NoSpace);
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap()["data"]["x"], 1);
    rig.delete("toy/a", &rig.root).await.unwrap();
    rig.put("auth/token/revoke", &rig.root, json!({"token": token})).await.unwrap();
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let rig = Rig::new().await;
    rig.mount().await;
    for name in ["a", "b", "c", "d"] {
        rig.put(&format!("toy/dir/{name}"), &rig.root, json!({"x": 1})).await.unwrap();
    }
    let keys = |answer: serde_json::Value| answer["data"]["keys"].clone();
    assert_eq!(keys(rig.list("toy/dir?after=a&limit=2", &rig.root).await.unwrap()), json!(["b", "c"]));
    assert_eq!(keys(rig.list("toy/dir?after=c", &rig.root).await.unwrap()), json!(["d"]));
    assert_eq!(rig.list("toy/dir?after=d", &rig.root).await.unwrap_err().0, Kind::NotFound);
    assert_eq!(keys(rig.list("toy/dir?limit=max", &rig.root).await.unwrap()).as_array().unwrap().len(), 4);
    assert_eq!(rig.list("toy/dir?limit=x", &rig.root).await.unwrap_err().0, Kind::BadRequest);
    // A policy's limit holds whatever is asked for.
    let token = rig.allowed(r#"path "toy/*" { capabilities = ["list"] pagination_limit = 1 }"#).await;
    assert_eq!(keys(rig.list("toy/dir?limit=3", &token).await.unwrap()), json!(["a"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_used_is_warned_of() {
    let rig = Rig::new().await;
    rig.mount().await;
    let body = json!({"paths": ["x"], "zebra": 1, "ant": 2});
    let answer = rig.put("sys/capabilities-self", &rig.root, body).await.unwrap();
    assert_eq!(answer["warnings"], json!(["Endpoint ignored these unrecognized parameters: [ant zebra]"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_for_whoever_sees_the_mount() {
    let rig = Rig::new().await;
    rig.mount().await;
    let help = |path: &'static str, token: String| {
        let core = rig.core.clone();
        async move { ask(&core, request(Operation::Help, path, &token, None)).await }
    };
    let token = rig.allowed(r#"path "toy/b" { capabilities = ["read"] }"#).await;
    assert!(help("toy/a", token.clone()).await.unwrap()["help"].as_str().unwrap().contains("An object."));
    assert!(help("sys/mounts", token.clone()).await.unwrap()["openapi"].is_object());
    let other = rig.token(json!({"policies": ["default"]})).await;
    // C7: a mount that is hidden is like one that is not there.
    let hidden = help("toy/a", other.clone()).await.unwrap_err();
    assert_eq!((hidden.0, help("nothing/a", other).await.unwrap_err()), (Kind::Denied, hidden.clone()));
    assert_eq!(help("toy/a", String::new()).await.unwrap_err().0, Kind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_bodies_are_bounded() {
    let rig = Rig::new().await;
    rig.mount().await;
    let deep = (0..200).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert_eq!(rig.put("toy/a", &rig.root, deep).await.unwrap_err().0, Kind::TooLarge);
    assert_eq!(rig.put("toy/a", &rig.root, json!("text")).await.unwrap_err().0, Kind::BadRequest);
    let huge = json!({ "key": "x".repeat(100_000) });
    assert_eq!(rig.put("sys/unseal", "", huge).await.unwrap_err().0, Kind::TooLarge);
    let many: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    assert_eq!(rig.put("toy/a", &rig.root, json!({ "x": many })).await.unwrap_err().0, Kind::TooLarge);
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap_err().0, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_are_made_tuned_and_removed() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    for (path, kind) in [
        ("toy", "toy"),
        ("toy/below", "toy"),
        ("sys/x", "toy"),
        ("cubbyhole/x", "toy"),
        ("new", "none"),
        ("new", "cubbyhole"),
    ] {
        let made = rig.put(&format!("sys/mounts/{path}"), &rig.root, json!({ "type": kind })).await;
        assert_eq!(made.unwrap_err().0, Kind::BadRequest, "{path} {kind}");
    }
    let tune = json!({"default_lease_ttl": "1h", "max_lease_ttl": "2h", "description": "d"});
    rig.put("sys/mounts/toy/tune", &rig.root, tune).await.unwrap();
    let tuned = rig.get("sys/mounts/toy/tune", &rig.root).await.unwrap()["data"].clone();
    assert_eq!((&tuned["default_lease_ttl"], &tuned["max_lease_ttl"]), (&json!(3600), &json!(7200)));
    let all = rig.get("sys/mounts", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(all.as_object().unwrap().keys().collect::<Vec<_>>(), ["cubbyhole/", "sys/", "toy/"]);
    let seen = rig.get("sys/internal/ui/mounts/toy/a", &rig.root).await.unwrap()["data"].clone();
    assert_eq!((&seen["path"], &seen["type"]), (&json!("toy/"), &json!("toy")));

    assert_eq!(rig.delete("sys/mounts/cubbyhole", &rig.root).await.unwrap_err().0, Kind::BadRequest);
    rig.delete("sys/mounts/toy", &rig.root).await.unwrap();
    rig.delete("sys/mounts/toy", &rig.root).await.unwrap();
    // A new mount at the same path is another one: nothing of the old one is in it.
    rig.mount().await;
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap_err().0, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn c15_a_policy_that_is_refused_changes_nothing() {
    let rig = Rig::new().await;
    rig.mount().await;
    let token = rig.allowed(r#"path "toy/*" { capabilities = ["list", "read"] }"#).await;
    for policy in ["", "path \"a\" {", "path \"a\" { capabilities = [\"fly\"] }"] {
        let stored = rig.put("sys/policies/acl/test", &rig.root, json!({ "policy": policy })).await;
        assert_eq!(stored.unwrap_err().0, Kind::BadRequest);
    }
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::NotFound);
    // A change counts from the next request on, for tokens that are there too.
    rig.put(
        "sys/policies/acl/TEST",
        &rig.root,
        json!({"policy": r#"path "toy/*" { capabilities = ["deny"] }"#}),
    )
    .await
    .unwrap();
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::Denied);
    rig.delete("sys/policies/acl/test", &rig.root).await.unwrap();
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("sys/policies/acl/test", &rig.root).await.unwrap_err().0, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_is_for_everybody_and_names_mounts_to_those_who_see_them() {
    let rig = Rig::new().await;
    rig.mount().await;
    let own = rig.get("sys/internal/specs/openapi", &rig.root).await.unwrap();
    assert!(own["paths"]["/toy/count"].is_object() && own["paths"]["/sys/init"].is_object());
    // The second time it is what was made for the first.
    for _ in 0..2 {
        let open = rig.get("sys/internal/specs/openapi", "").await.unwrap();
        assert!(open["paths"]["/toy/count"].is_null() && open["paths"]["/sys/mounts"].is_object());
        assert!(open["openapi"] == own["openapi"] && open["paths"]["/sys/init"] == own["paths"]["/sys/init"]);
    }
}

/// A body that must not be read.
struct Untouched;

impl BodySource for Untouched {
    fn read(&mut self, _: usize) -> BoxFuture<'_, Result<Secret, BodyError>> {
        panic!("the body was read")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c22_no_body_is_read_for_nobody() {
    let rig = Rig::new().await;
    rig.mount().await;
    let untouched = |token: &str| {
        let Request { head, .. } = request(Operation::Update, "toy/a", token, None);
        ask(&rig.core, Request { head, stage: Received { body: Box::new(Untouched) } })
    };
    for token in ["", "made-up", "hvs.made-up"] {
        assert_eq!(untouched(token).await.unwrap_err().0, Kind::Denied);
    }
    rig.core.seal();
    assert_eq!(untouched(&rig.root).await.unwrap_err().0, Kind::Sealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_the_routes_without_a_token_are_these() {
    let open = |table: &[Route<Run>]| -> Vec<&'static str> {
        table.iter().filter(|route| route.unauthenticated).map(|route| route.path).collect()
    };
    let own: Vec<_> = crate::sys::TABLES.iter().flat_map(|table| open(table)).collect();
    assert_eq!(
        own,
        [
            "internal/ui/mounts",
            "internal/ui/mounts/{path*}",
            "internal/specs/openapi",
            "generate-root/attempt",
            "wrapping/lookup"
        ]
    );
    assert!(crate::tokens::routes::TABLES.iter().flat_map(|table| open(table)).next().is_none());
    let always: Vec<_> = crate::always::ROUTES.iter().map(|route| route.path).collect();
    assert_eq!(always, ["init", "seal-status", "unseal", "health", "leader"]);
    let sudo = crate::sys::TABLES.iter().flat_map(|table| table.iter()).filter(|route| route.sudo);
    let sudo: Vec<_> = sudo.map(|route| route.path).collect();
    assert_eq!(
        sudo,
        [
            "remount",
            "auth/{path*}/tune",
            "auth/{path*}",
            "audit",
            "audit/{path*}",
            "seal",
            "step-down",
            "clock",
            "config/cors",
            "config/ui/headers",
            "config/ui/headers/{header}",
            "config/auditing/request-headers",
            "config/auditing/request-headers/{header}",
            "monitor",
            "plugins/catalog/{type}",
            "plugins/catalog/{type}/{name}",
            "host-info",
            "in-flight-req",
            "rotate",
            "rotate/keyring",
            "rekey/init",
            "rekey/update",
            "rekey/verify",
            "rekey-recovery-key/init",
            "rekey-recovery-key/update",
            "rekey-recovery-key/verify",
            "rotate/root",
            "rotate/root/init",
            "rotate/root/update",
            "rotate/root/verify",
            "rotate/recovery/init",
            "rotate/recovery/update",
            "rotate/recovery/verify",
            "rekey/backup",
            "rekey/recovery-key-backup",
            "rotate/root/backup",
            "rotate/recovery/backup",
            "generate-root-token/attempt",
            "generate-root-token/update",
            "generate-root/update",
            "leases",
            "leases/lookup/{prefix*}",
            "leases/revoke-prefix/{prefix*}",
            "leases/revoke-force/{prefix*}"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_writes_nothing() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": 1})).await.unwrap();
    let token = rig.allowed(r#"path "toy/*" { capabilities = ["read", "list"] }"#).await;
    let revision = rig.store.snapshot().unwrap().revision();
    for _ in 0..10 {
        rig.get("toy/a", &token).await.unwrap();
        rig.list("toy", &token).await.unwrap();
        rig.get("auth/token/lookup-self", &token).await.unwrap();
        rig.get("toy/b", &token).await.unwrap_err();
    }
    assert_eq!(rig.store.snapshot().unwrap().revision(), revision);
}

#[tokio::test(flavor = "multi_thread")]
async fn c4_a_deny_holds_for_every_verb_and_spelling() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/private/a", &rig.root, json!({"x": 1})).await.unwrap();
    let token = rig
        .allowed(
            r#"path "toy/*" { capabilities = ["create", "read", "update", "delete", "list"] }
               path "toy/private/*" { capabilities = ["deny"] }
               path "sys/policies/acl/*" { capabilities = ["read"] }
               path "sys/policies/acl/secret" { capabilities = ["deny"] }"#,
        )
        .await;
    for operation in [Operation::Read, Operation::List, Operation::Delete, Operation::Update] {
        let body = (operation == Operation::Update).then(|| json!({"x": 2}));
        let asked = ask(&rig.core, request(operation, "toy/private/a", &token, body)).await;
        assert_eq!(asked.unwrap_err().0, Kind::Denied, "{operation:?}");
    }
    assert_eq!(rig.list("toy/private", &token).await.unwrap_err().0, Kind::Denied);
    rig.put(
        "sys/policies/acl/secret",
        &rig.root,
        json!({"policy": "path \"a\" { capabilities = [\"read\"] }"}),
    )
    .await
    .unwrap();
    for spelling in ["secret", "SECRET", "Secret"] {
        let read = rig.get(&format!("sys/policies/acl/{spelling}"), &token).await;
        assert_eq!(read.unwrap_err().0, Kind::Denied, "{spelling}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_can_be_checked_and_set() {
    let rig = Rig::new().await;
    let set = |body: serde_json::Value| {
        let mut body = body;
        body["policy"] = json!(r#"path "a" { capabilities = ["read"] }"#);
        let (core, root) = (rig.core.clone(), rig.root.clone());
        async move { ask(&core, request(Operation::Update, "sys/policies/acl/p", &root, Some(body))).await }
    };
    assert_eq!(set(json!({"cas": 1})).await.unwrap_err().0, Kind::BadRequest);
    set(json!({"cas": 0})).await.unwrap();
    assert_eq!(set(json!({"cas": 0})).await.unwrap_err().0, Kind::BadRequest);
    set(json!({"cas": 1, "cas_required": true})).await.unwrap();
    assert_eq!(set(json!({})).await.unwrap_err().0, Kind::BadRequest);
    set(json!({"cas": 2})).await.unwrap();
    let read = rig.get("sys/policies/acl/p", &rig.root).await.unwrap()["data"].clone();
    assert_eq!((&read["version"], &read["cas_required"]), (&json!(3), &json!(true)));
    let old = rig
        .put("sys/policy/old", &rig.root, json!({"rules": "path \"a\" { policy = \"read\" }"}))
        .await
        .unwrap();
    assert_eq!(old["warnings"], json!(["'rules' is deprecated, please use 'policy' instead"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_taken_where_json_is_and_checked_as_json_is() {
    let rig = Rig::new().await;
    rig.mount().await;
    let post = |path: &str, token: &str, kind: &str, body: &str| {
        let mut request = request(Operation::Update, path, token, None);
        request.head.content_type = Some(kind.to_owned());
        request.stage.body = Box::new(body.as_bytes().to_vec());
        request
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    ask(&rig.core, post("toy/a", &rig.root, FORM, "x=a+b&y=%7B1%7D")).await.unwrap();
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap()["data"], json!({"x": "a b", "y": "{1}"}));
    // What curl says of JSON, and what it is.
    ask(&rig.core, post("toy/a", &rig.root, FORM, " {\"x\": 2}")).await.unwrap();
    assert_eq!(rig.get("toy/a", &rig.root).await.unwrap()["data"], json!({"x": 2}));
    let (kind, text) = ask(&rig.core, post("toy/a", &rig.root, FORM, "x=%ff")).await.unwrap_err();
    assert_eq!((kind, text.contains("form")), (Kind::BadRequest, true));
    // Of another kind it is JSON that is none.
    for kind in ["text/plain", "multipart/form-data"] {
        assert_eq!(
            ask(&rig.core, post("toy/a", &rig.root, kind, "x=1")).await.unwrap_err().0,
            Kind::BadRequest
        );
    }
    // The access list sees the fields of a form as it sees those of JSON.
    let token = rig
        .allowed(
            r#"path "toy/*" { capabilities = ["create", "update"] denied_parameters = { "x" = ["1"] } }"#,
        )
        .await;
    assert_eq!(ask(&rig.core, post("toy/b", &token, FORM, "x=1")).await.unwrap_err().0, Kind::Denied);
    ask(&rig.core, post("toy/b", &token, FORM, "x=2")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn help_for_all_that_is_mounted_somewhere() {
    let rig = Rig::new().await;
    rig.mount().await;
    let help =
        async |path: &str, token: &str| ask(&rig.core, request(Operation::Help, path, token, None)).await;
    for path in ["toy", "toy/"] {
        let told = help(path, &rig.root).await.unwrap();
        assert!(told["help"].as_str().unwrap().contains("\n    /toy/"), "{told}");
        assert!(!told["openapi"]["paths"].as_object().unwrap().is_empty());
    }
    for path in ["sys", "auth/token"] {
        let told = help(path, &rig.token(json!({"policies": ["default"]})).await).await.unwrap();
        assert!(told["help"].as_str().unwrap().contains(&format!("\n    /{path}/")), "{told}");
    }
    // C7: whoever has nothing to do with the mount is not told whether there is one.
    let token = rig.token(json!({"policies": ["default"]})).await;
    assert_eq!(help("toy", &token).await.unwrap_err(), help("none", &token).await.unwrap_err());
    assert_eq!(help("toy", "").await.unwrap_err(), help("none", "").await.unwrap_err());
}
