//! Rate limits: who is charged for what, and what a refusal does and does not do.

use std::net::IpAddr;

use serde_json::{Value, json};
use strongroom_types::error::Kind;
use strongroom_types::{Operation, Refusal, Reply};

use crate::testing::{Answer, Rig, ask, request};

const QUOTA: &str = "sys/quotas/rate-limit/q";

async fn from(rig: &Rig, address: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
    let operation = if body.is_some() { Operation::Update } else { Operation::Read };
    let mut request = request(operation, path, token, body);
    request.head.remote = Some((address.parse::<IpAddr>().unwrap(), 1));
    ask(&rig.core, request).await
}

/// How many of `tries` reads pass.
async fn passed(rig: &Rig, path: &str, token: &str, tries: usize) -> usize {
    let mut passed = 0;
    for _ in 0..tries {
        match rig.get(path, token).await {
            Err((Kind::TooMany, _)) => {}
            _ => passed += 1,
        }
    }
    passed
}

async fn limit(rig: &Rig, name: &str, wish: Value) {
    rig.put(&format!("sys/quotas/rate-limit/{name}"), &rig.root, wish).await.unwrap();
}

async fn raw(rig: &Rig, path: &str) -> Result<Reply, Refusal> {
    rig.core.handle(request(Operation::Read, path, &rig.root, None)).await
}

#[tokio::test]
async fn a_quota_of_a_mount_is_charged_below_it_and_survives_a_restart() {
    let mut rig = Rig::new().await;
    rig.mount().await;
    limit(&rig, "q", json!({"path": "toy", "rate": 2, "interval": "60s"})).await;
    assert_eq!(passed(&rig, "toy/a", &rig.root, 5).await, 2);
    assert_eq!(passed(&rig, "cubbyhole/a", &rig.root, 5).await, 5, "another mount is not charged");
    rig.restart();
    rig.unseal().await;
    assert_eq!(passed(&rig, "toy/a", &rig.root, 5).await, 2, "the quota is there, its buckets are full");
    rig.clock.advance(30);
    assert_eq!(passed(&rig, "toy/a", &rig.root, 5).await, 1);
    rig.delete(QUOTA, &rig.root).await.unwrap();
    assert_eq!(passed(&rig, "toy/a", &rig.root, 5).await, 5);
}

#[tokio::test]
async fn each_client_has_a_bucket_of_its_own_and_the_refusal_says_when_to_come_again() {
    let rig = Rig::new().await;
    rig.mount().await;
    limit(&rig, "q", json!({"path": "toy/", "rate": 1, "interval": 60})).await;
    for address in ["10.0.0.1", "10.0.0.2"] {
        assert_eq!(from(&rig, address, "toy/a", &rig.root, None).await.unwrap_err().0, Kind::NotFound);
        let (kind, text) = from(&rig, address, "toy/a", &rig.root, None).await.unwrap_err();
        assert_eq!(
            (kind, text.as_str()),
            (Kind::TooMany, "request path \"toy/a\": rate limit quota exceeded")
        );
    }
    assert_eq!(raw(&rig, "toy/a").await.err().unwrap().kind, Kind::NotFound);
    rig.clock.advance(15);
    let refused = raw(&rig, "toy/a").await.err().unwrap();
    assert_eq!(refused.headers, [("retry-after", "45".to_owned())]);
}

#[tokio::test]
async fn the_quota_that_says_most_is_charged_and_no_other() {
    let rig = Rig::new().await;
    rig.mount().await;
    limit(&rig, "all", json!({"rate": 7, "interval": 3600})).await;
    limit(&rig, "mount", json!({"path": "toy", "rate": 6, "interval": 3600})).await;
    limit(&rig, "below", json!({"path": "toy/a*", "rate": 5, "interval": 3600})).await;
    limit(&rig, "further", json!({"path": "toy/a/b*", "rate": 4, "interval": 3600})).await;
    limit(&rig, "exact", json!({"path": "toy/a/b/c", "rate": 3, "interval": 3600})).await;
    let tried = [("toy/a/b/c", 3), ("toy/a/b/d", 4), ("toy/aa", 5), ("toy/b", 6)];
    for (path, rate) in tried {
        assert_eq!(passed(&rig, path, &rig.root, 20).await, rate, "{path}");
    }
    // The first four and this one's own were charged to the whole.
    assert!(passed(&rig, "cubbyhole/x", &rig.root, 20).await <= 7);
    assert_eq!(passed(&rig, "cubbyhole/x", &rig.root, 5).await, 0);
}

