//! Whoever has a token: has what it gives, as long as it lives, and no more.

use std::time::Duration;

use serde_json::json;
use strongroom_tests::Client;
use strongroom_tests::process::{DEV_ROOT, DevServer, PATIENCE, Plain, errors};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{holding, policy, token};

#[tokio::test(flavor = "multi_thread")]
async fn c14_an_accessor_and_a_piece_of_a_token_are_no_token() {
    let server = DevServer::start().await.unwrap();
    let made =
        server.client().send("POST", "auth/token/create", Some(&json!({"policies": ["default"]}))).await;
    let auth = made.unwrap().body["auth"].clone();
    let (own, accessor) = (auth["client_token"].as_str().unwrap(), auth["accessor"].as_str().unwrap());
    let folded = own.to_uppercase();
    let longer = format!("{own}0");
    for wrong in [
        accessor,
        &own[..own.len() - 1],
        &longer,
        &own[4..],
        &folded,
        &format!("hvb.{}", &own[4..]),
        &format!("hvs.{accessor}"),
        &format!("{own},{DEV_ROOT}"),
        &format!("{own} {DEV_ROOT}"),
    ] {
        let mut client = Client::plain(server.address, wrong);
        for path in ["auth/token/lookup-self", "sys/internal/ui/resultant-acl", "cubbyhole/x"] {
            assert_eq!(client.send("GET", path, None).await.unwrap().status, 403, "{wrong}");
        }
    }
    let mut client = Client::plain(server.address, own);
    assert_eq!(client.send("GET", "auth/token/lookup-self", None).await.unwrap().status, 200);
    // Nor does an accessor give the token back.
    let seen = server
        .client()
        .send("POST", "auth/token/lookup-accessor", Some(&json!({ "accessor": accessor })))
        .await;
    let seen = seen.unwrap();
    assert!(seen.status == 200 && !seen.body.to_string().contains(own), "{}", seen.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_revoked_token_and_all_its_children_are_useless_at_once() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let text = "path \"auth/token/create\" { capabilities = [\"update\"] }\npath \"secret/*\" { capabilities = [\"read\", \"update\", \"create\"] }";
    for way in ["revoke", "revoke-accessor", "revoke-self"] {
        let mut parent = holding(&server, "parent", text).await;
        let mut family = vec![Client::plain(server.address, &parent.token)];
        for _ in 0..5 {
            let maker = family.last_mut().unwrap();
            let child = token(maker, json!({})).await;
            family.push(Client::plain(server.address, &child));
        }
        // One that is stored nowhere ends, too.
        let batch = token(family.last_mut().unwrap(), json!({"type": "batch"})).await;
        family.push(Client::plain(server.address, &batch));
        for member in &mut family {
            assert_eq!(member.send("GET", "secret/data/x", None).await.unwrap().status, 404);
        }
        let own = parent.send("GET", "auth/token/lookup-self", None).await.unwrap();
        // Without the default policy it may not even do that.
        assert_eq!(own.status, 403);
        let seen =
            root.send("POST", "auth/token/lookup", Some(&json!({ "token": parent.token }))).await.unwrap();
        let accessor = seen.body["data"]["accessor"].clone();
        let answer = match way {
            "revoke" => root.send("POST", "auth/token/revoke", Some(&json!({ "token": parent.token }))).await,
            "revoke-accessor" => {
                root.send("POST", "auth/token/revoke-accessor", Some(&json!({ "accessor": accessor }))).await
            }
            _ => {
                policy(
                    &mut root,
                    "parent",
                    &format!("{text}\npath \"auth/token/revoke-self\" {{ capabilities = [\"update\"] }}"),
                )
                .await;
                parent.send("POST", "auth/token/revoke-self", None).await
            }
        };
        assert_eq!(answer.unwrap().status, 204, "{way}");
        for member in &mut family {
            let answer = member.send("GET", "secret/data/x", None).await.unwrap();
            assert_eq!(answer.status, 403, "{way}: {}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_a_token_revoked_while_its_body_is_on_the_way_is_none() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let body = r#"{"data":{"v":"too late"}}"#;
    for change in ["revoke", "policy"] {
        let own =
            holding(&server, "late", "path \"secret/data/late\" { capabilities = [\"create\", \"update\"] }")
                .await
                .token;
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST /v1/secret/data/late HTTP/1.1\r\nHost: v\r\nConnection: close\r\nX-Vault-Token: {own}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        slow.write_all(head.as_bytes()).await.unwrap();
        // The server asks for the body once it has accepted the token.
        let mut go_on = [0; 25];
        tokio::time::timeout(PATIENCE, slow.read_exact(&mut go_on)).await.unwrap().unwrap();
        assert!(go_on.starts_with(b"HTTP/1.1 100"));
        if change == "revoke" {
            root.send("POST", "auth/token/revoke", Some(&json!({ "token": own }))).await.unwrap();
        } else {
            policy(&mut root, "late", "path \"secret/data/late\" { capabilities = [\"deny\"] }").await;
        }
        slow.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, slow.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 403"), "{change}: {answer}");
        assert_eq!(
            root.send("GET", "secret/data/late", None).await.unwrap().status,
            404,
            "{change} had an effect"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c8_uses_are_exact_whatever_is_asked_with_them() {
    let server = DevServer::start().await.unwrap();
    policy(
        &mut server.client(),
        "some",
        "path \"secret/data/*\" { capabilities = [\"read\", \"create\", \"update\"] }",
    )
    .await;
    for round in 0..3 {
        let own = token(&mut server.client(), json!({"policies": ["some"], "num_uses": 20})).await;
        let asked = (0..60).map(|number| {
            let mut client = Client::plain(server.address, &own);
            tokio::spawn(async move {
                let answer = match number % 3 {
                    0 => client.send("GET", "secret/data/absent", None).await,
                    1 => {
                        client
                            .send(
                                "POST",
                                &format!("secret/data/r{round}-{number}"),
                                Some(&json!({"data": {}})),
                            )
                            .await
                    }
                    // Refused by the policy: that costs a use, too.
                    _ => client.send("GET", "sys/mounts", None).await,
                };
                let answer = answer.unwrap();
                // Refused by policy, and refused because there is no such token, are told apart by their text.
                u32::from(answer.status != 403 || errors(&answer.body).starts_with("1 error"))
            })
        });
        let mut used = 0;
        for one in asked.collect::<Vec<_>>() {
            used += one.await.unwrap();
        }
        assert_eq!(used, 20);
        assert_eq!(
            Client::plain(server.address, &own).send("GET", "secret/data/absent", None).await.unwrap().status,
            403
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c16_what_one_token_keeps_no_other_sees() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let one = token(&mut root, json!({"policies": ["default"]})).await;
    let mut one = Client::plain(server.address, &one);
    assert_eq!(one.send("POST", "cubbyhole/a/b", Some(&json!({"v": "own"}))).await.unwrap().status, 204);
    assert_eq!(one.send("GET", "cubbyhole/a/b", None).await.unwrap().body["data"]["v"], "own");
    let child = token(&mut root, json!({"policies": ["default"]})).await;
    for other in [DEV_ROOT.to_owned(), child] {
        let mut other = Client::plain(server.address, &other);
        for (method, path) in
            [("GET", "cubbyhole/a/b"), ("LIST", "cubbyhole"), ("LIST", "cubbyhole/a"), ("SCAN", "cubbyhole")]
        {
            let answer = other.send(method, path, None).await.unwrap();
            assert!((400..500).contains(&answer.status), "{method} {path}: {}", answer.body);
        }
        let id = one.token.clone();
        for path in [format!("cubbyhole/{id}/a/b"), format!("cubbyhole/../{id}/a/b")] {
            assert!((400..500).contains(&other.send("GET", &path, None).await.unwrap().status));
        }
    }
    // A token of the same name later is another token.
    let wish = json!({"id": "chosen", "policies": ["default"]});
    token(&mut root, wish.clone()).await;
    let mut chosen = Client::plain(server.address, "chosen");
    chosen.send("POST", "cubbyhole/x", Some(&json!({"v": "first life"}))).await.unwrap();
    assert_eq!(root.send("POST", "auth/token/create", Some(&wish)).await.unwrap().status, 400);
    root.send("POST", "auth/token/revoke", Some(&json!({"token": "chosen"}))).await.unwrap();
    token(&mut root, wish).await;
    assert_eq!(chosen.send("GET", "cubbyhole/x", None).await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_12757_and_2021_32923_no_wish_makes_a_token_immortal() {
    const MONTH: i64 = 32 * 24 * 3600;
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    for (wish, most) in [
        (json!({}), MONTH),
        (json!({"ttl": 0}), MONTH),
        (json!({"ttl": "0s"}), MONTH),
        (json!({"ttl": ""}), MONTH),
        (json!({"ttl": "1h"}), 3600),
        (json!({"ttl": "1h", "explicit_max_ttl": "10m"}), 600),
        (json!({"explicit_max_ttl": "10m"}), 600),
        (json!({"ttl": "99999h"}), MONTH),
        (json!({"explicit_max_ttl": "99999h"}), MONTH),
        (json!({"period": "99999h"}), MONTH),
        (json!({"period": "10m"}), 600),
        (json!({"period": "1h", "explicit_max_ttl": "10m"}), 600),
        (json!({"lease": "5m"}), 300),
        (json!({"ttl": "1s"}), 1),
        (json!({"ttl": "1ms"}), MONTH),
        (json!({"renewable": false}), MONTH),
    ] {
        let mut wish = wish;
        wish["policies"] = json!(["default"]);
        let made = root.send("POST", "auth/token/create", Some(&wish)).await.unwrap();
        let given =
            made.body["auth"]["lease_duration"].as_i64().unwrap_or_else(|| panic!("{wish}: {}", made.body));
        assert!((1..=most).contains(&given), "{wish} gives {given}");
        let own = made.body["auth"]["client_token"].as_str().unwrap();
        let seen = root.send("POST", "auth/token/lookup", Some(&json!({ "token": own }))).await.unwrap();
        if seen.status == 200 {
            assert!(seen.body["data"]["expire_time"].is_string(), "{wish}: {}", seen.body);
        } else {
            assert_eq!(given, 1, "{wish}");
        }
    }
    for wish in [
        json!({"ttl": -1}),
        json!({"ttl": "-1s"}),
        json!({"explicit_max_ttl": "-5m"}),
        json!({"period": -3600}),
        json!({"num_uses": -1}),
        json!({"ttl": "9223372036854775807h"}),
        json!({"ttl": 1e300}),
        json!({"ttl": "1h1"}),
        json!({"ttl": {"s": 1}}),
        json!({"num_uses": "many"}),
    ] {
        let made = root.send("POST", "auth/token/create", Some(&wish)).await.unwrap();
        assert_eq!(made.status, 400, "{wish}: {}", made.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_a_token_whose_time_ends_while_the_server_is_down_stays_dead() {
    let mut server = Plain::start().await.unwrap();
    let mut root = server.client();
    let short = token(&mut root, json!({"policies": ["default"], "ttl": "2s"})).await;
    let long = token(&mut root, json!({"policies": ["default"], "ttl": "1h"})).await;
    assert_eq!(
        Client::plain(server.address, &short)
            .send("GET", "auth/token/lookup-self", None)
            .await
            .unwrap()
            .status,
        200
    );
    server.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.run().await.unwrap();
    for (own, status) in [(&short, 403), (&long, 200)] {
        let mut client = Client::plain(server.address, own);
        assert_eq!(client.send("GET", "auth/token/lookup-self", None).await.unwrap().status, status);
        let renewed = client.send("POST", "auth/token/renew-self", None).await.unwrap();
        assert_eq!(renewed.status, status, "{}", renewed.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_46405_and_2024_9180_a_refused_request_leaves_no_token_and_no_change() {
    let server = DevServer::start().await.unwrap();
    let mut root = server.client();
    let text = "path \"auth/token/*\" { capabilities = [\"update\"] }\npath \"sys/*\" { capabilities = [\"update\", \"delete\"] }";
    let mut client = holding(&server, "maker", text).await;
    let tokens = root.send("LIST", "auth/token/accessors", None).await.unwrap().body["data"]["keys"].clone();
    let state = async |root: &mut Client| {
        let mut all = Vec::new();
        for (method, path) in [
            ("LIST", "auth/token/accessors"),
            ("GET", "sys/mounts"),
            ("LIST", "sys/policies/acl"),
            ("GET", "sys/policies/acl/maker"),
            ("GET", "sys/key-status"),
        ] {
            let mut body = root.send(method, path, None).await.unwrap().body;
            body["request_id"] = json!("");
            body["encryptions"] = json!(0);
            body["data"]["encryptions"] = json!(0);
            all.push(body);
        }
        all
    };
    let before = state(&mut root).await;
    for _ in 0..20 {
        for (path, body, status) in [
            ("auth/token/create", json!({"policies": ["root"]}), 400),
            ("auth/token/create", json!({"policies": ["other"]}), 400),
            ("auth/token/create", json!({"policies": ["a/b"]}), 400),
            ("auth/token/create", json!({"id": "chosen"}), 400),
            ("auth/token/create", json!({"meta": {"a": 1}}), 400),
            ("auth/token/create", json!({"type": "other"}), 400),
            ("auth/token/create", json!({"entity_alias": "x"}), 400),
            ("auth/token/renew", json!({"token": "none"}), 400),
            ("auth/token/revoke-orphan", json!({"token": DEV_ROOT}), 400),
            (
                "sys/policies/acl/maker",
                json!({"policy": "path \"*\" { capabilities = [\"everything\"] }"}),
                400,
            ),
            ("sys/policies/acl/maker", json!({"policy": "path \"*\" { capabilities = [\"sudo\"] } }"}), 400),
            ("sys/mounts/x", json!({"type": "nothing"}), 400),
            ("sys/mounts/x", json!({"type": "kv", "options": {"version": "3"}}), 400),
            ("sys/mounts/x", json!({"type": "kv", "config": {"max_lease_ttl": "-1h"}}), 400),
            ("sys/mounts/secret/tune", json!({"default_lease_ttl": "2h", "max_lease_ttl": "1h"}), 400),
            ("sys/rotate", json!({}), 403),
            ("sys/seal", json!({}), 403),
        ] {
            let answer = client.send("POST", path, Some(&body)).await.unwrap();
            assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        }
    }
    assert_eq!(state(&mut root).await, before);
    assert_eq!(before[0]["data"]["keys"], tokens);
}
