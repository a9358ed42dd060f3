//! Password policies.

use serde_json::json;
use strongroom_types::error::Kind;

use crate::testing::Rig;

const TEXT: &str = "length = 12\nrule \"charset\" { charset = \"abc\" }\nrule \"charset\" { charset = \"01\" min-chars = 2 }";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_policy_is_kept_and_makes_passwords() {
    let mut rig = Rig::new().await;
    let place = "sys/policies/password";
    assert_eq!(rig.list(place, &rig.root).await.unwrap_err().0, Kind::NotFound);
    rig.put(&format!("{place}/db"), &rig.root, json!({ "policy": TEXT })).await.unwrap();
    let encoded = data_encoding::BASE64.encode(TEXT.as_bytes());
    rig.put(&format!("{place}/Db"), &rig.root, json!({ "policy": encoded })).await.unwrap();
    rig.put(&format!("{place}/other"), &rig.root, json!({ "policy": TEXT })).await.unwrap();
    rig.restart();
    rig.unseal().await;
    let keys = |answer: crate::testing::Answer| answer.unwrap()["data"]["keys"].clone();
    assert_eq!(keys(rig.list(place, &rig.root).await), json!(["Db", "db", "other"]));
    assert_eq!(keys(rig.list(&format!("{place}?after=Db&limit=1"), &rig.root).await), json!(["db"]));
    assert_eq!(rig.get(&format!("{place}/Db"), &rig.root).await.unwrap()["data"]["policy"], TEXT);
    let mut made = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let answer = rig.get(&format!("{place}/db/generate"), &rig.root).await.unwrap();
        let password = answer["data"]["password"].as_str().unwrap().to_owned();
        assert!(password.len() == 12 && password.chars().filter(|c| c.is_ascii_digit()).count() >= 2);
        made.insert(password);
    }
    assert!(made.len() > 15, "{made:?}");
    rig.delete(&format!("{place}/db"), &rig.root).await.unwrap();
    for path in ["db", "db/generate", "absent", "absent/generate"] {
        let answer = rig.get(&format!("{place}/{path}"), &rig.root).await;
        assert_eq!(answer.unwrap_err().0, Kind::NotFound, "{path}");
    }
    rig.delete(&format!("{place}/db"), &rig.root).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_policy_that_cannot_be_fulfilled_is_not_stored_and_no_password_is_logged() {
    let rig = Rig::new().await;
    let place = "sys/policies/password/p";
    for (text, what) in [
        ("length = 200 rule \"charset\" { charset = \"ab\" }", "between 4 and 100"),
        (
            "length = 20 rule \"charset\" { charset = \"zyxwvutsrqponmlkjihgfedcba\" } rule \"charset\" { charset = \"1\" min-chars = 19 }",
            "impossible",
        ),
        ("length = 20 s3cret = 1", "invalid password policy: invalid key"),
        ("", "missing policy"),
    ] {
        let (kind, message) = rig.put(place, &rig.root, json!({ "policy": text })).await.unwrap_err();
        assert!(kind == Kind::BadRequest && message.contains(what), "{text}: {message}");
    }
    assert_eq!(rig.get(place, &rig.root).await.unwrap_err().0, Kind::NotFound);
    rig.put(place, &rig.root, json!({ "policy": TEXT })).await.unwrap();
    let answer = rig.get(&format!("{place}/generate"), &rig.root).await.unwrap();
    let password = answer["data"]["password"].as_str().unwrap();
    let lines = rig.sink.lines();
    assert!(lines.iter().all(|line| !line.contains("s3cret") && !line.contains(password)));
}

#[tokio::test(flavor = "multi_thread")]
async fn making_a_password_and_reading_its_policy_are_two_permissions() {
    let rig = Rig::new().await;
    rig.put("sys/policies/password/p", &rig.root, json!({ "policy": TEXT })).await.unwrap();
    let token = rig.allowed("path \"sys/policies/password/p/generate\" { capabilities = [\"read\"] }").await;
    assert!(rig.get("sys/policies/password/p/generate", &token).await.is_ok());
    assert_eq!(rig.get("sys/policies/password/p", &token).await.unwrap_err().0, Kind::Denied);
    assert_eq!(rig.get("sys/policies/password/P/generate", &token).await.unwrap_err().0, Kind::Denied);
    assert_eq!(
        rig.put("sys/policies/password/p", &token, json!({ "policy": TEXT })).await.unwrap_err().0,
        Kind::Denied
    );
}