#[tokio::test]
async fn cve_2026_89322_no_other_spelling_of_a_path_escapes_its_quota() {
    let rig = Rig::new().await;
    limit(&rig, "q", json!({"path": "sys/policies/acl/thing", "rate": 1, "interval": 3600})).await;
    assert_eq!(passed(&rig, "sys/policies/acl/thing", &rig.root, 1).await, 1);
    for path in ["sys/policies/acl/Thing", "sys/policies/acl/THING", "sys/policies/acl/th%69ng"] {
        assert_eq!(passed(&rig, path, &rig.root, 3).await, 0, "{path}");
    }
    // Nor does another spelling in the quota.
    for (path, asked) in [
        ("sys/policies/acl/Other", "sys/policies/acl/other"),
        ("sys/policies/acl/Fo*", "sys/policies/acl/fourth"),
        ("/sys/policy/ÄRA", "sys/policy/%C3%84ra"),
    ] {
        limit(&rig, "spelt", json!({"path": path, "rate": 1, "interval": 3600})).await;
        assert_eq!(passed(&rig, asked, &rig.root, 3).await, 1, "{path}");
        let twin = json!({"path": path.to_lowercase(), "rate": 1});
        assert_eq!(
            rig.put("sys/quotas/rate-limit/twin", &rig.root, twin).await.unwrap_err().0,
            Kind::BadRequest
        );
    }
    let exempt = json!({"rate_limit_exempt_paths": "sys/policy/ÄRA"});
    rig.put("sys/quotas/config", &rig.root, exempt).await.unwrap();
    assert_eq!(passed(&rig, "sys/policy/%C3%84ra", &rig.root, 3).await, 3);
    // What is exact stays as it is.
    rig.mount().await;
    limit(&rig, "spelt", json!({"path": "toy/A", "rate": 1, "interval": 3600})).await;
    assert_eq!(
        (passed(&rig, "toy/a", &rig.root, 3).await, passed(&rig, "toy/A", &rig.root, 3).await),
        (3, 1)
    );
}

#[tokio::test]
async fn what_is_refused_has_no_effect_and_costs_no_use_of_the_token() {
    let rig = Rig::new().await;
    rig.mount().await;
    let policies = json!({"policies": ["root"], "num_uses": 3});
    let token = rig.token(policies).await;
    limit(&rig, "q", json!({"path": "toy", "rate": 1, "interval": 3600})).await;
    rig.put("toy/count", &token, json!({})).await.unwrap();
    for _ in 0..9 {
        assert_eq!(rig.put("toy/count", &token, json!({})).await.unwrap_err().0, Kind::TooMany);
    }
    rig.delete(QUOTA, &rig.root).await.unwrap();
    assert_eq!(rig.get("toy/count", &token).await.unwrap()["data"]["count"], 1);
    assert_eq!(rig.get("auth/token/lookup-self", &token).await.unwrap()["data"]["num_uses"], -1);
}

