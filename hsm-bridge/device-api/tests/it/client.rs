//! What a caller sees when bridge or device misbehave.

use std::sync::Arc;
use std::time::Duration;

use strongroom_device_api::conformance;
use strongroom_device_api::mock::{Fault, MockDevice};
use strongroom_device_api::server::ServerOptions;
use strongroom_device_api::{Client, ClientOptions, DeviceErrorKind, KeyDevice, PeerRule};
use strongroom_types::Secret;
use tokio::task::JoinHandle;

use crate::fixture::{Bridge, Place, key, kind, short};

#[tokio::test]
async fn the_mock_conforms() {
    let device = MockDevice::new("serial");
    conformance::run(|| async { Arc::clone(&device) as Arc<dyn KeyDevice> }).await.unwrap();
}

#[tokio::test]
async fn the_mock_behind_the_socket_conforms() {
    let place = Place::new();
    let bridge = Bridge::start(&place.socket(), &place.device);
    conformance::run(|| async { Client::new(place.options()) as Arc<dyn KeyDevice> }).await.unwrap();
    bridge.stop().await;
}

#[tokio::test]
async fn the_suite_finds_a_device_that_lies() {
    let device = MockDevice::new("serial");
    device.set_fault(Fault::Lying);
    assert!(conformance::run(|| async { Arc::clone(&device) as Arc<dyn KeyDevice> }).await.is_err());
}

#[tokio::test]
async fn a_bridge_that_comes_late_is_waited_for() {
    let place = Place::new();
    let client = Client::new(place.options());
    let call = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.health().await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let bridge = Bridge::start(&place.socket(), &place.device);
    call.await.unwrap().unwrap();
    bridge.stop().await;
}

#[tokio::test]
async fn no_bridge_is_gone_and_the_error_names_the_socket() {
    let place = Place::new();
    let error = short(place.options()).health().await.unwrap_err();
    assert_eq!(error.kind, DeviceErrorKind::Gone);
    assert!(error.message.contains(place.socket().to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn calls_in_flight_survive_the_death_of_the_bridge() {
    let place = Place::new();
    place.device.set_fault(Fault::Slow(Duration::from_millis(50)));
    let mut bridge = Bridge::start(&place.socket(), &place.device);
    let client = Client::new(place.options());
    client.ensure_key(&key()).await.unwrap();
    let calls: Vec<_> = (0..100_u8)
        .map(|number| {
            let client = Arc::clone(&client);
            tokio::spawn(async move {
                let plain = Secret::from(vec![number; 32]);
                let wrapped = client.wrap(&key(), &[number], &plain).await?;
                let back = client.unwrap(&key(), &[number], &wrapped).await?;
                assert!(back == plain);
                Ok::<_, strongroom_device_api::DeviceError>(())
            })
        })
        .collect();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(70)).await;
        bridge.kill().await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        bridge = Bridge::start(&place.socket(), &place.device);
    }
    for call in calls {
        call.await.unwrap().unwrap();
    }
    bridge.stop().await;
}

#[tokio::test]
async fn a_lost_call_is_unknown_when_the_bridge_stays_away() {
    let place = Place::new();
    place.device.set_fault(Fault::Silent);
    let bridge = Bridge::start(&place.socket(), &place.device);
    let mut options = place.options();
    options.start_deadline = Duration::from_millis(300);
    let client = Client::new(options);
    let call = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.health().await }
    });
    while place.device.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bridge.kill().await;
    std::fs::remove_file(place.socket()).unwrap();
    assert_eq!(kind(call.await.unwrap()), DeviceErrorKind::Unknown);
}

#[tokio::test]
async fn a_silent_device_is_unknown_after_the_deadline_and_others_are_answered() {
    let place = Place::new();
    let bridge = Bridge::start(&place.socket(), &place.device);
    let client = short(place.options());
    client.health().await.unwrap();
    place.device.set_fault(Fault::Silent);
    assert_eq!(kind(client.health().await), DeviceErrorKind::Unknown);
    place.device.set_fault(Fault::None);
    client.health().await.unwrap();
    bridge.stop().await;
}

