//! What a bridge does with a client that is not ours.

use std::time::Duration;

use strongroom_device_api::server::ServerOptions;
use strongroom_device_api::wire::{Answer, Call, Frame, MAX_FRAME, Reply, Request};
use strongroom_device_api::{Client, DeviceErrorKind, KeyDevice, PeerRule};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::fixture::{Bridge, Place};

/// A client that is not ours.
async fn raw(place: &Place) -> UnixStream {
    UnixStream::connect(place.socket()).await.unwrap()
}

async fn send(stream: &mut UnixStream, frame: &Frame) {
    stream.write_all(frame.encode().unwrap().expose()).await.unwrap();
}

async fn read(stream: &mut UnixStream) -> Option<Frame> {
    let length = stream.read_u32().await.ok()?;
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.ok()?;
    Frame::decode(&body).ok()
}

#[tokio::test]
async fn an_unknown_operation_is_refused_and_the_connection_stays() {
    let place = Place::new();
    let bridge = Bridge::start(&place.socket(), &place.device);
    let mut stream = raw(&place).await;
    send(&mut stream, &Frame::Hello { lowest: 1, highest: 9 }).await;
    assert!(matches!(read(&mut stream).await, Some(Frame::Welcome { version: 1, window: 64 })));
    let request = |id| Frame::Request(Request { id, deadline_ms: 1000, harmless: true, call: Call::Health });
    let mut unknown = request(5).encode().unwrap().expose().to_vec();
    *unknown.last_mut().unwrap() = 200;
    stream.write_all(&unknown).await.unwrap();
    let Some(Frame::Reply(Reply { id: 5, outcome: Err(error) })) = read(&mut stream).await else {
        panic!("no refusal");
    };
    assert_eq!(error.kind, DeviceErrorKind::Refused);
    send(&mut stream, &request(6)).await;
    assert!(matches!(read(&mut stream).await, Some(Frame::Reply(Reply { id: 6, outcome: Ok(_) }))));
    assert_eq!(place.device.calls(), 1);
    bridge.stop().await;
}

#[tokio::test]
async fn a_client_of_another_version_is_told_and_closed() {
    let place = Place::new();
    let bridge = Bridge::start(&place.socket(), &place.device);
    let mut stream = raw(&place).await;
    send(&mut stream, &Frame::Hello { lowest: 2, highest: 3 }).await;
    assert!(matches!(read(&mut stream).await, Some(Frame::Welcome { version: 0, .. })));
    assert!(read(&mut stream).await.is_none());
    bridge.stop().await;
}

#[tokio::test]
async fn hostile_bytes_end_their_connection_only() {
    let place = Place::new();
    let mut options = ServerOptions::new(PeerRule::SAME_UID);
    options.patience = Duration::from_millis(200);
    let bridge = Bridge::start_with(&place.socket(), &place.device, options);
    let hello = Frame::Hello { lowest: 1, highest: 1 }.encode().unwrap().expose().to_vec();
    let request = Frame::Request(Request { id: 1, deadline_ms: 1000, harmless: true, call: Call::Health });
    let request = request.encode().unwrap().expose().to_vec();
    let reply = Frame::Reply(Reply { id: 1, outcome: Ok(Answer::Health) });
    let reply = reply.encode().unwrap().expose().to_vec();
    let attacks: [Vec<u8>; 8] = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0xff; MAX_FRAME],
        vec![0; 64],
        request.clone(),
        [hello.as_slice(), &[0xff; 100]].concat(),
        [hello.as_slice(), reply.as_slice()].concat(),
        [hello.as_slice(), hello.as_slice()].concat(),
        // Half a frame, and then silence.
        [hello.as_slice(), &request[..10]].concat(),
    ];
    for attack in attacks {
        let mut stream = raw(&place).await;
        // It may be closed before all is written.
        let _ = stream.write_all(&attack).await;
        let mut answer = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "the connection stays open after {attack:02x?}");
    }
    assert_eq!(place.device.calls(), 0);
    Client::new(place.options()).health().await.unwrap();
    bridge.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_take_its_replies_is_cut_off() {
    let place = Place::new();
    let mut options = ServerOptions::new(PeerRule::SAME_UID);
    options.patience = Duration::from_millis(200);
    let bridge = Bridge::start_with(&place.socket(), &place.device, options);
    let mut stream = raw(&place).await;
    send(&mut stream, &Frame::Hello { lowest: 1, highest: 1 }).await;
    let request =
        Frame::Request(Request { id: 1, deadline_ms: 60_000, harmless: true, call: Call::Random(1024) });
    let request = request.encode().unwrap();
    let mut cut_off = false;
    for _ in 0..100_000 {
        if stream.write_all(request.expose()).await.is_err() {
            cut_off = true;
            break;
        }
    }
    assert!(cut_off);
    Client::new(place.options()).health().await.unwrap();
    bridge.stop().await;
}
