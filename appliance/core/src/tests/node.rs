//! What is said of this node and its cluster.

use serde_json::json;

use crate::testing::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn each_version_is_noted_once_at_its_first_unseal() {
    let mut rig = Rig::new().await;
    let first = rig.list("sys/version-history", &rig.root).await.unwrap()["data"].clone();
    assert_eq!(first["keys"], json!(["1.20.0"]));
    let about = &first["key_info"]["1.20.0"];
    assert_eq!(
        (&about["previous_version"], &about["timestamp_installed"]),
        (&json!(null), &json!("2027-01-15T08:00:00Z"))
    );
    rig.clock.advance(3600);
    rig.restart();
    rig.unseal().await;
    assert_eq!(rig.list("sys/version-history", &rig.root).await.unwrap()["data"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_alone_says_so() {
    let rig = Rig::new().await;
    let nodes = rig.get("sys/ha-status", &rig.root).await.unwrap()["data"]["nodes"].clone();
    assert_eq!((nodes.as_array().unwrap().len(), &nodes[0]["active_node"]), (1, &json!(true)));
}
