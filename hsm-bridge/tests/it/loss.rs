//! The token goes and comes back; the bridge dies and is started again.

use std::fs;
use strongroom_device_api::{DeviceErrorKind, KeyDevice};
use strongroom_types::Secret;

use crate::bridge::{fails, key, killing_fails_no_call, until_done};
use crate::fixture::Token;

#[tokio::test]
async fn a_token_that_goes_and_comes_back_is_used_again() {
    let token = Token::new();
    let bridge = token.bridge();
    let client = token.client();
    let plain = Secret::from(vec![6; 64]);
    client.ensure_key(&key("root")).await.unwrap();
    let wrapped = client.wrap(&key("root"), b"", &plain).await.unwrap();
    for _ in 0..3 {
        fs::rename(token.path("tokens"), token.path("away")).unwrap();
        fs::create_dir(token.path("tokens")).unwrap();
        let error = client.unwrap(&key("root"), b"", &wrapped).await.err().unwrap();
        assert_eq!(error.kind, DeviceErrorKind::Gone, "{error}");
        assert!(error.message.contains("no such token"), "{error}");
        fails(client.health().await, DeviceErrorKind::Gone, "");
        fails(client.ensure_key(&key("root")).await, DeviceErrorKind::Gone, "");
        fs::remove_dir(token.path("tokens")).unwrap();
        fs::rename(token.path("away"), token.path("tokens")).unwrap();
        let back = until_done(|| async { client.unwrap(&key("root"), b"", &wrapped).await }).await;
        assert!(back == plain);
        client.health().await.unwrap();
    }
    assert!(bridge.log().contains("opened again"), "{}", bridge.log());
}

#[tokio::test]
async fn no_second_key_is_made_while_the_token_looks_empty() {
    let token = Token::new();
    let _bridge = token.bridge();
    let client = token.client();
    client.ensure_key(&key("root")).await.unwrap();
    let wrapped = client.wrap(&key("root"), b"", &Secret::from(vec![1])).await.unwrap();
    fs::rename(token.path("tokens"), token.path("away")).unwrap();
    fs::create_dir(token.path("tokens")).unwrap();
    // Not cached under this id: the lost token says "no objects".
    client.ensure_key(&key("other")).await.unwrap_err();
    fs::remove_dir(token.path("tokens")).unwrap();
    fs::rename(token.path("away"), token.path("tokens")).unwrap();
    until_done(|| async { client.ensure_key(&key("other")).await }).await;
    client.ensure_key(&key("root")).await.unwrap();
    client.unwrap(&key("root"), b"", &wrapped).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_missing_at_the_start_is_found_later() {
    let token = Token::new();
    fs::rename(token.path("tokens"), token.path("away")).unwrap();
    fs::create_dir(token.path("tokens")).unwrap();
    let bridge = token.bridge();
    assert!(bridge.log().contains("no such token"), "{}", bridge.log());
    let client = token.client();
    fails(client.identity().await, DeviceErrorKind::Gone, "");
    fs::remove_dir(token.path("tokens")).unwrap();
    fs::rename(token.path("away"), token.path("tokens")).unwrap();
    let identity = until_done(|| client.identity()).await;
    assert_eq!(identity.kind, "pkcs11");
    assert_eq!(identity.serial.len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_bridge_fails_no_call() {
    let token = Token::new();
    killing_fails_no_call(&token.client(), || token.bridge(), 8, 5, 20).await;
}
