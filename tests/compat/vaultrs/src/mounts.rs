use std::collections::HashMap;

use vaultrs::api::sys::requests::EnableEngineRequest;
use vaultrs::sys::{mount, remount};

use crate::checks::Checks;
use crate::seal::Root;

/// KV mounts: `v2/` and `v1/` stay for the others.
pub async fn all(checks: &mut Checks, root: &Root) {
    let root = &root.client;
    for version in ["2", "1"] {
        let mut options = EnableEngineRequest::builder();
        options.options(HashMap::from([("version".to_owned(), version.to_owned())]));
        let made = mount::enable(root, &format!("moving{version}"), "kv", Some(&mut options)).await;
        checks.works("a mount is made", made);
    }
    checks.refused("its path is taken", 400, mount::enable(root, "moving2", "kv", None).await);
    let listed = checks.works("mounts are listed", mount::list(root).await);
    let of = |path: &str| listed.get(path).and_then(|m| m.options.clone()).unwrap_or_default();
    checks.check("with their options", of("moving2/")["version"] == "2" && of("moving1/")["version"] == "1");
    let one = mount::get_configuration_of_a_secret_engine(root, "moving2").await;
    checks.check("one is read", one.unwrap().mount_type == "kv");
    for version in ["2", "1"] {
        let moved = remount::remount(root, &format!("moving{version}"), &format!("v{version}")).await;
        let id = checks.works("a mount is moved", moved).migration_id;
        let mut status = remount::remount_status(root, &id).await;
        for _ in 0..1000 {
            if !status.as_ref().is_ok_and(|status| status.migration_info.status == "in-progress") {
                break;
            }
            status = remount::remount_status(root, &id).await;
        }
        let status = checks.works("the move has a status", status);
        checks.check("it has come to its end", status.migration_info.status == "success");
    }
    checks.works("a mount", mount::enable(root, "short", "kv", None).await);
    checks.works("is ended", mount::disable(root, "short").await);
    checks.check("and gone", !mount::list(root).await.unwrap().contains_key("short/"));
}
