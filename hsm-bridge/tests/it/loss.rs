//! The token goes and comes back; the bridge dies and is started again.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use strongroom_device_api::{DeviceErrorKind, KeyDevice};
use strongroom_types::Secret;

use crate::fixture::{Token, is_kind, key, until};

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
        assert!(is_kind(DeviceErrorKind::Gone)(&client.health().await));
        assert!(is_kind(DeviceErrorKind::Gone)(&client.ensure_key(&key("root")).await));
        fs::remove_dir(token.path("tokens")).unwrap();
        fs::rename(token.path("away"), token.path("tokens")).unwrap();
        let back = until(|| async { client.unwrap(&key("root"), b"", &wrapped).await }, Result::is_ok)
            .await
            .unwrap();
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
    until(|| async { client.ensure_key(&key("other")).await }, Result::is_ok).await.unwrap();
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
    assert!(is_kind(DeviceErrorKind::Gone)(&client.identity().await));
    fs::remove_dir(token.path("tokens")).unwrap();
    fs::rename(token.path("away"), token.path("tokens")).unwrap();
    let identity = until(|| client.identity(), Result::is_ok).await.unwrap();
    assert_eq!(identity.kind, "pkcs11");
    assert_eq!(identity.serial.len(), 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_bridge_fails_no_call() {
    let token = Token::new();
    let mut bridge = token.bridge();
    let client = token.client();
    client.ensure_key(&key("root")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let calls = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> = (0..8_u8)
        .map(|number| {
            let (client, done, calls) = (Arc::clone(&client), Arc::clone(&done), Arc::clone(&calls));
            tokio::spawn(async move {
                let plain = Secret::from(vec![number; 32]);
                while !done.load(Ordering::SeqCst) {
                    let wrapped = client.wrap(&key("root"), &[number], &plain).await?;
                    assert!(client.unwrap(&key("root"), &[number], &wrapped).await? == plain);
                    client.ensure_key(&key("root")).await?;
                    calls.fetch_add(1, Ordering::SeqCst);
                }
                Ok::<_, strongroom_device_api::DeviceError>(())
            })
        })
        .collect();
    for _ in 0..5 {
        let before = calls.load(Ordering::SeqCst);
        while calls.load(Ordering::SeqCst) < before + 20 {
            assert!(callers.iter().all(|caller| !caller.is_finished()), "a call has failed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bridge.kill();
        bridge = token.bridge();
    }
    done.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}
