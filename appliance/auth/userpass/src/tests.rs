use serde_json::{Value, json};
use strongroom_engine::testing::Mount;

use super::*;

fn mount() -> Mount {
    Mount::new(&METHOD.engine, &[])
}

fn login(mount: &Mount, user: &str, password: &str) -> (u16, Value) {
    let answer = mount.post(&format!("login/{user}"), json!({ "password": password }));
    (answer.status, answer.body)
}

#[test]
fn whoever_knows_the_password_logs_in() {
    let mount = mount();
    mount
        .post("users/ann", json!({"password": "pw", "token_policies": "B,a", "token_ttl": "10m"}))
        .status(204);
    let (status, body) = login(&mount, "ann", "pw");
    assert_eq!((status, &body["data"]["alias"]), (200, &json!("ann")));
    assert_eq!(body["data"]["metadata"], json!({"username": "ann"}));
    assert_eq!(body["data"]["token"]["token_policies"], json!(["a", "b"]));
    // A name has one spelling, whatever is written.
    assert_eq!(login(&mount, "ANN", "pw").1["data"]["alias"], "ann");
    mount.post("users/ann/password", json!({"password": "new"})).status(204);
    assert_eq!((login(&mount, "ann", "pw").0, login(&mount, "ann", "new").0), (400, 200));
    mount.delete("users/ANN").status(204);
    assert_eq!(login(&mount, "ann", "new").0, 400);
}

#[test]
fn nobody_and_a_wrong_password_are_told_the_same() {
    let mount = mount();
    mount.post("users/ann", json!({"password": "pw"})).status(204);
    let refused = (400, json!({"errors": ["invalid username or password"]}));
    assert_eq!(login(&mount, "ann", "Pw"), refused);
    assert_eq!(login(&mount, "nobody", "pw"), refused);
    assert_eq!(login(&mount, "ann", "").1, json!({"errors": ["missing password"]}));
    assert_eq!(login(&mount, "ann", &"x".repeat(5000)).0, 400);
}

/// The work of a login that is refused.
fn refused_work(mount: &Mount, user: &str) -> hash::work::Work {
    hash::work::take();
    assert_eq!(login(mount, user, "wrong").0, 400, "{user}");
    hash::work::take()
}

fn bcrypted(password: &str, cost: u32) -> Value {
    json!({ "password_hash": bcrypt::hash_with_salt(password, cost, [7; 16]).unwrap().to_string() })
}

#[test]
fn c7_and_cve_2025_6011_and_2025_54999_nobody_costs_as_much_as_somebody() {
    let mount = mount();
    mount.post("users/ann", json!({"password": "pw"})).status(204);
    let usual = refused_work(&mount, "ann");
    assert!(usual.argon2id > 0 && usual.bcrypt_rounds == 0);
    for nobody in ["nobody", "ANNA", "ann2", &"x".repeat(1000), "\u{fc}"] {
        assert_eq!(refused_work(&mount, nobody), usual, "{nobody}");
    }
}

#[test]
fn c7_whose_hash_is_from_elsewhere_costs_as_much_as_anybody_in_the_mount() {
    let mount = mount();
    mount.post("users/ann", json!({"password": "pw"})).status(204);
    let without = refused_work(&mount, "ann");
    for (user, cost) in [("dear", 8), ("cheap", 4), ("middle", 6), ("middle2", 6)] {
        mount.post(&format!("users/{user}"), bcrypted("pw", cost)).status(204);
    }
    let all_cost = |rounds: u64| {
        // A mount under test runs each handler twice.
        let bcrypt_rounds = 2 * rounds;
        for user in ["ann", "dear", "cheap", "middle", "middle2", "nobody", &"x".repeat(1000)] {
            assert_eq!(refused_work(&mount, user), hash::work::Work { bcrypt_rounds, ..without }, "{user}");
        }
    };
    all_cost(1 << 8);
    // Whoever comes in does no more than their own hash asks for.
    hash::work::take();
    assert_eq!(login(&mount, "ann", "pw").0, 200);
    assert_eq!(hash::work::take().bcrypt_rounds, 0);
    // The extra work ends with the last of these hashes: by a login, a new password, a new hash, or with its user.
    assert_eq!(login(&mount, "dear", "pw").0, 200);
    all_cost(1 << 6);
    mount.post("users/middle/password", json!({"password": "pw"})).status(204);
    all_cost(1 << 6);
    mount.post("users/middle2", bcrypted("pw", 5)).status(204);
    all_cost(1 << 5);
    mount.delete("users/middle2").status(204);
    all_cost(1 << 4);
    mount.post("users/cheap/policies", json!({"policies": "a"})).status(204);
    all_cost(1 << 4);
    mount.post("users/cheap", json!({"password": "pw"})).status(204);
    all_cost(0);
}

#[test]
fn a_bcrypt_hash_is_taken_and_replaced_at_the_first_login() {
    let mount = mount();
    mount.post("users/ann", bcrypted("pw", 4)).status(204);
    assert_eq!(login(&mount, "ann", "no").0, 400);
    assert_eq!(login(&mount, "ann", "pw").0, 200);
    let stored = mount.cx().get(&name_of("ann").unwrap()).unwrap().unwrap();
    assert!(record::decode::<User>(SHAPE, &stored).unwrap().hash.bcrypt_cost().is_none());
    assert_eq!(login(&mount, "ann", "pw").0, 200);
    for hash in ["x", "$2b$31$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        mount.post("users/bob", json!({ "password_hash": hash })).status(400);
    }
}

#[test]
fn a_user_is_shown_without_the_password() {
    let mount = mount();
    mount.post("users/ann", json!({"password": "hunter2", "policies": "a", "ttl": "1h"})).status(204);
    let shown = mount.get("users/ann").status(200);
    assert_eq!((shown.at("data.policies"), shown.at("data.token_ttl")), (&json!(["a"]), &json!(3600)));
    assert!(!shown.body.to_string().contains("hash") && !shown.body.to_string().contains("hunter2"));
    mount.get("users/none").status(404);
    assert_eq!(mount.list("users").status(200).keys(), ["ann"]);
    mount.post("users/none/password", json!({"password": "x"})).status(400);
    mount.post("users/none/policies", json!({"policies": "x"})).status(400);
    mount.post("users/none", json!({"policies": "x"})).status(400);
}

#[test]
fn c14_no_user_is_root() {
    let mount = mount();
    // Nor is there a name that no policy can have, and none that looks like another one's.
    for policies in
        ["root", "Root", " root ", "response-wrapping", "ro\u{200b}ot", "a/b", "..", "a\0", "a,root"]
    {
        for field in ["policies", "token_policies"] {
            mount.post("users/ann", json!({ "password": "pw", field: policies })).status(400);
        }
    }
}

#[test]
fn renewals_ask_for_the_user() {
    let mount = mount();
    mount.post("users/ann", json!({"password": "pw", "token_policies": "a"})).status(204);
    assert_eq!((METHOD.renew)(&mount.cx(), "ann").unwrap().policies, ["a"]);
    mount.delete("users/ann").status(204);
    assert!((METHOD.renew)(&mount.cx(), "ann").is_err());
}
