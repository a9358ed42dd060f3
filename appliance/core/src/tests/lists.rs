//! Every list of core's own routes, by the page.

use serde_json::{Value, json};
use strongroom_types::Operation;
use strongroom_types::error::Kind;

use crate::testing::{Answer, Rig};

const PASSWORD: &str = r#"length = 20
rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" }"#;

/// Two of each thing that can be listed.
async fn filled() -> Rig {
    let rig = Rig::new().await;
    rig.mount().await;
    let put = async |path: &str, body: Value| rig.put(path, &rig.root, body).await.unwrap();
    for (name, scope) in [("one", ""), ("two", "toy/")] {
        put(&format!("sys/policies/password/{name}"), json!({ "policy": PASSWORD })).await;
        put(&format!("sys/quotas/rate-limit/{name}"), json!({"rate": 1e6, "path": scope})).await;
        put(&format!("sys/quotas/lease-count/{name}"), json!({"max_leases": 99, "path": scope})).await;
        put(&format!("sys/config/ui/headers/x-{name}"), json!({"values": ["1"]})).await;
        put(&format!("auth/token/roles/{name}"), json!({})).await;
        put(&format!("auth/token/create/{name}"), json!({"policies": ["default"], "ttl": "1h"})).await;
    }
    put("sys/auth/door", json!({"type": "door"})).await;
    put("sys/mounts/db", json!({"type": "vending"})).await;
    put("db/role/app", json!({"ttl": "10m"})).await;
    rig.get("db/creds/app", &rig.root).await.unwrap();
    rig
}

fn keys(path: &str, answer: Answer) -> Vec<Value> {
    match answer {
        Ok(shown) => shown["data"]["keys"].as_array().unwrap().clone(),
        Err((Kind::NotFound, _)) => Vec::new(),
        Err(refused) => panic!("{path}: {refused:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_given_by_the_page_and_as_long_as_a_policy_allows() {
    let rig = filled().await;
    let policy = r#"path "*" { capabilities = ["list", "sudo"] pagination_limit = 1 }"#;
    rig.allowed(policy).await;
    // The default policy says something else of some of the paths.
    let limited = rig.token(json!({"policies": ["test"], "no_default_policy": true})).await;
    let lists = crate::surface().into_iter().filter(|entry| entry.operation == Operation::List);
    let paths: Vec<String> = lists
        .map(|entry| {
            // The parameters that these tables' lists have.
            let path = entry.path.replace("{type}", "auth").replace("{prefix*}", "auth/token/create");
            format!("{}/{path}", entry.prefix)
        })
        .collect();
    assert!(paths.len() > 9 && paths.iter().all(|path| !path.contains('{')), "{paths:?}");
    for path in paths {
        let all = keys(&path, rig.list(&path, &rig.root).await);
        // There is one version of this program.
        assert!(all.len() > 1 || path == "sys/version-history", "{path}: {all:?}");
        let first = all[0].as_str().unwrap();
        for (query, asker, expected) in [
            ("limit=1", &rig.root, &all[..1]),
            ("limit=99", &rig.root, &all[..]),
            (&format!("after={first}"), &rig.root, &all[1..]),
            (&format!("after={first}&limit=1"), &rig.root, &all[1..all.len().min(2)]),
            ("", &limited, &all[..1]),
            ("limit=2", &limited, &all[..1]),
        ] {
            let given = rig.list(&format!("{path}?{query}"), asker).await;
            let about = given.as_ref().ok().and_then(|shown| shown["data"]["key_info"].as_object());
            assert!(about.is_none_or(|about| about.len() == expected.len()), "{path}?{query}: {given:?}");
            assert_eq!(keys(&path, given), expected, "{path}?{query}");
        }
    }
}
