//! Wrapped answers: what is put by, and that it is had once.

use serde_json::{Value, json};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::lifecycle::State;
use crate::testing::{Answer, Rig, ask, request};

const INVALID: &str = "wrapping token is not valid or does not exist";

/// A request whose answer is to be wrapped for a minute.
async fn wrap(rig: &Rig, operation: Operation, path: &str, token: &str, body: Option<Value>) -> Answer {
    let mut asked = request(operation, path, token, body);
    asked.head.wrap_ttl = Some(60);
    ask(&rig.core, asked).await
}

/// A secret, wrapped by root: the token that opens it.
async fn wrapped(rig: &Rig) -> String {
    token_of(wrap(rig, Operation::Read, "toy/a", &rig.root, None).await)
}

fn token_of(answer: Answer) -> String {
    answer.unwrap()["wrap_info"]["token"].as_str().unwrap().to_owned()
}

async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("toy/a", &rig.root, json!({"x": "secret"})).await.unwrap();
    rig
}

async fn unwrap(rig: &Rig, asker: &str, token: &str) -> Answer {
    rig.put("sys/wrapping/unwrap", asker, json!({ "token": token })).await
}

fn is_invalid(answer: Answer) {
    assert_eq!(answer.unwrap_err(), (Kind::BadRequest, INVALID.into()));
}

