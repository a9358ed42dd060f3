use serde_json::{Value, json};
use strongroom_engine::testing::conformance::Suite;
use strongroom_engine::testing::{Answer, Mount};

use super::*;

fn mount() -> Mount {
    let mut mount = Mount::new(&METHOD.engine, &[]);
    mount.come_from("127.0.0.1");
    mount
}

fn role(mount: &Mount, name: &str, says: Value) -> String {
    mount.post(&format!("role/{name}"), says).status(204);
    text(&mount.get(&format!("role/{name}/role-id")).status(200), "data.role_id")
}

fn text(answer: &Answer, path: &str) -> String {
    answer.at(path).as_str().expect("text").to_owned()
}

/// A secret-id and its accessor.
fn secret(mount: &Mount, name: &str, says: Value) -> (String, String) {
    let made = mount.post(&format!("role/{name}/secret-id"), says).status(200);
    (text(&made, "data.secret_id"), text(&made, "data.secret_id_accessor"))
}

fn login(mount: &Mount, role_id: &str, secret_id: &str) -> (u16, Value) {
    let answer = mount.post("login", json!({ "role_id": role_id, "secret_id": secret_id }));
    (answer.status, answer.body)
}

fn refused() -> (u16, Value) {
    (400, json!({"errors": ["invalid role or secret ID"]}))
}

