use std::collections::HashMap;

use serde_json::{Value, json};
use vaultrs::api::ResponseWrapper;
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretMetadataRequest, SetSecretRequestOptions};
use vaultrs::error::ClientError;
use vaultrs::{cubbyhole, kv1, kv2};

use crate::checks::Checks;
use crate::client;
use crate::seal::Root;

pub async fn all(checks: &mut Checks, root: &Root) {
    version_1(checks, root).await;
    version_2(checks, root).await;
    own(checks, root).await;
    wrapped(checks, root).await;
}

async fn version_1(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    let secret = HashMap::from([("user", "ann"), ("password", "correct horse")]);
    checks.works("v1 writes", kv1::set(root, "v1", "app/db", &secret).await);
    let read: HashMap<String, String> = checks.works("v1 reads", kv1::get(root, "v1", "app/db").await);
    checks.check("what was written", read["password"] == "correct horse");
    let listed = checks.works("v1 lists", kv1::list(root, "v1", "app").await);
    checks.check("one name", listed.data.keys == ["db"]);
    checks.works("v1 deletes", kv1::delete(root, "v1", "app/db").await);
    checks.refused("then it is gone", 404, kv1::get::<Value>(root, "v1", "app/db").await);
}

async fn version_2(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    let first = checks.works("v2 writes", kv2::set(root, "v2", "app/db", &json!({"n": 1})).await);
    let second = checks.works("again", kv2::set(root, "v2", "app/db", &json!({"n": 2})).await);
    checks.check("two versions", (first.version, second.version) == (1, 2));
    let read: Value = checks.works("v2 reads", kv2::read(root, "v2", "app/db").await);
    let old: Value = checks.works("an old version too", kv2::read_version(root, "v2", "app/db", 1).await);
    checks.check("what was written", (&read, &old) == (&json!({"n": 2}), &json!({"n": 1})));
    let cas = |cas| SetSecretRequestOptions { cas };
    let wrong = kv2::set_with_options(root, "v2", "app/db", &json!({"n": 3}), cas(1)).await;
    checks.refused("a wrong cas", 400, wrong);
    let right = kv2::set_with_options(root, "v2", "app/db", &json!({"n": 3}), cas(2)).await;
    checks.works("a right one", right);
    checks.check("names", kv2::list(root, "v2", "app").await.unwrap() == ["db"]);
    checks.works("the newest is deleted", kv2::delete_latest(root, "v2", "app/db").await);
    // A deleted version: 404, but with what is known of it instead of errors.
    let deleted = kv2::read::<Value>(root, "v2", "app/db").await;
    checks.check("and not read", matches!(deleted, Err(ClientError::RestClientError { .. })));
    checks.works("undeleted", kv2::undelete_versions(root, "v2", "app/db", vec![3]).await);
    checks.check("it is back", kv2::read::<Value>(root, "v2", "app/db").await.unwrap() == json!({"n": 3}));
    checks.works("versions are deleted", kv2::delete_versions(root, "v2", "app/db", vec![1]).await);
    checks.works("and destroyed", kv2::destroy_versions(root, "v2", "app/db", vec![2]).await);
    let mut about = SetSecretMetadataRequest::builder();
    about.max_versions(5_u64).custom_metadata(HashMap::from([("owner".to_owned(), "me".to_owned())]));
    checks.works("metadata is set", kv2::set_metadata(root, "v2", "app/db", Some(&mut about)).await);
    let about = checks.works("and read", kv2::read_metadata(root, "v2", "app/db").await);
    checks.check("owner", about.custom_metadata.unwrap()["owner"] == "me" && about.max_versions == 5);
    checks.check("deleted", !about.versions["1"].deletion_time.is_empty() && about.versions["2"].destroyed);
    let config = checks.works("the mount's configuration", kv2::config::read(root, "v2").await);
    checks.check("nothing is forced", !config.cas_required);
    checks.works("all of it can go", kv2::delete_metadata(root, "v2", "app/db").await);
    checks.refused("then nothing is listed", 404, kv2::list(root, "v2", "app").await);
}

async fn own(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    let secret = HashMap::from([("mine", "alone")]);
    checks.works("the cubbyhole writes", cubbyhole::set(root, "cubbyhole", "a", &secret).await);
    let read: HashMap<String, String> =
        checks.works("and reads", cubbyhole::get(root, "cubbyhole", "a").await);
    checks.check("what was written", read["mine"] == "alone");
}

async fn wrapped(checks: &mut Checks, root: &Root) {
    kv2::set(&root.client, "v2", "gift", &json!({"in": "side"})).await.unwrap();
    let read = || ReadSecretRequest::builder().mount("v2").path("gift").version(None).build().unwrap();
    let gift = checks.works("an answer is wrapped", read().wrap(&root.client).await);
    let found = checks.works("looked at", gift.lookup(&root.client).await);
    checks.check("it tells its origin", found.creation_path == "v2/data/gift" && found.creation_ttl == 600);
    let opened = checks.works("opened by anybody", gift.unwrap(&client(&gift.info.token)).await);
    checks.check("it is the answer", opened.data == json!({"in": "side"}));
    checks.check("and is opened once", gift.unwrap(&root.client).await.is_err());
}
