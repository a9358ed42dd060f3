//! What may be had only so often is had so often, and what may be had by all is had by all, however many ask at once: over HTTPS,
//! from a store on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_tests::Appliance;
use tokio::sync::Barrier;

/// How many connections ask at once; each of them asks [`EACH`] times.
const CONNECTIONS: usize = 50;
const EACH: usize = 20;

/// The statuses of 1,000 requests that begin together: `ask` says what each sends, by its number.
async fn at_once(
    appliance: &Appliance,
    token: &str,
    ask: fn(usize) -> (&'static str, &'static str),
    body: Option<Value>,
) -> BTreeMap<u16, usize> {
    let start = Arc::new(Barrier::new(CONNECTIONS));
    let mut all = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let mut client = appliance.client().unwrap();
        client.token = token.to_owned();
        let (start, body) = (start.clone(), body.clone());
        all.spawn(async move {
            // Connected first, so that none is late.
            assert_eq!(client.send("GET", "sys/health", None).await.unwrap().status, 200);
            start.wait().await;
            let mut statuses = Vec::new();
            for number in 0..EACH {
                let (method, path) = ask(connection + number);
                statuses.push(client.send(method, path, body.as_ref()).await.unwrap().status);
            }
            statuses
        });
    }
    let mut seen = BTreeMap::new();
    while let Some(statuses) = all.join_next().await {
        for status in statuses.unwrap() {
            *seen.entry(status).or_default() += 1;
        }
    }
    seen
}

async fn made(appliance: &Appliance, wish: Value) -> String {
    let made = appliance.client().unwrap().send("POST", "auth/token/create", Some(&wish)).await.unwrap();
    made.body["auth"]["client_token"].as_str().unwrap().to_owned()
}

async fn wrapped(appliance: &Appliance) -> String {
    let mut client = appliance.client().unwrap();
    let body = json!({"a": "b"}).to_string().into_bytes();
    let answer = client.send_raw("POST", "sys/wrapping/wrap", &[("X-Vault-Wrap-TTL", "10m")], body).await;
    answer.unwrap().body["wrap_info"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn c8_of_a_thousand_uses_ten_succeed_and_of_a_thousand_unwraps_one() {
    let appliance = Appliance::start().await.unwrap();
    let mut root = appliance.client().unwrap();

    let token = made(&appliance, json!({"num_uses": 10, "policies": ["default"], "ttl": "1h"})).await;
    let seen = at_once(&appliance, &token, |_| ("GET", "auth/token/lookup-self"), None).await;
    assert_eq!(seen, [(200, 10), (403, 990)].into());
    let gone = json!({ "token": token });
    assert_eq!(root.send("POST", "auth/token/lookup", Some(&gone)).await.unwrap().status, 403);

    // Whatever it is used for: what is refused and what is not found count as well.
    let token = made(&appliance, json!({"num_uses": 10, "policies": ["default"], "ttl": "1h"})).await;
    let mixed = |number| match number % 3 {
        0 => ("GET", "cubbyhole/absent"),
        1 => ("GET", "secret/data/forbidden"),
        _ => ("POST", "auth/token/renew-self"),
    };
    let seen = at_once(&appliance, &token, mixed, None).await;
    let served: usize = seen.iter().filter(|(status, _)| **status != 403).map(|(_, count)| count).sum();
    assert!(served <= 10, "{seen:?}");
    assert_eq!(
        root.send("POST", "auth/token/lookup", Some(&json!({ "token": token }))).await.unwrap().status,
        403
    );

    let token = wrapped(&appliance).await;
    let seen = at_once(&appliance, &token, |_| ("POST", "sys/wrapping/unwrap"), None).await;
    assert_eq!(seen, [(200, 1), (400, 999)].into());

    // Either somebody has the answer, or nobody: a wrapping token may not wrap anew by itself, and trying costs its use.
    let token = wrapped(&appliance).await;
    let either = |number| match number % 2 {
        0 => ("POST", "sys/wrapping/unwrap"),
        _ => ("POST", "sys/wrapping/rewrap"),
    };
    let seen = at_once(&appliance, &token, either, None).await;
    assert!([[(200, 1), (400, 999)], [(403, 1), (400, 999)]].map(BTreeMap::from).contains(&seen), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_who_change_one_record_at_once_all_succeed() {
    let appliance = Appliance::start().await.unwrap();
    let mut root = appliance.client().unwrap();
    let kv = json!({"type": "kv", "options": {"version": "2"}});
    assert_eq!(root.send("POST", "sys/mounts/hot", Some(&kv)).await.unwrap().status, 204);
    let token = root.token.clone();

    let body = json!({"data": {"value": "x"}});
    let seen = at_once(&appliance, &token, |_| ("POST", "hot/data/one"), Some(body)).await;
    assert_eq!(seen, [(200, 1000)].into());
    let last = root.send("GET", "hot/metadata/one", None).await.unwrap();
    assert_eq!(last.body["data"]["current_version"], 1000, "each is a version of its own");

    let token = made(&appliance, json!({"policies": ["default"], "ttl": "1h"})).await;
    let seen = at_once(&appliance, &token, |_| ("POST", "auth/token/renew-self"), None).await;
    assert_eq!(seen, [(200, 1000)].into());
}