#[tokio::test]
async fn cve_2020_25594_a_quota_does_not_tell_what_is_mounted() {
    let rig = Rig::new().await;
    rig.mount().await;
    let weak = rig.allowed(r#"path "other/*" { capabilities = ["read"] }"#).await;
    limit(&rig, "q", json!({"path": "toy", "rate": 1, "interval": 3600})).await;
    for token in [weak.as_str(), "", "hvs.wrong"] {
        for _ in 0..3 {
            let refused = rig.get("toy/a", token).await.unwrap_err();
            assert_eq!(refused, rig.get("absent/a", token).await.unwrap_err(), "{token:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_115359_a_login_is_charged_by_the_role_that_the_method_sees() {
    let rig = Rig::new().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/me", &rig.root, json!({"token_policies": "default"})).await.unwrap();
    limit(&rig, "few", json!({"path": "auth/door", "role": "few", "rate": 2, "interval": 3600})).await;
    limit(&rig, "rest", json!({"path": "auth/door", "rate": 4, "interval": 3600})).await;
    let login = async |body: Value| match from(&rig, "10.0.0.1", "auth/door/login/me", "", Some(body)).await {
        Err((Kind::TooMany, _)) => false,
        answer => answer.map(|_| true).unwrap(),
    };
    let mut passed = [0, 0];
    for _ in 0..9 {
        passed[0] += usize::from(login(json!({"word": "open", "role": "few"})).await);
        passed[1] += usize::from(login(json!({"word": "open", "role": "other"})).await);
    }
    assert_eq!(passed, [2, 4]);
    // A wrong word costs as much: guessing is what a quota is for.
    limit(&rig, "few", json!({"path": "auth/door", "role": "few", "rate": 3, "interval": 3600})).await;
    for _ in 0..3 {
        let wrong = json!({"word": "guess", "role": "few"});
        assert_eq!(rig.put("auth/door/login/me", "", wrong).await.unwrap_err().0, Kind::BadRequest);
    }
    let right = json!({"word": "open", "role": "few"});
    assert_eq!(rig.put("auth/door/login/me", "", right).await.unwrap_err().0, Kind::TooMany);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_read_is_charged_as_one_without_a_role() {
    let rig = Rig::new().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/me", &rig.root, json!({"token_policies": "default"})).await.unwrap();
    limit(&rig, "big", json!({"path": "auth/door", "role": "big", "rate": 1000, "interval": 3600})).await;
    limit(&rig, "rest", json!({"path": "auth/door", "rate": 2, "interval": 3600})).await;
    // No object.
    let broken = || from(&rig, "10.0.0.1", "auth/door/login/me", "", Some(json!(["big"])));
    for _ in 0..2 {
        assert_eq!(broken().await.unwrap_err().0, Kind::BadRequest);
    }
    assert_eq!(broken().await.unwrap_err().0, Kind::TooMany);
    let without = from(&rig, "10.0.0.1", "auth/door/login/me", "", Some(json!({"word": "open"})));
    assert_eq!(without.await.unwrap_err().0, Kind::TooMany);
    let big = json!({"word": "open", "role": "big"});
    from(&rig, "10.0.0.1", "auth/door/login/me", "", Some(big)).await.unwrap();
}

#[tokio::test]
async fn a_quota_moves_with_its_mount_and_goes_with_it() {
    let rig = Rig::new().await;
    rig.mount().await;
    limit(&rig, "q", json!({"path": "toy/a", "rate": 1, "interval": 3600})).await;
    rig.put("sys/remount", &rig.root, json!({"from": "toy", "to": "moved"})).await.unwrap();
    assert_eq!(rig.get(QUOTA, &rig.root).await.unwrap()["data"]["path"], "moved/a");
    assert_eq!(passed(&rig, "moved/a", &rig.root, 5).await, 1);
    rig.delete("sys/mounts/moved", &rig.root).await.unwrap();
    assert_eq!(rig.get(QUOTA, &rig.root).await.unwrap_err().0, Kind::NotFound);
    rig.mount().await;
    assert_eq!(passed(&rig, "toy/a", &rig.root, 5).await, 5);
}

#[tokio::test]
async fn paths_are_exempt_and_answers_tell_what_is_left_as_the_settings_say() {
    let rig = Rig::new().await;
    rig.mount().await;
    limit(&rig, "q", json!({"rate": 2, "interval": 3600})).await;
    let config = json!({"rate_limit_exempt_paths": ["toy/free*", "sys/quotas/*"], "enable_rate_limit_response_headers": true});
    rig.put("sys/quotas/config", &rig.root, config).await.unwrap();
    assert_eq!(passed(&rig, "toy/free/a", &rig.root, 9).await, 9);
    let shown = rig.get("sys/quotas/config", &rig.root).await.unwrap();
    assert_eq!(shown["data"]["rate_limit_exempt_paths"], json!(["toy/free*", "sys/quotas/*"]));
    // The write of the settings was the first of two.
    let Ok(Reply::Headed { headers, reply }) = raw(&rig, "sys/mounts").await else { panic!("no headers") };
    assert!(matches!(*reply, Reply::Logical(_)));
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        headers,
        [("x-ratelimit-limit", "2"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "3600")]
    );
    let refused = raw(&rig, "sys/mounts").await.err().unwrap();
    assert_eq!(refused.headers.len(), 4, "{:?}", refused.headers);
    // Changing the settings left the buckets as they were.
    rig.put("sys/quotas/config", &rig.root, json!({"enable_rate_limit_response_headers": false}))
        .await
        .unwrap();
    assert_eq!(raw(&rig, "sys/mounts").await.err().unwrap().headers, [("retry-after", "1800".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_a_root_token_is_costs_nothing_but_trying_shares_does() {
    let rig = Rig::new().await;
    limit(&rig, "q", json!({"rate": 2, "interval": 3600})).await;
    let at = "sys/generate-root/attempt";
    let tried = |address| from(&rig, address, at, "", Some(json!({"key": "AAAA"})));
    for _ in 0..2 {
        assert_eq!(tried("10.0.0.1").await.unwrap_err().0, Kind::Denied);
    }
    assert_eq!(tried("10.0.0.1").await.unwrap_err().0, Kind::TooMany);
    for _ in 0..5 {
        from(&rig, "10.0.0.1", at, "", None).await.unwrap();
    }
    // Whoever comes from elsewhere with a right share is not kept out by that.
    let right = from(&rig, "10.0.0.2", at, "", Some(json!({"key": rig.keys[0]}))).await.unwrap();
    assert_eq!(right["progress"], 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let rig = Rig::new().await;
    rig.mount().await;
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    limit(&rig, "first", json!({"path": "toy", "rate": 1000})).await;
    for wish in [
        json!({"path": "cubbyhole"}),
        json!({"path": "cubbyhole", "rate": 0}),
        json!({"path": "cubbyhole", "rate": -1}),
        json!({"path": "cubbyhole", "rate": "NaN"}),
        json!({"path": "cubbyhole", "rate": "inf"}),
        json!({"path": "cubbyhole", "rate": 1e12}),
        json!({"path": "cubbyhole", "rate": 1, "interval": "-1s"}),
        json!({"path": "cubbyhole", "rate": 1, "interval": "500ms"}),
        json!({"path": "cubbyhole", "rate": 1, "interval": "10000h"}),
        json!({"path": "cubbyhole", "rate": 1, "block_interval": "-1"}),
        json!({"path": "cubbyhole", "rate": 1, "inheritable": true}),
        json!({"path": "cubbyhole", "rate": 1, "role": "x"}),
        json!({"path": "cubbyhole", "rate": 1, "type": "lease-count"}),
        json!({"path": "auth/door/login", "rate": 1, "role": "x"}),
        json!({"path": "absent", "rate": 1}),
        json!({"path": "toy/../sys", "rate": 1}),
        json!({"path": "toy/", "rate": 1}),
    ] {
        let refused = rig.put(QUOTA, &rig.root, wish.clone()).await.unwrap_err();
        assert_eq!(refused.0, Kind::BadRequest, "{wish}: {refused:?}");
    }
    assert_eq!(rig.list("sys/quotas/rate-limit", &rig.root).await.unwrap()["data"]["keys"], json!(["first"]));
}

#[tokio::test]
async fn records_of_quotas_are_as_they_were() {
    let record = json!({
        "v": 1,
        "mount": "01010101-0101-0101-0101-010101010101",
        "path": "a*",
        "role": "",
        "rate": 1.5,
        "interval": 60,
        "block_interval": 0,
        "inheritable": false
    });
    let read: crate::quotas::QuotaRecord = serde_json::from_value(record.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), record);
    let config = r#"{"v":1,"exempt":["sys/health"],"audit_logging":false,"response_headers":true}"#;
    let read: crate::quotas::QuotaConfig = serde_json::from_str(config).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), config);
}
