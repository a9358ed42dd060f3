//! What looks through much, and what it costs.

use serde_json::json;
use strongroom_engine::Route;
use strongroom_types::Operation;

use crate::perform::Run;
use crate::testing::Rig;
use crate::{sys, tokens};

#[test]
fn no_list_of_cores_own_runs_on_the_threads_that_answer() {
    // Reads that look through everything, too.
    const READS: [&str; 12] = [
        "mounts",
        "auth",
        "policy",
        "policies/acl",
        "locked-users",
        "leases",
        "leases/count",
        "internal/ui/mounts",
        "internal/ui/resultant-acl",
        "internal/specs/openapi",
        "internal/counters/tokens",
        "version-history",
    ];
    let routes = || sys::TABLES.iter().chain(tokens::routes::TABLES).flat_map(|table| table.iter());
    let all = |route: &'static Route<Run>| route.endpoints.iter().map(move |endpoint| (route.path, endpoint));
    let scans = routes().flat_map(all).filter(|(path, endpoint)| match endpoint.operation {
        Operation::List | Operation::Scan => true,
        Operation::Read => READS.contains(path),
        _ => false,
    });
    let mut seen = Vec::new();
    for (path, endpoint) in scans {
        assert!(matches!(endpoint.run, Run::Blocking(_)), "{} of {path}", endpoint.operation.name());
        seen.push(path);
    }
    assert!(READS.iter().all(|read| seen.contains(read)), "a path of this test is no more: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_for_the_mounts_is_shown_theirs_among_many() {
    let rig = Rig::new().await;
    for at in 0..40 {
        rig.put(&format!("sys/mounts/team{at}/toy"), &rig.root, json!({"type": "toy"})).await.unwrap();
    }
    let mut policy =
        r#"path "team3/+/a" { capabilities = ["read"] } path "+/toy/b" { capabilities = ["deny"] }"#
            .to_owned();
    for at in 10..1000 {
        let (path, word) = (format!("team{at}/toy/x"), if at % 2 == 0 { "list" } else { "deny" });
        policy.push_str(&format!("\npath \"{path}\" {{ capabilities = [\"{word}\"] }}"));
    }
    let token = rig.allowed(&policy).await;
    let shown = rig.get("sys/internal/ui/mounts", &token).await.unwrap()["data"]["secret"].clone();
    for at in 0..40 {
        let visible = at == 3 || at >= 10 && at % 2 == 0;
        assert_eq!(shown[format!("team{at}/toy/")].is_object(), visible, "team{at}");
    }
    assert!(shown["cubbyhole/"].is_object(), "the policy default grants it");
}
