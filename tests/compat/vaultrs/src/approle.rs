use vaultrs::api::auth::approle::requests::SetAppRoleRequest;
use vaultrs::auth::approle::{self, role};
use vaultrs::client::Client;
use vaultrs::sys::auth;

use crate::checks::Checks;
use crate::client;
use crate::seal::Root;

const MOUNT: &str = "jobs";

pub async fn all(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    checks.works("AppRole is enabled", auth::enable(root, MOUNT, "approle", None).await);
    let mut wanted = SetAppRoleRequest::builder();
    wanted.token_policies(vec!["vaultrs".to_owned()]).token_ttl("20m").secret_id_num_uses(1_u64);
    checks.works("a role is made", role::set(root, MOUNT, "job", Some(&mut wanted)).await);
    let made = checks.works("and read", role::read(root, MOUNT, "job").await);
    checks.check("as made", made.token_ttl == 1200 && made.secret_id_num_uses == 1 && made.bind_secret_id);
    checks.check("and listed", role::list(root, MOUNT).await.unwrap().keys == ["job"]);
    let id = checks.works("it has an id", role::read_id(root, MOUNT, "job").await).role_id;

    let secret = checks.works("and a secret", role::secret::generate(root, MOUNT, "job", None).await);
    let login = approle::login(&client(""), MOUNT, &id, &secret.secret_id).await;
    let login = checks.works("they log in", login);
    checks.check("with its policies", login.policies == ["default", "vaultrs"]);
    let mine = checks.works("the token knows itself", client(&login.client_token).lookup().await);
    checks.check("and its role", mine.meta.unwrap()["role_name"] == "job");
    let again = approle::login(&client(""), MOUNT, &id, &secret.secret_id).await;
    checks.refused("the secret was for once", 400, again);

    let secret = role::secret::custom(root, MOUNT, "job", "a-secret-of-our-own", None).await;
    let secret = checks.works("a secret of one's own", secret);
    let listed = checks.works("secrets are listed", role::secret::list(root, MOUNT, "job").await);
    checks.check("by accessor", listed.keys == [secret.secret_id_accessor.clone()]);
    let read = role::secret::read_accessor(root, MOUNT, "job", &secret.secret_id_accessor).await;
    checks.check("and read by it", read.unwrap().secret_id_accessor == secret.secret_id_accessor);
    let ended = role::secret::delete_accessor(root, MOUNT, "job", &secret.secret_id_accessor).await;
    checks.works("and ended by it", ended);
    let login = approle::login(&client(""), MOUNT, &id, &secret.secret_id).await;
    checks.refused("then it opens nothing", 400, login);

    let named = role::update_id(root, MOUNT, "job", "a-name-of-ours").await;
    checks.works("the role may be named", named);
    checks.works("tidied", approle::tidy(root, MOUNT).await);
    checks.works("and go", role::delete(root, MOUNT, "job").await);
    checks.refused("it is gone", 404, role::read(root, MOUNT, "job").await);
    checks.works("AppRole can go", auth::disable(root, MOUNT).await);
}