/// Records that wrapping has left: of tokens and of their answers.
fn left(rig: &Rig) -> usize {
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    let mut left = 0;
    let root = strongroom_barrier::Name::new(Vec::<String>::new()).unwrap();
    for view in [&active.tokens.view, &active.cubbyholes] {
        let count = &mut |_: &[String]| {
            left += 1;
            true
        };
        view.at(active.snapshot().unwrap()).walk(&root, count).unwrap();
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_put_by_and_had_once() {
    let rig = rig().await;
    let before = left(&rig);
    let answer = wrap(&rig, Operation::Read, "toy/a", &rig.root, None).await.unwrap();
    assert_eq!(answer["data"], Value::Null);
    let info = &answer["wrap_info"];
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(60), &json!("toy/a")));
    let token = info["token"].as_str().unwrap();
    // As its own asker, or named by somebody who may.
    let own = rig.put("sys/wrapping/unwrap", token, json!({})).await.unwrap();
    assert_eq!(own["data"]["x"], "secret");
    assert!(own["first_id"].is_string());
    is_invalid(rig.put("sys/wrapping/unwrap", token, json!({})).await);
    let other = rig.token(json!({"policies": ["default"]})).await;
    let token = wrapped(&rig).await;
    assert_eq!(unwrap(&rig, &other, &token).await.unwrap()["data"]["x"], "secret");
    is_invalid(unwrap(&rig, &other, &token).await);
    rig.put("auth/token/revoke", &rig.root, json!({ "token": other })).await.unwrap();
    assert_eq!(left(&rig), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn c8_a_thousand_unwrap_and_one_succeeds() {
    let rig = rig().await;
    for way in ["body", "header", "both", "rewrap"] {
        let token = wrapped(&rig).await;
        let all = (0..1000).map(|number| {
            let (core, root, token) = (rig.core.clone(), rig.root.clone(), token.clone());
            let own = way == "header" || (way == "both" && number % 2 == 0);
            let path = if way == "rewrap" && number % 2 == 0 { "rewrap" } else { "unwrap" };
            let path = format!("sys/wrapping/{path}");
            tokio::spawn(async move {
                let (asker, body) =
                    if own { (&token, json!({})) } else { (&root, json!({ "token": token })) };
                ask(&core, request(Operation::Update, &path, asker, Some(body))).await
            })
        });
        let mut opened = 0;
        for one in all.collect::<Vec<_>>() {
            match one.await.unwrap() {
                Ok(_) => opened += 1,
                Err((kind, text)) => {
                    // Whoever asks with the token itself is always told.
                    let denied = way != "header" && kind == Kind::Denied && text == "permission denied";
                    assert!(denied || text == INVALID, "{way}: {kind:?} {text}");
                }
            }
        }
        assert_eq!(opened, 1, "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_it_up_does_not_use_it_up() {
    let rig = rig().await;
    let token = wrapped(&rig).await;
    for _ in 0..3 {
        // By nobody, by its own, by the header alone.
        for (asker, body) in
            [("", json!({ "token": token })), (&token, json!({})), (&rig.root, json!({ "token": token }))]
        {
            let seen = rig.put("sys/wrapping/lookup", asker, body).await.unwrap()["data"].clone();
            assert_eq!((&seen["creation_path"], &seen["creation_ttl"]), (&json!("toy/a"), &json!(60)));
        }
        rig.get("sys/wrapping/lookup", &token).await.unwrap();
    }
    unwrap(&rig, &rig.root, &token).await.unwrap();
    is_invalid(rig.put("sys/wrapping/lookup", "", json!({ "token": token })).await);
    is_invalid(rig.put("sys/wrapping/lookup", "", json!({})).await);
    is_invalid(rig.put("sys/wrapping/lookup", &rig.root, json!({ "token": rig.root })).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_wrapping_token_opens_anything_and_nothing_else() {
    let rig = rig().await;
    let plain = rig.token(json!({"policies": ["default"]})).await;
    is_invalid(unwrap(&rig, &rig.root, &plain).await);
    is_invalid(unwrap(&rig, &rig.root, "hvs.nothing").await);
    is_invalid(rig.put("sys/wrapping/unwrap", &plain, json!({})).await);
    is_invalid(rig.put("sys/wrapping/unwrap", "s.nothing", json!({})).await);
    // Whoever names one has to be somebody.
    let token = wrapped(&rig).await;
    for nobody in ["", "s.nothing"] {
        assert_eq!(
            unwrap(&rig, nobody, &token).await.unwrap_err(),
            (Kind::Denied, "permission denied".into())
        );
    }
    // One wrapping token does not open another, and is used up by the attempt.
    let other = wrapped(&rig).await;
    is_invalid(unwrap(&rig, &other, &token).await);
    is_invalid(rig.put("sys/wrapping/unwrap", &other, json!({})).await);
    // Elsewhere it may nothing: neither read what it opens nor keep itself alive.
    for (path, kind) in
        [("toy/a", Kind::Denied), ("cubbyhole/response", Kind::Denied), ("cubbyhole/wrapped", Kind::Denied)]
    {
        let token = wrapped(&rig).await;
        assert_eq!(rig.get(path, &token).await.unwrap_err().0, kind, "{path}");
        is_invalid(unwrap(&rig, &rig.root, &token).await);
    }
    let renewed = rig.put("auth/token/renew", &rig.root, json!({ "token": token })).await;
    assert_eq!(renewed.unwrap_err().1, "lease is not renewable");
    unwrap(&rig, &rig.root, &token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_it_ends_with_its_time() {
    let rig = rig().await;
    let before = left(&rig);
    let token = wrapped(&rig).await;
    rig.clock.advance(60);
    is_invalid(unwrap(&rig, &rig.root, &token).await);
    is_invalid(rig.put("sys/wrapping/lookup", "", json!({ "token": token })).await);
    rig.clock.advance(120);
    let State::Active(active) = &*rig.core.state() else { panic!("sealed") };
    while crate::sweep::sweep(active).await.unwrap() == crate::sweep::Swept::Some {}
    assert_eq!(left(&rig), before);
    // No longer than anything lives.
    let mut asked = request(Operation::Read, "toy/a", &rig.root, None);
    asked.head.wrap_ttl = Some(u64::MAX);
    let answer = ask(&rig.core, asked).await.unwrap();
    assert_eq!(answer["wrap_info"]["ttl"], 32 * 24 * 3600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_wrapped_with_what_made_it() {
    let rig = rig().await;
    let wish = Some(json!({"policies": ["default"], "ttl": "10m"}));
    let made = wrap(&rig, Operation::Update, "auth/token/create", &rig.root, wish).await.unwrap();
    assert_eq!(made["auth"], Value::Null);
    let opened = unwrap(&rig, &rig.root, made["wrap_info"]["token"].as_str().unwrap()).await.unwrap();
    assert_eq!(opened["auth"]["accessor"], made["wrap_info"]["wrapped_accessor"]);
    rig.get("auth/token/lookup-self", opened["auth"]["client_token"].as_str().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrapped_anew_it_keeps_its_path_and_its_time() {
    let rig = rig().await;
    let old = wrapped(&rig).await;
    rig.clock.advance(50);
    let answer = rig.put("sys/wrapping/rewrap", &rig.root, json!({ "token": old })).await;
    let again = answer.as_ref().unwrap()["wrap_info"].clone();
    assert_eq!((&again["ttl"], &again["creation_path"]), (&json!(60), &json!("toy/a")));
    is_invalid(unwrap(&rig, &rig.root, &old).await);
    rig.clock.advance(50);
    assert_eq!(unwrap(&rig, &rig.root, &token_of(answer)).await.unwrap()["data"]["x"], "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_nothing_are_not_wrapped() {
    let rig = rig().await;
    let before = left(&rig);
    let root = &rig.root;
    assert_eq!(wrap(&rig, Operation::Read, "toy/none", root, None).await.unwrap_err().0, Kind::NotFound);
    assert_eq!(wrap(&rig, Operation::List, "toy/none", root, None).await.unwrap_err().0, Kind::NotFound);
    assert_eq!(wrap(&rig, Operation::Read, "none/x", root, None).await.unwrap_err().0, Kind::NotFound);
    assert_eq!(
        wrap(&rig, Operation::Update, "toy/b", root, Some(json!({"x": 1}))).await.unwrap(),
        Value::Null
    );
    // Nor what nobody asked for: a stranger has nothing stored.
    assert!(
        wrap(&rig, Operation::Read, "sys/internal/ui/mounts", "", None).await.unwrap()["data"].is_object()
    );
    // What has a form of its own has no place in the envelope.
    assert_eq!(
        wrap(&rig, Operation::Read, "sys/internal/specs/openapi", root, None).await.unwrap_err().0,
        Kind::BadRequest
    );
    let bare = rig.put("sys/wrapping/wrap", root, json!({"a": 1})).await.unwrap_err();
    assert_eq!(bare.1, "endpoint requires response wrapping to be used");
    assert_eq!(left(&rig), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_demands_wrapping_gets_it() {
    let rig = rig().await;
    let token = rig
        .allowed(
            r#"path "toy/*" { capabilities = ["read"] min_wrapping_ttl = "30s" max_wrapping_ttl = "90s" }"#,
        )
        .await;
    assert_eq!(rig.get("toy/a", &token).await.unwrap_err().0, Kind::Denied);
    for (ttl, granted) in [(29, false), (30, true), (90, true), (91, false)] {
        let mut asked = request(Operation::Read, "toy/a", &token, None);
        asked.head.wrap_ttl = Some(ttl);
        assert_eq!(ask(&rig.core, asked).await.is_ok(), granted, "{ttl}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_shows_the_token_of_a_wrapped_answer_hashed_and_the_answer_not_at_all() {
    let rig = rig().await;
    let answer = wrap(&rig, Operation::Read, "toy/a", &rig.root, None).await.unwrap();
    let line = rig.lines().pop().unwrap();
    let info = &line["response"]["wrap_info"];
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(60), &json!("toy/a")));
    assert!(info["token"].as_str().unwrap().starts_with("hmac-sha256:"));
    assert!(line["response"]["data"].is_null());
    assert_eq!(line["request"]["wrap_ttl"], 60);
    let token = answer["wrap_info"]["token"].as_str().unwrap();
    unwrap(&rig, &rig.root, token).await.unwrap();
    assert!(
        rig.lines()
            .iter()
            .all(|line| !line.to_string().contains(token) && !line.to_string().contains("\"secret\":"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_the_policy_of_wrapping_is_nobody_elses() {
    let rig = rig().await;
    let listed = rig.list("sys/policies/acl", &rig.root).await.unwrap()["data"]["keys"].clone();
    assert!(!listed.as_array().unwrap().contains(&json!("response-wrapping")));
    let text = r#"path "*" { capabilities = ["read"] }"#;
    let answer = rig.put("sys/policies/acl/response-wrapping", &rig.root, json!({ "policy": text })).await;
    assert_eq!(answer.unwrap_err().0, Kind::BadRequest);
    let answer = rig.delete("sys/policies/acl/response-wrapping", &rig.root).await;
    assert_eq!(answer.unwrap_err().0, Kind::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_wrapped_is_refused_before_anything_happens() {
    const OWN_FORM: &str = "this answer has a form of its own and cannot be wrapped";
    let rig = rig().await;
    let refused = async |operation, path: &str, token: &str, body: Value| {
        let refusal = wrap(&rig, operation, path, token, Some(body)).await.unwrap_err();
        assert_eq!(refusal, (Kind::BadRequest, OWN_FORM.into()), "{path}");
    };
    let shown = async |path: &str| rig.get(path, &rig.root).await.unwrap();

    let root = "sys/generate-root/attempt";
    refused(Operation::Update, root, &rig.root, json!({})).await;
    refused(Operation::Update, root, "", json!({"key": rig.keys[0]})).await;
    assert_eq!(shown(root).await["started"], false, "nobody has its pad");
    let begun = rig.put(root, &rig.root, json!({})).await.unwrap();
    let share = json!({"key": rig.keys[0], "nonce": begun["nonce"]});
    for path in [root, "sys/generate-root/update"] {
        refused(Operation::Update, path, &rig.root, share.clone()).await;
    }
    refused(Operation::Delete, root, &rig.root, json!({})).await;
    assert_eq!((&shown(root).await["started"], &shown(root).await["progress"]), (&json!(true), &json!(0)));

    let wish = json!({"secret_shares": 1, "secret_threshold": 1, "require_verification": true});
    refused(Operation::Update, "sys/rekey/init", &rig.root, wish.clone()).await;
    assert_eq!(shown("sys/rekey/init").await["started"], false);
    let nonce = rig.put("sys/rekey/init", &rig.root, wish).await.unwrap()["nonce"].clone();
    let share = |number: usize| json!({"key": rig.keys[number], "nonce": nonce});
    refused(Operation::Update, "sys/rekey/update", &rig.root, share(0)).await;
    assert_eq!(shown("sys/rekey/init").await["progress"], 0);
    rig.put("sys/rekey/update", &rig.root, share(0)).await.unwrap();
    refused(Operation::Update, "sys/rekey/update", &rig.root, share(1)).await;
    assert_eq!(shown("sys/rekey/init").await["verification_nonce"], "", "nobody has the new shares");
    let made = rig.put("sys/rekey/update", &rig.root, share(1)).await.unwrap();
    let read_back = json!({"key": made["keys"][0], "nonce": made["verification_nonce"]});
    refused(Operation::Update, "sys/rekey/verify", &rig.root, read_back.clone()).await;
    refused(Operation::Delete, "sys/rekey/verify", &rig.root, json!({})).await;
    assert_eq!(shown("sys/rekey/verify").await["nonce"], made["verification_nonce"]);
    assert_eq!(rig.put("sys/rekey/verify", &rig.root, read_back).await.unwrap()["complete"], true);

    // Whoever may not is told that first; by its newer name the answer has an envelope, and is put by.
    let weak = rig.token(json!({"policies": ["default"]})).await;
    let refusal = wrap(&rig, Operation::Update, "sys/rekey/init", &weak, Some(json!({}))).await.unwrap_err();
    assert_eq!(refusal.0, Kind::Denied);
    rig.delete(root, &rig.root).await.unwrap();
    let newer = "sys/generate-root-token/attempt";
    let token = token_of(wrap(&rig, Operation::Update, newer, &rig.root, Some(json!({}))).await);
    let opened = unwrap(&rig, &rig.root, &token).await.unwrap();
    assert_eq!((&opened["data"]["started"], opened["data"]["otp"] != ""), (&json!(true), true));
}
