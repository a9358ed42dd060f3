use vaultrs::auth::userpass;
use vaultrs::auth::userpass::user;
use vaultrs::sys::{auth, policy};
use vaultrs::{client::Client, kv2};

use crate::checks::Checks;
use crate::client;
use crate::seal::Root;

const RULES: &str = r#"path "v2/data/app/*" { capabilities = ["read"] }"#;

pub async fn all(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    checks.works("a policy is written", policy::set(root, "vaultrs", RULES).await);
    checks.check("read", policy::read(root, "vaultrs").await.unwrap().rules == RULES);
    let listed = policy::list(root).await.unwrap().policies;
    checks.check("listed", listed == ["default", "root", "vaultrs"]);
    checks.refused("one that does not parse", 400, policy::set(root, "vaultrs", "path {").await);
    policy::set(root, "short", RULES).await.unwrap();
    checks.works("one can go", policy::delete(root, "short").await);

    checks.works("an auth method", auth::enable(root, "people", "userpass", None).await);
    let listed = checks.works("is listed", auth::list(root).await);
    checks.check("as what it is", listed["people/"].mount_type == "userpass");
    checks.works("a user is made", user::set(root, "people", "ann", "correct horse", None).await);
    checks.works("with policies", user::update_policies(root, "people", "ann", "vaultrs").await);
    let ann = checks.works("and read", user::read(root, "people", "ann").await);
    checks.check("with them", ann.token_policies == ["vaultrs"]);
    checks.check("listed", user::list(root, "people").await.unwrap().keys == ["ann"]);
    let login = userpass::login(&client(""), "people", "ann", "correct horse").await;
    let login = checks.works("a login", login);
    checks.check("has them too", login.policies == ["default", "vaultrs"]);
    let ann = client(&login.client_token);
    kv2::set(root, "v2", "app/x", &serde_json::json!({"a": "b"})).await.unwrap();
    let read = kv2::read::<serde_json::Value>(&ann, "v2", "app/x").await;
    checks.works("it may read", read);
    let wrote = kv2::set(&ann, "v2", "app/x", &serde_json::json!({"a": "c"})).await;
    checks.refused("not write", 403, wrote);
    checks.refused("nor see policies", 403, policy::list(&ann).await);
    let changed = user::update_password(root, "people", "ann", "battery staple").await;
    checks.works("the password changes", changed);
    let old = userpass::login(&client(""), "people", "ann", "correct horse").await;
    checks.refused("the old one is gone", 400, old);
    userpass::login(&client(""), "people", "ann", "battery staple").await.unwrap();
    checks.works("a user can go", user::delete(root, "people", "ann").await);
    checks.works("the method can go", auth::disable(root, "people").await);
    checks.refused("and its tokens with it", 403, ann.lookup().await);
}