#[test]
fn whoever_has_role_and_secret_logs_in() {
    let mount = mount();
    let id = role(&mount, "Web", json!({"token_policies": "p", "token_ttl": "10m", "secret_id_ttl": "1h"}));
    let (sid, accessor) = secret(&mount, "WEB", json!({"metadata": r#"{"k":"v","role_name":"x"}"#}));
    let (status, body) = login(&mount, &format!(" {id} "), &sid);
    assert_eq!((status, &body["data"]["alias"]), (200, &json!(id)));
    assert_eq!(body["data"]["metadata"], json!({"k": "v", "role_name": "web"}));
    assert_eq!(body["data"]["token"]["token_policies"], json!(["p"]));
    let seen = mount.post("role/web/secret-id/lookup", json!({ "secret_id": sid })).status(200);
    assert_eq!(
        (seen.at("data.secret_id_ttl"), text(&seen, "data.secret_id_accessor")),
        (&json!(3600), accessor)
    );
    // What is stored tells no secret-id.
    for path in ["role/web", "role/web/role-id"] {
        assert!(!mount.get(path).body.to_string().contains(&sid));
    }
}

#[test]
fn an_unknown_role_and_a_wrong_secret_are_told_the_same() {
    let mount = mount();
    assert_eq!(login(&mount, "x", "y"), refused());
    let id = role(&mount, "web", json!({}));
    let other = role(&mount, "other", json!({}));
    let (sid, _) = secret(&mount, "other", json!({}));
    assert_eq!(login(&mount, &other, &sid).0, 200);
    for (role_id, secret_id) in [(&*id, "none"), ("none", &*sid), (&id, &sid), (&id.to_uppercase(), &sid)] {
        assert_eq!(login(&mount, role_id, secret_id), refused());
    }
    // Nor does a secret-id that is left out tell whether there is the role.
    for role_id in [&*id, "none"] {
        let missing = mount.post("login", json!({ "role_id": role_id })).status(400);
        assert_eq!(missing.text(), "missing secret_id");
    }
    assert_eq!(mount.post("login", json!({"secret_id": "x"})).status(400).text(), "missing role_id");
}

#[test]
fn c8_uses_are_counted_to_the_last() {
    let mount = mount();
    let id = role(&mount, "web", json!({"secret_id_num_uses": 3}));
    let (sid, accessor) = secret(&mount, "web", json!({"num_uses": 2}));
    assert_eq!((login(&mount, &id, &sid).0, login(&mount, &id, "wrong").0), (200, 400));
    let left = mount.post("role/web/secret-id-accessor/lookup", json!({ "secret_id_accessor": accessor }));
    assert_eq!(left.status(200).at("data.secret_id_num_uses"), 1);
    assert_eq!(login(&mount, &id, &sid).0, 200);
    assert_eq!(login(&mount, &id, &sid), refused());
    assert!(mount.list("role/web/secret-id").keys().is_empty());
    for uses in [0, 4, -1] {
        mount.post("role/web/secret-id", json!({ "num_uses": uses })).status(400);
    }
}

#[test]
fn cve_2026_115362_an_expired_secret_id_is_refused_without_any_sweep() {
    let mount = mount();
    let id = role(&mount, "web", json!({"secret_id_ttl": "10m"}));
    let (sid, accessor) = secret(&mount, "web", json!({"ttl": "1m"}));
    mount.wait(59);
    assert_eq!(login(&mount, &id, &sid).0, 200);
    mount.wait(1);
    assert_eq!(login(&mount, &id, &sid), refused());
    mount.post("role/web/secret-id/lookup", json!({ "secret_id": sid })).status(204);
    let named = json!({ "secret_id_accessor": accessor });
    mount.post("role/web/secret-id-accessor/lookup", named).status(404);
    // Its space comes back at the next tidy.
    assert_eq!(mount.list("role/web/secret-id").keys(), [accessor]);
    mount.wait(60);
    mount.post("tidy/secret-id", json!({})).status(202);
    assert!(mount.list("role/web/secret-id").keys().is_empty());
    assert!(sweep::sweep(&mount.cx()).unwrap().is_empty());
    for ttl in ["0", "11m", "-1s"] {
        mount.post("role/web/secret-id", json!({ "ttl": ttl })).status(400);
    }
}

#[test]
fn a_secret_id_of_a_clock_that_was_ahead_does_not_live_longer_for_it() {
    let mount = mount();
    let id = role(&mount, "web", json!({}));
    mount.wait(24 * 3600);
    let (ends, _) = secret(&mount, "web", json!({"ttl": "48h"}));
    let (lasts, _) = secret(&mount, "web", json!({}));
    mount.wait(-60);
    assert_eq!(login(&mount, &id, &ends).0, 200);
    mount.wait(-1);
    assert_eq!(login(&mount, &id, &ends), refused());
    assert_eq!(login(&mount, &id, &lasts).0, 200);
}

#[test]
fn c9_a_secret_id_of_an_era_that_never_was_does_not_come_to_life_when_its_time_comes() {
    let mut mount = mount();
    let id = role(&mount, "web", json!({}));
    let (good, _) = secret(&mount, "web", json!({"ttl": "72h"}));
    mount.wait(24 * 3600);
    let (ahead, accessor) = secret(&mount, "web", json!({"ttl": "48h", "num_uses": 3}));
    let (lasts, _) = secret(&mount, "web", json!({}));
    assert_eq!(login(&mount, &id, &ahead).0, 200, "nobody knows yet that the clock is ahead");
    mount.wait(-24 * 3600);
    mount.accept_clock();
    let (after, _) = secret(&mount, "web", json!({"ttl": "48h"}));
    // As soon as the clock is right again, when the time comes at which it was made, and until it ends.
    for hours in [0, 24, 20] {
        mount.wait(hours * 3600);
        assert_eq!(login(&mount, &id, &ahead), refused(), "{hours}");
        mount.post("role/web/secret-id/lookup", json!({ "secret_id": ahead })).status(204);
        for sid in [&good, &after, &lasts] {
            assert_eq!(login(&mount, &id, sid).0, 200, "{hours}");
        }
    }
    // The sweep removes it when it would have ended.
    assert!(mount.list("role/web/secret-id").keys().contains(&accessor));
    mount.wait(30 * 3600);
    mount.post("tidy/secret-id", json!({})).status(202);
    assert!(!mount.list("role/web/secret-id").keys().contains(&accessor));
}

/// Shape 1 had no era: as long as such a secret-id lives, what could be told of it then is told of it now.
#[test]
fn a_secret_id_of_an_older_version_is_read_and_written_in_the_new_shape() {
    let mut mount = mount();
    let id = role(&mount, "web", json!({"secret_id_ttl": "48h"}));
    let uid = role::find_by_id(&mount.cx(), &keys::Keys::load(&mount.cx()).unwrap().unwrap(), &id);
    let uid = uid.unwrap().unwrap().uid;
    let older = |mount: &Mount| {
        let (sid, accessor) = secret(mount, "web", json!({"num_uses": 5}));
        let hash = secret_id::find_hash(&mount.cx(), &uid, &accessor).unwrap().unwrap();
        let (record, _) = secret_id::find(&mount.cx(), &uid, &hash).unwrap().unwrap();
        let mut record = serde_json::to_value(&record).unwrap();
        record.as_object_mut().unwrap().remove("era").unwrap();
        let name = secret_id::name_of(&uid, &hash).unwrap();
        let value = strongroom_engine::record::encode(1, &record).unwrap();
        mount.commit(&Outcome::done(vec![strongroom_engine::Write::put(name, value)])).unwrap();
        (sid, hash)
    };
    let (sid, hash) = older(&mount);
    assert_eq!(login(&mount, &id, &sid).0, 200);
    let (used, seen) = secret_id::find(&mount.cx(), &uid, &hash).unwrap().unwrap();
    assert_eq!((used.num_uses, used.era, seen.value.expose()[0]), (4, None, 2));
    mount.wait(24 * 3600);
    let (ahead, _) = older(&mount);
    mount.wait(-24 * 3600);
    mount.accept_clock();
    assert_eq!((login(&mount, &id, &sid).0, login(&mount, &id, &ahead)), (200, refused()));
}

#[test]
fn a_role_that_is_gone_takes_its_secret_ids_with_it() {
    let mount = mount();
    let id = role(&mount, "web", json!({"role_id": "fixed"}));
    assert_eq!(id, "fixed");
    let sids: Vec<String> = (0..3).map(|_| secret(&mount, "web", json!({"ttl": "1h"})).0).collect();
    mount.delete("role/WEB").status(204);
    assert_eq!(login(&mount, "fixed", &sids[0]), refused());
    // Another role of the same name and id has none of them.
    role(&mount, "web", json!({"role_id": "fixed"}));
    for sid in &sids {
        assert_eq!(login(&mount, "fixed", sid), refused());
    }
    assert!(mount.list("role/web/secret-id").keys().is_empty());
    // The sweep leaves nothing of them.
    for _ in 0..5 {
        mount.post("tidy/secret-id", json!({})).status(202);
    }
    assert!(sweep::sweep(&mount.cx()).unwrap().is_empty());
    let left =
        mount.cx().view.list(&strongroom_engine::record::name("secret-id", "").unwrap(), None, None).unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn vault_0_10_2_destroyed_in_any_spelling_of_the_role_a_secret_id_is_gone() {
    let mount = mount();
    let id = role(&mount, "MyRole", json!({}));
    let (by_accessor, accessor) = secret(&mount, "myROLE", json!({}));
    let (by_itself, _) = secret(&mount, "MYROLE", json!({}));
    mount
        .post("role/mYrOlE/secret-id-accessor/destroy", json!({ "secret_id_accessor": accessor }))
        .status(204);
    mount.post("role/myrole/secret-id/destroy", json!({ "secret_id": by_itself })).status(204);
    assert_eq!((login(&mount, &id, &by_accessor), login(&mount, &id, &by_itself)), (refused(), refused()));
    assert!(mount.list("role/MyRole/secret-id").keys().is_empty());
}

#[test]
fn cve_2023_24999_an_accessor_of_another_role_is_none() {
    let mount = mount();
    role(&mount, "a", json!({}));
    let id = role(&mount, "b", json!({}));
    let (sid, accessor) = secret(&mount, "b", json!({}));
    for what in ["lookup", "destroy"] {
        let by = |role: &str| {
            let path = format!("role/{role}/secret-id-accessor/{what}");
            mount.post(&path, json!({ "secret_id_accessor": accessor }))
        };
        let refused = by("a").status(404);
        assert!(text(&refused, "data.error").starts_with("failed to find accessor entry"));
        mount.post(&format!("role/a/secret-id/{what}"), json!({ "secret_id": sid })).status(204);
    }
    assert_eq!(login(&mount, &id, &sid).0, 200);
}

#[test]
fn c16_networks_hold() {
    let mut mount = mount();
    let id = role(
        &mount,
        "web",
        json!({"secret_id_bound_cidrs": "10.0.0.0/8", "token_bound_cidrs": "10.0.0.0/8"}),
    );
    let (narrow, _) =
        secret(&mount, "web", json!({"cidr_list": "10.1.0.0/16", "token_bound_cidrs": ["10.1.2.0/24"]}));
    let (wide, _) = secret(&mount, "web", json!({}));
    for outside in [
        json!({"cidr_list": "11.0.0.0/8"}),
        json!({"token_bound_cidrs": "0.0.0.0/0"}),
        json!({"cidr_list": "x"}),
    ] {
        mount.post("role/web/secret-id", outside).status(400);
    }
    assert_eq!(login(&mount, &id, &wide), refused());
    mount.come_from("10.2.0.1");
    assert_eq!((login(&mount, &id, &wide).0, login(&mount, &id, &narrow)), (200, refused()));
    mount.come_from("10.1.0.1");
    let (status, body) = login(&mount, &id, &narrow);
    assert_eq!((status, &body["data"]["token"]["token_bound_cidrs"]), (200, &json!(["10.1.2.0/24"])));
    // What the role allows by now counts as well.
    mount.post("role/web/token-bound-cidrs", json!({"token_bound_cidrs": "10.9.0.0/16"})).status(204);
    assert_eq!(login(&mount, &id, &narrow), refused());
}

#[test]
fn without_secret_ids_there_has_to_be_another_bound() {
    let mut mount = mount();
    mount.post("role/web", json!({"bind_secret_id": false})).status(400);
    let id = role(&mount, "web", json!({"bind_secret_id": false, "secret_id_bound_cidrs": "127.0.0.1/32"}));
    assert_eq!(mount.post("login", json!({ "role_id": id })).status, 200);
    mount.post("role/web/secret-id", json!({})).status(400);
    mount.delete("role/web/secret-id-bound-cidrs").status(400);
    mount.come_from("127.0.0.2");
    assert_eq!(mount.post("login", json!({ "role_id": id })).text(), "invalid role or secret ID");
}

#[test]
fn settings_are_read_changed_and_taken_back_one_by_one() {
    let mount = mount();
    mount.get("role/web/policies").status(404);
    mount.post("role/web/policies", json!({"token_policies": "a"})).status(404);
    role(&mount, "web", json!({}));
    for (path, field, value, default) in [
        ("policies", "token_policies", json!(["a", "b"]), json!([])),
        ("bind-secret-id", "bind_secret_id", json!(true), json!(true)),
        ("bound-cidr-list", "bound_cidr_list", json!(["10.0.0.0/8"]), json!(null)),
        ("secret-id-bound-cidrs", "secret_id_bound_cidrs", json!(["10.0.0.1/32"]), json!(null)),
        ("token-bound-cidrs", "token_bound_cidrs", json!(["10.0.0.1"]), json!([])),
        ("period", "token_period", json!(60), json!(0)),
        ("secret-id-num-uses", "secret_id_num_uses", json!(3), json!(0)),
        ("secret-id-ttl", "secret_id_ttl", json!(60), json!(0)),
        ("token-num-uses", "token_num_uses", json!(3), json!(0)),
        ("token-ttl", "token_ttl", json!(60), json!(0)),
        ("token-max-ttl", "token_max_ttl", json!(60), json!(0)),
    ] {
        let path = format!("role/web/{path}");
        let is = |value: &Value| {
            assert_eq!(mount.get(&path).status(200).at(&format!("data.{field}")), value, "{path}")
        };
        is(&default);
        mount.post(&path, json!({ field: value, "token_type": "batch", "x": 1 })).status(204);
        is(&value);
        mount.post(&path, json!({})).status(400);
        mount.delete(&path).status(204);
        is(&default);
    }
    assert_eq!(mount.get("role/web").at("data.token_type"), "default");
    assert_eq!(mount.get("role/web/local-secret-ids").status(200).at("data.local_secret_ids"), false);
    mount.post("role/web", json!({"local_secret_ids": true})).status(400);
    // The older names are shown where they were used.
    mount
        .post("role/old", json!({"policies": "a", "period": "1m", "bound_cidr_list": "10.0.0.0/8"}))
        .status(204);
    let old = mount.get("role/old").status(200);
    assert_eq!((old.at("data.policies"), old.at("data.period")), (&json!(["a"]), &json!(60)));
    assert_eq!(old.at("data.secret_id_bound_cidrs"), &json!(["10.0.0.0/8"]));
}

#[test]
fn the_id_of_a_role_is_its_own() {
    let mount = mount();
    let first = role(&mount, "a", json!({}));
    role(&mount, "b", json!({"role_id": "mine"}));
    let (sid, _) = secret(&mount, "a", json!({}));
    for taken in ["mine", &first] {
        mount.post("role/c", json!({ "role_id": taken })).status(400);
    }
    mount.post("role/a/role-id", json!({"role_id": "mine"})).status(400);
    for bad in ["", " x", "a\n", &"x".repeat(513)] {
        mount.post("role/a/role-id", json!({ "role_id": bad })).status(400);
    }
    mount.post("role/a/role-id", json!({"role_id": "other"})).status(204);
    assert_eq!((login(&mount, &first, &sid), login(&mount, "other", &sid).0), (refused(), 200));
    assert_eq!((METHOD.renew)(&mount.cx(), "other").unwrap().policies.len(), 0);
    assert!((METHOD.renew)(&mount.cx(), &first).is_err());
    role(&mount, "c", json!({ "role_id": first }));
}

#[test]
fn a_secret_id_of_ones_own_is_registered_once() {
    let mount = mount();
    let id = role(&mount, "a", json!({}));
    role(&mount, "b", json!({}));
    let own =
        |role: &str| mount.post(&format!("role/{role}/custom-secret-id"), json!({"secret_id": "my own"}));
    assert_eq!(own("a").status(200).at("data.secret_id"), "my own");
    own("a").status(400);
    own("b").status(200);
    assert_eq!(login(&mount, &id, "my own").0, 200);
    mount.post("role/a/custom-secret-id", json!({})).status(400);
}

#[test]
fn c14_no_role_is_root() {
    let mount = mount();
    // Nor is there a name that no policy can have, and none that looks like another one's.
    for policies in
        ["root", "Root", " root ", "response-wrapping", "ro\u{200b}ot", "a/b", "..", "a\0", "a,root"]
    {
        for field in ["policies", "token_policies"] {
            mount.post("role/a", json!({ field: policies })).status(400);
        }
    }
}

#[test]
fn c6_who_knocks_is_whoever_comes_in() {
    let mount = mount();
    let id = role(&mount, "a", json!({"secret_id_num_uses": 1}));
    let (sid, _) = secret(&mount, "a", json!({}));
    let knock = |role_id: &str, sid: &str| {
        let body = json!({ "role_id": role_id, "secret_id": sid });
        let fields = body.as_object().unwrap().clone();
        let raw = strongroom_types::Secret::from(body.to_string());
        let operation = strongroom_engine::Operation::Update;
        let call = Call { operation, params: Vec::new(), fields, raw, after: None, limit: None };
        login::knock(&mount.cx(), &call).unwrap()
    };
    for spelling in [id.clone(), format!(" {id}"), format!("{id}\n")] {
        assert_eq!(knock(&spelling, "x").alias, id);
        assert!(knock(&spelling, "x").is_known && knock(&spelling, "x").turn.is_none());
        assert!(knock(&spelling, &sid).turn.is_some());
    }
    assert!(!knock(&id.to_uppercase(), &sid).is_known);
}

/// What is stored of roles and secret-ids: changed only together with a new shape.
#[test]
fn records_are_as_they_are_drawn() {
    let mount = mount();
    mount.post("role/a", json!({"role_id": "id", "token_policies": "p", "secret_id_ttl": 60})).status(204);
    let (role, _) = role::find_by_id(&mount.cx(), &keys::Keys::load(&mount.cx()).unwrap().unwrap(), "id")
        .unwrap()
        .map(|role| (serde_json::to_value(&role).unwrap(), role))
        .unwrap();
    let mut wanted = json!({
        "uid": role["uid"], "name": "a", "role_id": "id", "bind_secret_id": true, "secret_id_bound_cidrs": [],
        "secret_id_num_uses": 0, "secret_id_ttl": 60, "local_secret_ids": false, "token": role["token"],
    });
    assert_eq!(role, wanted);
    assert_eq!(role["uid"].as_str().unwrap().len(), 32);
    let (_, accessor) = secret(&mount, "a", json!({"metadata": "k=v"}));
    let uid = role["uid"].as_str().unwrap();
    let hash = secret_id::find_hash(&mount.cx(), uid, &accessor).unwrap().unwrap();
    let (stored, _) = secret_id::find(&mount.cx(), uid, &hash).unwrap().unwrap();
    wanted = json!({
        "accessor": accessor, "num_uses": 0, "ttl": 60, "created": stored.created, "updated": stored.created,
        "expires": stored.created.plus_secs(60), "metadata": {"k": "v"}, "cidr_list": [], "token_bound_cidrs": [],
        "era": 0,
    });
    assert_eq!(serde_json::to_value(&stored).unwrap(), wanted);
    assert_eq!(hash.len(), 64);
}

#[test]
fn it_passes_the_suite_of_every_engine() {
    Suite {
        engine: &METHOD.engine,
        options: &[],
        fill: |mount| {
            for name in ["a", "b", "sample"] {
                mount.post(&format!("role/{name}"), json!({ "role_id": name })).status(204);
            }
            for _ in 0..3 {
                mount.post("role/sample/secret-id", json!({})).status(200);
            }
        },
        lists: &["role", "role/sample/secret-id"],
    }
    .run();
}
