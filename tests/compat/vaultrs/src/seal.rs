use vaultrs::client::VaultClient;
use vaultrs::sys::{self, ServerStatus};

use crate::checks::Checks;
use crate::client;

fn is_sealed(status: &ServerStatus) -> bool {
    matches!(status, ServerStatus::SEALED)
}

/// What init gives, and the client of the root token.
pub struct Root {
    pub keys: Vec<String>,
    pub client: VaultClient,
}

/// Initialises and unseals.
pub async fn open(checks: &mut Checks) -> Root {
    let nobody = client("");
    let status = checks.works("status is read", sys::status(&nobody).await);
    checks.check("nobody has initialised it", matches!(status, ServerStatus::UNINITIALIZED));
    let made = checks.works("init", sys::start_initialization(&nobody, 3, 2, None).await);
    checks.check("three keys", made.keys.len() == 3 && made.keys_base64.len() == 3);
    checks.check("it is sealed", is_sealed(&sys::status(&nobody).await.unwrap()));
    let again = sys::start_initialization(&nobody, 3, 2, None).await;
    checks.refused("init is once", 400, again);
    unseal(checks, &made.keys).await;
    Root { keys: made.keys, client: client(&made.root_token) }
}

async fn unseal(checks: &mut Checks, keys: &[String]) {
    let nobody = client("");
    let first = sys::unseal(&nobody, Some(keys[2].clone()), None, None).await;
    let first = checks.works("the first key", first);
    checks
        .check("one of two", first.sealed && (first.progress, first.threshold, first.n_shares) == (1, 2, 3));
    let second = sys::unseal(&nobody, Some(keys[0].clone()), None, None).await;
    let second = checks.works("the second", second);
    checks.check("opens it", !second.sealed);
    checks.check("it is active", matches!(sys::status(&nobody).await.unwrap(), ServerStatus::OK));
    let health = checks.works("health", sys::health(&nobody).await);
    checks.check("says so", health.initialized && !health.sealed);
}

/// Seals, sees that nothing is served, unseals, sees that all is there.
pub async fn close(checks: &mut Checks, root: &Root) {
    checks.works("seal", sys::seal(&root.client).await);
    checks.check("it is sealed", is_sealed(&sys::status(&root.client).await.unwrap()));
    checks.refused("and serves nothing", 503, sys::policy::list(&root.client).await);
    unseal(checks, &root.keys).await;
    let policies = checks.works("open again, it lists", sys::policy::list(&root.client).await).policies;
    checks.check("what was there", policies.contains(&"vaultrs".to_owned()));
}
