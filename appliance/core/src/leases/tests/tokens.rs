//! Tokens as leases.

use strongroom_types::error::Kind;

use super::*;

async fn door(rig: &Rig) {
    rig.put("sys/auth/door", &rig.root, json!({"type": "door"})).await.unwrap();
    rig.put("auth/door/who/ann", &rig.root, json!({"token_ttl": "10m", "token_policies": "customer"}))
        .await
        .unwrap();
}

async fn login(rig: &Rig) -> String {
    let made = rig.put("auth/door/login/ann", "", json!({"word": "open"})).await.unwrap();
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

async fn ids(rig: &Rig, path: &str) -> Vec<String> {
    let listed = rig.list(&format!("sys/leases/lookup/{path}"), &rig.root).await;
    let keys = listed.map_or(json!([]), |listed| listed["data"]["keys"].clone());
    let keys: Vec<String> = serde_json::from_value(keys).unwrap();
    keys.into_iter().map(|key| format!("{path}/{key}")).collect()
}

async fn is_alive(rig: &Rig, token: &str) -> bool {
    match rig.get("auth/token/lookup-self", token).await {
        Ok(_) => true,
        Err((kind, _)) => {
            assert_eq!(kind, Kind::Denied);
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_shown_as_a_lease_and_revoked_as_one() {
    let rig = rig().await;
    customer(&rig, json!({})).await;
    door(&rig).await;
    let token = login(&rig).await;
    lease(&rig, &token).await;
    let ids = ids(&rig, "auth/door/login/ann").await;
    let seen = look_up(&rig, &ids[0]).await.unwrap()["data"].clone();
    assert_eq!((&seen["id"], &seen["path"]), (&json!(ids[0]), &json!("auth/door/login/ann")));
    assert_eq!((&seen["ttl"], &seen["renewable"]), (&json!(600), &json!(true)));
    // No part of the token is in it.
    assert!(!ids[0].contains(&token[4..12]));
    let refused = renew(&rig, &ids[0], 0).await.unwrap_err();
    assert_eq!(refused.1, "tokens cannot be renewed through this endpoint");
    rig.put("sys/leases/revoke", &rig.root, json!({ "lease_id": ids[0] })).await.unwrap();
    assert!(!is_alive(&rig, &token).await);
    assert_eq!(look_up(&rig, &ids[0]).await.unwrap_err().1, "invalid lease");
    take_back(&active(&rig)).await;
    assert_eq!((users(&rig).await.len(), stored(&active(&rig))), (0, 0));
}

/// Vault 0.6.0: to revoke by the prefix of tokens took secrets along, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn vault_0_6_0_a_prefix_of_tokens_takes_tokens_and_what_is_theirs_only() {
    let rig = rig().await;
    let active = active(&rig);
    let other = customer(&rig, json!({"ttl": "1h"})).await;
    door(&rig).await;
    let mut tokens = Vec::new();
    for _ in 0..30 {
        tokens.push(login(&rig).await);
    }
    lease(&rig, &tokens[0]).await;
    lease(&rig, &other).await;
    let child = rig.put("auth/token/create", &tokens[1], json!({"ttl": "1h"})).await.unwrap();
    tokens.push(child["auth"]["client_token"].as_str().unwrap().to_owned());
    rig.put("sys/leases/revoke-prefix/auth/door/login", &rig.root, json!({})).await.unwrap();
    for token in &tokens {
        assert!(!is_alive(&rig, token).await);
    }
    assert!(is_alive(&rig, &other).await);
    take_back(&active).await;
    assert_eq!(users(&rig).await.len(), 1);
    rig.put("sys/leases/revoke-prefix/db", &rig.root, json!({})).await.unwrap();
    assert!(is_alive(&rig, &other).await);
    assert_eq!(stored(&active), 0);
}

/// Parents and children below the same prefix end together, whoever comes first.
#[tokio::test(flavor = "multi_thread")]
async fn families_below_one_prefix_end() {
    let rig = rig().await;
    let active = active(&rig);
    let before = records(&active, &active.tokens.view);
    let mut tokens = Vec::new();
    for _ in 0..8 {
        let mut last = customer(&rig, json!({"ttl": "1h"})).await;
        for _ in 0..4 {
            let made = rig.put("auth/token/create", &last, json!({"ttl": "1h"})).await.unwrap();
            tokens.push(std::mem::replace(
                &mut last,
                made["auth"]["client_token"].as_str().unwrap().to_owned(),
            ));
        }
        tokens.push(last);
    }
    rig.put("sys/leases/revoke-prefix/auth/token/create", &rig.root, json!({})).await.unwrap();
    for token in &tokens {
        assert!(!is_alive(&rig, token).await);
    }
    // Nothing of them is left, in no index.
    assert_eq!(records(&active, &active.tokens.view), before);
    assert!(is_alive(&rig, &rig.root).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tokens_of_a_disabled_method_are_removed_with_what_is_leased_to_them() {
    let rig = rig().await;
    let active = active(&rig);
    customer(&rig, json!({})).await;
    let before = records(&active, &active.tokens.view);
    door(&rig).await;
    let token = login(&rig).await;
    let id = lease(&rig, &token).await;
    rig.delete("sys/auth/door", &rig.root).await.unwrap();
    assert_eq!(renew(&rig, &id, 0).await.unwrap_err().1, "lease not found");
    // A method of the same name is another one.
    door(&rig).await;
    let new = login(&rig).await;
    take_back(&active).await;
    assert_eq!((users(&rig).await.len(), stored(&active)), (0, 0));
    assert!(is_alive(&rig, &new).await);
    rig.put("auth/token/revoke", &rig.root, json!({ "token": new })).await.unwrap();
    assert_eq!(records(&active, &active.tokens.view), before);
}

/// Any spelling of a user's name that logs in is found by the one that revokes.
#[tokio::test(flavor = "multi_thread")]
async fn c2_no_spelling_of_a_path_hides_a_token_from_its_prefix() {
    let rig = rig().await;
    let folded = rig.get("db/creds/APP", &rig.root).await.unwrap();
    assert!(folded["lease_id"].as_str().unwrap().starts_with("db/creds/app/"));
    rig.put("sys/leases/revoke-prefix/db/creds/app", &rig.root, json!({})).await.unwrap();
    assert_eq!(users(&rig).await.len(), 0);
}

/// What never ends by itself, what wraps an answer and what is stored nowhere are no leases.
#[tokio::test(flavor = "multi_thread")]
async fn some_tokens_are_no_leases() {
    let rig = rig().await;
    assert_eq!(ids(&rig, "auth").await.len(), 0);
    let token = customer(&rig, json!({"ttl": "1h"})).await;
    rig.put("auth/token/create", &token, json!({"type": "batch"})).await.unwrap();
    assert_eq!(ids(&rig, "auth/token/create").await.len(), 1);
    let mut request =
        crate::testing::request(strongroom_types::Operation::Read, "sys/mounts", &rig.root, None);
    request.head.wrap_ttl = Some(60);
    crate::testing::ask(&rig.core, request).await.unwrap();
    assert_eq!(ids(&rig, "sys").await.len(), 0);
}
