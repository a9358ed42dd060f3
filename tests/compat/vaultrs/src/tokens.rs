use std::collections::HashMap;

use vaultrs::api::token::requests::{CreateTokenRequest, SetTokenRoleRequest};
use vaultrs::client::Client;
use vaultrs::token;

use crate::checks::Checks;
use crate::client;
use crate::seal::Root;

pub async fn all(checks: &mut Checks, root: &Root) {
    one(checks, root).await;
    role(checks, root).await;
    checks.works("tidy", token::tidy(&root.client).await);
}

async fn one(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    let mut wanted = CreateTokenRequest::builder();
    wanted.policies(vec!["default".to_owned()]).ttl("1h").display_name("build");
    wanted.meta(HashMap::from([("who".to_owned(), "vaultrs".to_owned())]));
    let made = checks.works("a token is made", token::new(root, Some(&mut wanted)).await);
    checks.check("for an hour", made.lease_duration == 3600 && made.renewable);
    let user = client(&made.client_token);
    let mine = checks.works("it knows itself", user.lookup().await);
    checks.check("by name", mine.display_name == "token-build" && mine.meta.unwrap()["who"] == "vaultrs");
    let found = checks.works("it is found", token::lookup(root, &made.client_token).await);
    checks.check("as itself", found.accessor == made.accessor && found.policies == ["default"]);
    let found = checks.works("by its accessor", token::lookup_accessor(root, &made.accessor).await);
    checks.check("without itself", found.id.is_empty());
    checks.works("it renews itself", user.renew(Some("2h")).await);
    let renewed = checks.works("or is renewed", token::renew(root, &made.client_token, Some("3h")).await);
    checks.check("for three hours", renewed.lease_duration == 10_800);
    checks.works("by its accessor", token::renew_accessor(root, &made.accessor, None).await);
    checks.works("it ends itself", user.revoke().await);
    checks.refused("then it is nobody's", 403, user.lookup().await);

    let made = checks.works("an orphan", token::new_orphan(root, None).await);
    checks.check("is one", made.orphan);
    checks.works("ends by its accessor", token::revoke_accessor(root, &made.accessor).await);
    let parent = token::new(root, None).await.unwrap();
    let child = token::new(&client(&parent.client_token), None).await.unwrap();
    checks.works("a parent ends", token::revoke(root, &parent.client_token).await);
    checks.refused("with its child", 403, client(&child.client_token).lookup().await);
}

async fn role(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    let mut wanted = SetTokenRoleRequest::builder();
    wanted.allowed_policies(vec!["default".to_owned()]).orphan(true).renewable(false);
    checks.works("a role is made", token::role::set(root, "vaultrs", Some(&mut wanted)).await);
    let role = checks.works("and read", token::role::read(root, "vaultrs").await);
    checks.check("as made", role.orphan && !role.renewable && role.allowed_policies == ["default"]);
    let listed = checks.works("and listed", token::role::list(root).await);
    checks.check("by name", listed.keys == ["vaultrs"]);
    let made = checks.works("a token of it", token::new_role(root, "vaultrs", None).await);
    checks.check("is as it says", made.orphan && !made.renewable);
    checks.works("the role goes", token::role::delete(root, "vaultrs").await);
    checks.refused("and is gone", 404, token::role::read(root, "vaultrs").await);
}
