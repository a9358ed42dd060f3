//! The TPM goes and comes back; the bridge dies and is started again.

use strongroom_device_api::DeviceErrorKind::{Gone, Refused};
use strongroom_device_api::KeyDevice;
use strongroom_types::Secret;

use crate::bridge::{fails, key, killing_fails_no_call, until_done};
use crate::fixture::Tpm;

#[tokio::test]
async fn a_tpm_that_goes_and_comes_back_is_used_again() {
    let mut tpm = Tpm::new();
    let _bridge = tpm.bridge();
    let client = tpm.client();
    let plain = Secret::from(vec![6; 32]);
    let wrapped = client.wrap(&key("root"), b"", &plain).await.unwrap();
    for _ in 0..3 {
        tpm.power_off();
        fails(client.unwrap(&key("root"), b"", &wrapped).await, Gone, "");
        fails(client.health().await, Gone, "");
        tpm.power_on("one");
        assert!(until_done(|| async { client.unwrap(&key("root"), b"", &wrapped).await }).await == plain);
    }
    // What comes back is compared again.
    tpm.power_off();
    tpm.power_on("two");
    fails(client.health().await, Refused, "exchanged");
    tpm.power_off();
    tpm.power_on("one");
    until_done(|| client.health()).await;
}

#[tokio::test]
async fn a_tpm_that_is_missing_at_the_start_is_found_later() {
    let mut tpm = Tpm::new();
    tpm.power_off();
    let bridge = tpm.bridge();
    assert!(bridge.log().contains("no TPM answers at --tcti"), "{}", bridge.log());
    fails(tpm.client().identity().await, Gone, "--tcti");
    tpm.power_on("one");
    let identity = until_done(|| async { tpm.client().identity().await }).await;
    assert_eq!((identity.kind.as_str(), identity.serial.len()), ("tpm", 68));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_bridge_fails_no_call() {
    let tpm = Tpm::new();
    killing_fails_no_call(&tpm.client(), || tpm.bridge(), 4, 4, 8).await;
}
