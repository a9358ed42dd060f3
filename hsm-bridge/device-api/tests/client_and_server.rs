//! A mock device behind a real socket: what happens when bridge, client or device misbehave.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strongroom_device_api::conformance;
use strongroom_device_api::mock::{Fault, MockDevice};
use strongroom_device_api::server::{ServerOptions, serve};
use strongroom_device_api::wire::{Call, Frame, MAX_FRAME, Reply, Request};
use strongroom_device_api::{Client, ClientOptions, DeviceErrorKind, KeyDevice, KeyId, PeerRule};
use strongroom_types::Secret;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A bridge in this process.
struct Bridge {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Bridge {
    fn start(socket: &Path, device: &Arc<MockDevice>) -> Self {
        Self::start_with(socket, device, ServerOptions::new(PeerRule::SAME_UID))
    }

    fn start_with(socket: &Path, device: &Arc<MockDevice>, options: ServerOptions) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, options, Arc::clone(device) as Arc<dyn KeyDevice>, stopped));
        Self { stop, task }
    }

    /// As by SIGKILL: every connection breaks at once.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

struct Place {
    folder: TempDir,
    device: Arc<MockDevice>,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), device: MockDevice::new("serial") }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    fn options(&self) -> ClientOptions {
        ClientOptions::new(self.socket(), PeerRule::SAME_UID)
    }
}

fn key() -> KeyId {
    KeyId::new("root").unwrap()
}

fn short(mut options: ClientOptions) -> Arc<Client> {
    options.start_deadline = Duration::from_millis(300);
    options.call_deadline = Duration::from_millis(300);
    Client::new(options)
}

fn kind<T>(outcome: Result<T, strongroom_device_api::DeviceError>) -> DeviceErrorKind {
    match outcome {
        Ok(_) => panic!("it was done"),
        Err(error) => error.kind,
    }
}

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
    let reply = Frame::Reply(Reply { id: 1, outcome: Ok(strongroom_device_api::wire::Answer::Health) });
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