#[tokio::test]
async fn a_deadline_that_passes_before_the_device_is_asked_means_not_done() {
    let place = Place::new();
    let mut options = ServerOptions::new(PeerRule::SAME_UID);
    options.concurrency = 1;
    let bridge = Bridge::start_with(&place.socket(), &place.device, options);
    let slow = Client::new(place.options());
    slow.health().await.unwrap();
    place.device.set_fault(Fault::Slow(Duration::from_millis(900)));
    let busy = tokio::spawn(async move { slow.health().await });
    while place.device.calls() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(kind(short(place.options()).ensure_key(&key()).await), DeviceErrorKind::Retry);
    busy.await.unwrap().unwrap();
    assert_eq!((place.device.calls(), place.device.keys()), (2, 0));
    bridge.stop().await;
}

#[tokio::test]
async fn a_full_queue_is_retry_at_once() {
    let place = Place::new();
    place.device.set_fault(Fault::Silent);
    let bridge = Bridge::start(&place.socket(), &place.device);
    let mut options = place.options();
    options.queue = 3;
    let client = Client::new(options);
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.health().await })
        })
        .collect();
    while place.device.calls() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(kind(client.health().await), DeviceErrorKind::Retry);
    calls.iter().for_each(JoinHandle::abort);
    for call in calls {
        let _ = call.await;
    }
    bridge.kill().await;
}

#[tokio::test]
async fn more_calls_than_the_window_wait_their_turn() {
    let place = Place::new();
    let mut options = ServerOptions::new(PeerRule::SAME_UID);
    (options.window, options.concurrency) = (2, 1);
    let bridge = Bridge::start_with(&place.socket(), &place.device, options);
    let client = Client::new(place.options());
    let calls: Vec<_> = (1..=40_usize)
        .map(|count| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.random(count).await.map(|random| random.len()) })
        })
        .collect();
    for (count, call) in (1..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), count);
    }
    bridge.stop().await;
}

#[tokio::test]
async fn the_devices_own_errors_come_through() {
    let place = Place::new();
    let bridge = Bridge::start(&place.socket(), &place.device);
    let client = Client::new(place.options());
    use DeviceErrorKind::*;
    for expected in [Retry, Gone, Unknown, Login, Refused, Misuse, Fatal] {
        place.device.set_fault(Fault::FailsTimes(1, expected));
        assert_eq!(kind(client.health().await), expected);
        client.health().await.unwrap();
    }
    bridge.stop().await;
}

#[tokio::test]
async fn a_graceful_stop_answers_what_is_in_flight() {
    let place = Place::new();
    place.device.set_fault(Fault::Slow(Duration::from_millis(200)));
    let bridge = Bridge::start(&place.socket(), &place.device);
    let client = short(place.options());
    let call = tokio::spawn({
        let client = Arc::clone(&client);
        async move { client.health().await }
    });
    while place.device.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bridge.stop().await;
    call.await.unwrap().unwrap();
    assert_eq!(kind(client.health().await), DeviceErrorKind::Gone);
}

#[tokio::test]
async fn equal_users_are_refused_by_both_ends_unless_allowed() {
    let place = Place::new();
    let strict = PeerRule { uid: Some(1), allow_same_uid: false };
    let bridge = Bridge::start(&place.socket(), &place.device);
    let error = short(ClientOptions::new(place.socket(), strict)).health().await.unwrap_err();
    assert_eq!(error.kind, DeviceErrorKind::Refused);
    bridge.stop().await;
    let bridge = Bridge::start_with(&place.socket(), &place.device, ServerOptions::new(strict));
    assert_eq!(kind(short(place.options()).health().await), DeviceErrorKind::Gone);
    assert_eq!(place.device.calls(), 0);
    bridge.stop().await;
}

#[tokio::test]
async fn connections_are_limited() {
    let place = Place::new();
    let mut options = ServerOptions::new(PeerRule::SAME_UID);
    options.connections = 1;
    let bridge = Bridge::start_with(&place.socket(), &place.device, options);
    let client = Client::new(place.options());
    client.health().await.unwrap();
    assert_eq!(kind(short(place.options()).health().await), DeviceErrorKind::Gone);
    client.health().await.unwrap();
    bridge.stop().await;
}
