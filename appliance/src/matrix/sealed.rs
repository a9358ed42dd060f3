//! While it is sealed.

use strongroom_engine::Operation;
use strongroom_types::error::Kind as Blame;

use super::Watch;
use super::known::ALWAYS;
use super::rig::{ROOT, spots};

#[tokio::test(flavor = "multi_thread")]
async fn c15_while_sealed_nothing_is_answered_but_what_the_contract_names_and_nothing_changes() {
    let watch = Watch::new().await;
    let before = watch.rig.stored();
    watch.rig.write("sys/seal", &serde_json::json!({})).await;
    let mut always = 0;
    for spot in spots() {
        if !ALWAYS.contains(&spot.path.as_str()) {
            for token in ["", "made-up", ROOT] {
                watch.refused(&spot, spot.ask(token), Blame::Sealed, "sealed").await;
                watch
                    .refused(&spot, spot.ask(token).body("no JSON"), Blame::Sealed, "sealed, odd body")
                    .await;
            }
            continue;
        }
        always += 1;
        match spot.entry.operation {
            // Neither a share, nor a second start.
            Operation::Update => watch.refused(&spot, spot.ask(""), Blame::BadRequest, "sealed").await,
            _ => assert!(watch.rig.ask(spot.ask("")).await.is_ok(), "{spot}"),
        }
    }
    assert_eq!(always, 6);
    assert_eq!(watch.rig.stored(), before);
}
