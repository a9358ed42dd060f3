//! Leases are made, looked up and renewed.

use strongroom_types::error::Kind;

use super::*;
use crate::testing::START;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_its_lease() {
    let rig = rig().await;
    let given = rig.get("db/creds/App", &rig.root).await.unwrap();
    let id = given["lease_id"].as_str().unwrap();
    // By the one spelling of the path that access lists know, too.
    let random = id.strip_prefix("db/creds/app/").unwrap();
    assert!(random.len() == 24 && random.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
    assert_eq!((&given["lease_duration"], &given["renewable"]), (&json!(600), &json!(true)));
    assert_eq!(users(&rig).await, [given["data"]["user"].as_str().unwrap()]);
    let seen = look_up(&rig, id).await.unwrap()["data"].clone();
    let expected = json!({
        "id": id, "path": "db/creds/app", "issue_time": START.to_string(), "last_renewal": null,
        "expire_time": START.plus_secs(600).to_string(), "renewable": true, "ttl": 600,
    });
    assert_eq!(seen, expected);
    for (path, names) in [("", "db/"), ("/db", "creds/"), ("/db/creds", "app/"), ("/db/creds/app", random)] {
        let listed = rig.list(&format!("sys/leases/lookup{path}"), &rig.root).await.unwrap();
        let keys = listed["data"]["keys"].as_array().unwrap().clone();
        assert!(keys.contains(&json!(names)), "{path}: {keys:?}");
    }
    // The log has it as well.
    let line = rig.lines().into_iter().rfind(|line| line["response"]["secret"].is_object()).unwrap();
    assert_eq!(line["response"]["secret"]["lease_id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_lease_is_told_so() {
    let rig = rig().await;
    let said = |answer: Answer| answer.unwrap_err().1;
    for nothing in ["db/creds/app/x", "x", "/", "db//x", "db/creds/app"] {
        assert_eq!(said(look_up(&rig, nothing).await), "invalid lease");
        assert_eq!(said(renew(&rig, nothing, 0).await), "lease not found");
        let revoked = rig.put("sys/leases/revoke", &rig.root, json!({ "lease_id": nothing })).await;
        assert_eq!(revoked.unwrap(), Value::Null);
    }
    for path in ["lookup", "renew", "revoke"] {
        let none = rig.put(&format!("sys/leases/{path}"), &rig.root, json!({})).await;
        assert_eq!(said(none), "lease_id must be specified");
    }
    assert_eq!(rig.list("sys/leases/lookup/none/such", &rig.root).await.unwrap_err().0, Kind::NotFound);
    let lease = lease(&rig, &rig.root).await;
    assert_eq!(said(renew(&rig, &lease, -1).await), "'increment' cannot be negative");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_up_to_its_limit_as_it_is_now() {
    let rig = rig().await;
    let id = lease(&rig, &rig.root).await;
    let renewed =
        async |increment| renew(&rig, &id, increment).await.map(|answer| answer["lease_duration"].clone());
    rig.clock.advance(300);
    assert_eq!(renewed(0).await.unwrap(), 600);
    assert_eq!(renewed(60).await.unwrap(), 60);
    assert_eq!(renewed(1200).await.unwrap(), 1200);
    let seen = look_up(&rig, &id).await.unwrap()["data"].clone();
    assert_eq!(
        (&seen["ttl"], &seen["last_renewal"]),
        (&json!(1200), &json!(START.plus_secs(300).to_string()))
    );
    // 55 minutes are left of the hour.
    let capped = renew(&rig, &id, 7200).await.unwrap();
    assert_eq!(capped["lease_duration"], 3300);
    assert!(capped["warnings"][0].as_str().unwrap().contains("exceeded the effective max_ttl"), "{capped}");
    assert_eq!(capped["lease_id"], id.as_str());
    // The role says something else by now.
    rig.put("db/role/app", &rig.root, json!({"ttl": "1m", "max_ttl": "10m"})).await.unwrap();
    assert_eq!(renewed(0).await.unwrap(), 60);
    assert_eq!(renewed(7200).await.unwrap(), 300);
    // By the id in the path, and by the older name.
    for path in [format!("sys/leases/renew/{id}"), format!("sys/renew/{id}"), "sys/renew".to_owned()] {
        let answer = rig.put(&path, &rig.root, json!({ "lease_id": id })).await.unwrap();
        assert_eq!(answer["lease_duration"], 60, "{path}");
    }
    rig.delete("db/role/app", &rig.root).await.unwrap();
    assert_eq!(renewed(0).await.unwrap_err().1, "no such role");
    rig.clock.advance(61);
    assert_eq!(renewed(0).await.unwrap_err().1, "lease expired");
    assert_eq!(look_up(&rig, &id).await.unwrap_err().1, "invalid lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_renewed_is_not() {
    let rig = rig().await;
    rig.put("db/role/app", &rig.root, json!({"renewable": false})).await.unwrap();
    for path in ["db/creds/app", "db/shared/app"] {
        let given = rig.get(path, &rig.root).await.unwrap();
        assert_eq!(given["renewable"], false);
        let id = given["lease_id"].as_str().unwrap();
        assert_eq!(look_up(&rig, id).await.unwrap()["data"]["renewable"], false);
        assert_eq!(renew(&rig, id, 0).await.unwrap_err().1, "lease is not renewable");
    }
}

/// CVE-2021-32923: a renewal in the last moment gave nothing, which was taken for ever.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_32923_no_moment_of_a_renewal_makes_a_lease_immortal() {
    let rig = rig().await;
    for left in [3, 2, 1, 0] {
        rig.put("db/role/app", &rig.root, json!({"ttl": 100, "max_ttl": 100})).await.unwrap();
        let id = lease(&rig, &rig.root).await;
        rig.clock.advance(100 - left);
        for increment in [0, 1, 1000, 1_000_000_000] {
            match renew(&rig, &id, increment).await {
                Ok(renewed) => {
                    let given = renewed["lease_duration"].as_i64().unwrap();
                    assert!((1..=left).contains(&given), "{given} of {left}");
                }
                Err((_, text)) => {
                    assert!(
                        ["lease expired", "past the max TTL, cannot renew"].contains(&text.as_str()),
                        "{text}"
                    );
                }
            }
        }
        rig.clock.advance(left);
        assert_eq!(renew(&rig, &id, 0).await.unwrap_err().1, "lease expired");
        assert_eq!(look_up(&rig, &id).await.unwrap_err().1, "invalid lease");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_12757_a_lease_lives_as_long_as_the_smallest_limit_says() {
    let rig = rig().await;
    rig.put("sys/mounts/db/tune", &rig.root, json!({"default_lease_ttl": "20m", "max_lease_ttl": "2h"}))
        .await
        .unwrap();
    for (role, seconds) in [
        (json!({}), 1200),
        (json!({"ttl": "5m"}), 300),
        (json!({"ttl": "5h"}), 7200),
        (json!({"ttl": "5h", "max_ttl": "1h"}), 3600),
        (json!({"max_ttl": "1m"}), 60),
        (json!({"ttl": "90m", "max_ttl": "50h"}), 5400),
    ] {
        rig.put("db/role/app", &rig.root, role.clone()).await.unwrap();
        let given = rig.get("db/creds/app", &rig.root).await.unwrap();
        assert_eq!(given["lease_duration"], seconds, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_wrapped_with_its_answer() {
    let rig = rig().await;
    let mut request =
        crate::testing::request(strongroom_types::Operation::Read, "db/creds/app", &rig.root, None);
    request.head.wrap_ttl = Some(60);
    let wrapped = crate::testing::ask(&rig.core, request).await.unwrap();
    let token = wrapped["wrap_info"]["token"].as_str().unwrap();
    assert!(wrapped.get("lease_id").is_none(), "{wrapped}");
    let opened = rig.put("sys/wrapping/unwrap", token, json!({})).await.unwrap();
    look_up(&rig, opened["lease_id"].as_str().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_leases_does_not() {
    let rig = rig().await;
    lease(&rig, &rig.root).await;
    let token = rig.allowed(r#"path "sys/leases/*" { capabilities = ["list", "update", "read"] }"#).await;
    for path in ["sys/leases/lookup", "sys/leases/lookup/", "sys/leases/lookup/db"] {
        assert_eq!(rig.list(path, &token).await.unwrap_err().0, Kind::Denied, "{path}");
    }
    for path in ["sys/leases/revoke-prefix/db", "sys/leases/revoke-force/db"] {
        assert_eq!(rig.put(path, &token, json!({})).await.unwrap_err().0, Kind::Denied, "{path}");
    }
    assert_eq!(rig.get("sys/leases?type=irrevocable", &token).await.unwrap_err().0, Kind::Denied);
    let sudo = rig.allowed(r#"path "sys/leases/lookup/" { capabilities = ["list", "sudo"] }"#).await;
    assert_eq!(rig.list("sys/leases/lookup", &sudo).await.unwrap()["data"]["keys"], json!(["auth/", "db/"]));
}
