//! Leases from their making to their end. Ids in the names are those of the classes of flaws in SECURITY.md.

mod conflicts;
mod ends;
mod failures;
mod makes;
mod many;
mod mounts;
mod tokens;

use std::sync::Arc;

use serde_json::{Value, json};

use super::work::look;
use crate::active::Active;
use crate::sweep::Swept;
use crate::testing::{Answer, Rig};
pub use crate::tests::sweep::{active, records, sweep_all};

/// A vending machine at `db/`, with a role that gives users for ten minutes, and for an hour at most.
async fn rig() -> Rig {
    machine(Rig::new().await).await
}

async fn machine(rig: Rig) -> Rig {
    rig.put("sys/mounts/db", &rig.root, json!({"type": "vending"})).await.unwrap();
    rig.put("db/role/app", &rig.root, json!({"ttl": "10m", "max_ttl": "1h"})).await.unwrap();
    rig
}

/// A lease of `token`'s: its id.
async fn lease(rig: &Rig, token: &str) -> String {
    let given = rig.get("db/creds/app", token).await.unwrap();
    given["lease_id"].as_str().unwrap().to_owned()
}

async fn renew(rig: &Rig, id: &str, increment: i64) -> Answer {
    rig.put("sys/leases/renew", &rig.root, json!({"lease_id": id, "increment": increment})).await
}

async fn look_up(rig: &Rig, id: &str) -> Answer {
    rig.put("sys/leases/lookup", &rig.root, json!({ "lease_id": id })).await
}

/// What the machine has given and not taken back.
async fn users(rig: &Rig) -> Vec<String> {
    users_of(rig, "db").await
}

async fn users_of(rig: &Rig, mount: &str) -> Vec<String> {
    let listed =
        rig.list(&format!("{mount}/users"), &rig.root).await.map(|listed| listed["data"]["keys"].clone());
    serde_json::from_value(listed.unwrap_or_else(|_| json!([]))).unwrap()
}

/// Takes back all that is due now.
async fn take_back(active: &Arc<Active>) {
    for _ in 0..1000 {
        if look(active).await.unwrap() == Swept::All {
            return;
        }
    }
    panic!("there is no end of what is due");
}

/// A token that may use the machine.
async fn customer(rig: &Rig, wish: Value) -> String {
    let policy = r#"path "db/*" { capabilities = ["read", "list"] } path "auth/token/create" { capabilities = ["update"] }"#;
    rig.put("sys/policies/acl/customer", &rig.root, json!({ "policy": policy })).await.unwrap();
    let mut wish = wish;
    wish["policies"] = json!(["customer"]);
    rig.token(wish).await
}

/// How many records the leases have in all.
fn stored(active: &Active) -> usize {
    records(active, &active.leases.view)
}
