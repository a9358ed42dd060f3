//! What only an operation that is not harmless to repeat shows; there is none on the list yet.

use std::sync::Arc;
use std::time::Duration;

use strongroom_types::Secret;
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::*;
use crate::mock::{Fault, MockDevice};
use crate::server::{ServerOptions, serve};

async fn lose(harmless: bool) -> (Arc<MockDevice>, Result<Answer, DeviceError>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let device = MockDevice::new("serial");
    device.set_fault(Fault::Silent);
    let start = || {
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let (stop, stopped) = watch::channel(false);
        let device = Arc::clone(&device) as Arc<dyn KeyDevice>;
        (stop, tokio::spawn(serve(listener, ServerOptions::new(PeerRule::SAME_UID), device, stopped)))
    };
    let (_stop, first) = start();
    let client = Client::new(ClientOptions::new(&socket, PeerRule::SAME_UID));
    let id = KeyId::new("root").unwrap();
    let call = tokio::spawn(async move { client.call(Call::EnsureKey(id), harmless).await });
    while device.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.abort();
    let _ = first.await;
    device.set_fault(Fault::None);
    let (_stop, second) = start();
    let outcome = call.await.unwrap();
    second.abort();
    (device, outcome)
}

#[tokio::test]
async fn a_lost_call_is_repeated_if_harmless() {
    let (device, outcome) = lose(true).await;
    assert!(outcome.is_ok());
    assert_eq!(device.calls(), 2);
}

#[tokio::test]
async fn a_lost_call_is_unknown_if_not_harmless() {
    let (device, outcome) = lose(false).await;
    assert_eq!(outcome.err().map(|error| error.kind), Some(DeviceErrorKind::Unknown));
    assert_eq!(device.calls(), 1);
}

#[tokio::test]
async fn what_cannot_be_right_is_not_sent() {
    let client = Client::new(ClientOptions::new("/does/not/exist", PeerRule::SAME_UID));
    let id = KeyId::new("root").unwrap();
    let misuse = |error: DeviceError| assert_eq!(error.kind, DeviceErrorKind::Misuse);
    misuse(client.random(0).await.err().unwrap());
    misuse(client.wrap(&id, b"", &Secret::from(vec![0; 1025])).await.err().unwrap());
    misuse(client.unwrap(&id, b"", &Wrapped(Vec::new())).await.err().unwrap());
}
