//! What is sealed opens on the same TPM with the same PCRs, and nowhere else.

use std::process::Command;
use std::sync::Arc;

use strongroom_device_api::DeviceErrorKind::Refused;
use strongroom_device_api::{KeyDevice, Wrapped, conformance};
use strongroom_types::Secret;

use crate::bridge::{Bridge, fails, key};
use crate::fixture::{BRIDGE, Tpm};

#[tokio::test]
async fn swtpm_behind_the_bridge_conforms() {
    let tpm = Tpm::new();
    let _bridge = tpm.bridge();
    conformance::run(|| async { tpm.client() as Arc<dyn KeyDevice> }).await.unwrap();
}

#[tokio::test]
async fn every_changed_bit_of_a_wrap_is_refused() {
    let tpm = Tpm::new();
    let _bridge = tpm.bridge();
    let client = tpm.client();
    let wrapped = client.wrap(&key("root"), b"aad", &Secret::from(vec![6; 32])).await.unwrap();
    for bit in 0..wrapped.0.len() * 8 {
        let mut changed = Wrapped(wrapped.0.clone());
        changed.0[bit / 8] ^= 1 << (bit % 8);
        match client.unwrap(&key("root"), b"aad", &changed).await {
            Err(error) if error.kind == Refused => {}
            Err(error) => panic!("bit {bit}: {:?} {error}", error.kind),
            Ok(_) => panic!("bit {bit} does not matter"),
        }
    }
    client.unwrap(&key("root"), b"aad", &wrapped).await.unwrap();
}

#[tokio::test]
async fn a_changed_pcr_refuses_what_is_bound_to_it_only() {
    let tpm = Tpm::new();
    let bridge = |pcrs| Bridge::start(Command::new(BRIDGE).args(tpm.args()).args(["--pcrs", pcrs]));
    let plain = Secret::from(vec![6; 32]);
    let extend = |pcr| tpm.tool("tpm2_pcrextend", &[&format!("{pcr}:sha256={}", "ab".repeat(32))]);

    let mut first = bridge("sha256:7,11");
    let wrapped = tpm.client().wrap(&key("root"), b"", &plain).await.unwrap();
    first.kill();
    extend(12);
    // What was sealed keeps its PCRs, whatever new secrets are bound to.
    let mut second = bridge("sha256:12");
    assert!(tpm.client().unwrap(&key("root"), b"", &wrapped).await.unwrap() == plain);
    second.kill();
    extend(11);
    let _third = bridge("sha256:7,11");
    let client = tpm.client();
    fails(client.unwrap(&key("root"), b"", &wrapped).await, Refused, "PCRs");
    // The TPM is well, and seals to what the PCRs are now. No wrong try has locked anything.
    for _ in 0..40 {
        fails(client.unwrap(&key("root"), b"", &wrapped).await, Refused, "PCRs");
    }
    let again = client.wrap(&key("root"), b"", &plain).await.unwrap();
    assert!(client.unwrap(&key("root"), b"", &again).await.unwrap() == plain);
}

#[tokio::test]
async fn pcrs_that_the_tpm_does_not_keep_are_refused() {
    let mut tpm = Tpm::new();
    tpm.tool("tpm2_pcrallocate", &["sha256:all+sha384:none"]);
    tpm.power_off();
    tpm.power_on("one");
    let _bridge = Bridge::start(Command::new(BRIDGE).args(tpm.args()).args(["--pcrs", "sha384:7"]));
    let client = tpm.client();
    client.health().await.unwrap();
    fails(client.wrap(&key("root"), b"", &Secret::from(vec![1])).await, Refused, "--pcrs");
}

#[tokio::test]
async fn another_tpm_is_told_and_opens_nothing() {
    let mut tpm = Tpm::new();
    let mut bridge = tpm.bridge();
    let plain = Secret::from(vec![6; 32]);
    let wrapped = tpm.client().wrap(&key("root"), b"", &plain).await.unwrap();
    let identity = tpm.client().identity().await.unwrap();
    bridge.kill();

    tpm.power_off();
    tpm.power_on("two");
    let mut bridge = tpm.bridge();
    let client = tpm.client();
    fails(client.unwrap(&key("root"), b"", &wrapped).await, Refused, "exchanged");
    fails(client.health().await, Refused, "exchanged");
    fails(client.random(8).await, Refused, "exchanged");
    fails(client.wrap(&key("root"), b"", &plain).await, Refused, "exchanged");
    bridge.kill();

    // Enrolled anew, it is another device, and still opens nothing of the first.
    std::fs::remove_file(tpm.path("pinned/primary")).unwrap();
    let mut bridge = tpm.bridge();
    let client = tpm.client();
    assert_ne!(client.identity().await.unwrap().serial, identity.serial);
    fails(client.unwrap(&key("root"), b"", &wrapped).await, Refused, "another TPM");
    bridge.kill();
}

#[tokio::test]
async fn without_enrolment_nothing_is_done() {
    let tpm = Tpm::new();
    let args: Vec<String> = tpm.args().into_iter().filter(|arg| arg != "--enrol").collect();
    let mut bridge = Bridge::start(Command::new(BRIDGE).args(&args));
    fails(tpm.client().health().await, Refused, "--enrol");
    assert!(!tpm.path("pinned/primary").exists());
    bridge.kill();
    let mut enrolling = tpm.bridge();
    tpm.client().health().await.unwrap();
    enrolling.kill();
    let _bridge = Bridge::start(Command::new(BRIDGE).args(&args));
    tpm.client().health().await.unwrap();
}
