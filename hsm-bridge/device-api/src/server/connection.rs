//! One connection of a client.

use std::sync::Arc;
use std::time::Duration;

use strongroom_types::Secret;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Shared, stopped};
use crate::transport::{FrameReader, FrameWriter, ReadError};
use crate::wire::{Answer, Call, Frame, Reply, Request, VERSION, WireError};
use crate::{DeviceError, DeviceErrorKind, KeyDevice, bridge};

/// From the greeting to the last reply.
pub(super) async fn run(stream: UnixStream, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let options = &shared.options;
    let (read, write) = stream.into_split();
    let mut reader = FrameReader::new(read, options.patience);
    let mut writer = FrameWriter::new(write);
    match timeout(options.patience, greet(&mut reader, &mut writer, options.window)).await {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => return bridge::say(&format!("closed a connection at its greeting: {cause}")),
        Err(_) => return bridge::say("closed a connection: it sends no greeting"),
    }

    let (replies, outbox) = mpsc::channel(usize::from(options.window) + 1);
    let mut sender = tokio::spawn(send_replies(writer, outbox, options.patience));
    let mut calls = Calls {
        window: Arc::new(Semaphore::new(usize::from(options.window))),
        running: JoinSet::new(),
        replies,
        shared: Arc::clone(&shared),
    };
    let stopping = loop {
        tokio::select! {
            () = stopped(&mut stop) => break true,
            // The peer does not take its replies, or has gone.
            _ = &mut sender => break false,
            Some(done) = calls.running.join_next() => if done.is_err() {
                bridge::say("closed a connection: a call has panicked");
                break false;
            },
            frame = reader.next() => if let Err(end) = calls.take(frame).await {
                if let Some(cause) = end {
                    bridge::say(&format!("closed a connection: {cause}"));
                }
                break false;
            },
        }
    };
    if stopping {
        // Those in flight are still answered. Otherwise what nobody waits for is dropped, and not begun.
        let drained = async { while calls.running.join_next().await.is_some() {} };
        let _ = timeout(options.drain, drained).await;
    }
    calls.running.shutdown().await;
    drop(calls);
    if !sender.is_finished() {
        let _ = timeout(options.patience, sender).await;
    }
}

/// Agrees on the version.
async fn greet(
    reader: &mut FrameReader<OwnedReadHalf>,
    writer: &mut FrameWriter<OwnedWriteHalf>,
    window: u16,
) -> Result<(), String> {
    let version = match reader.next().await.map_err(|cause| cause.to_string())? {
        Some(Frame::Hello { lowest, highest }) if (lowest..=highest).contains(&VERSION) => VERSION,
        Some(Frame::Hello { .. }) => 0,
        Some(_) => return Err("it does not begin with hello".into()),
        None => return Err("it has gone".into()),
    };
    let welcome = Frame::Welcome { version, window }.encode().map_err(|cause| cause.to_string())?;
    writer.push(welcome);
    writer.flush().await.map_err(|cause| cause.to_string())?;
    if version == 0 { Err(format!("it does not speak version {VERSION}")) } else { Ok(()) }
}

/// The calls of one connection that are not answered yet.
struct Calls {
    window: Arc<Semaphore>,
    running: JoinSet<()>,
    replies: mpsc::Sender<Secret>,
    shared: Arc<Shared>,
}

impl Calls {
    /// Begins the request that was read. An error ends the connection, with its cause if that is worth a line.
    async fn take(&mut self, frame: Result<Option<Frame>, ReadError>) -> Result<(), Option<String>> {
        let (id, refusal) = match frame {
            Ok(Some(Frame::Request(request))) => match Arc::clone(&self.window).try_acquire_owned() {
                Ok(place) => {
                    let (shared, replies) = (Arc::clone(&self.shared), self.replies.clone());
                    self.running.spawn(async move {
                        let reply = answer(request, &shared).await;
                        // A peer that has gone needs no reply.
                        let _ = replies.send(reply).await;
                        drop(place);
                    });
                    return Ok(());
                }
                Err(_) => (request.id, too_many()),
            },
            Err(ReadError::Wire(error @ WireError::UnknownOperation { id, .. })) => {
                bridge::say(&format!("refused a request: {error}"));
                (id, DeviceError::new(DeviceErrorKind::Refused, error.to_string()))
            }
            Ok(Some(_)) => return Err(Some("it sends what only a server may".into())),
            Ok(None) => return Err(None),
            Err(cause) => return Err(Some(cause.to_string())),
        };
        self.replies.send(refuse(id, refusal)).await.map_err(|_| None)
    }
}

/// Writes replies until there are no more, or the peer does not take them.
async fn send_replies(
    mut writer: FrameWriter<OwnedWriteHalf>,
    mut outbox: mpsc::Receiver<Secret>,
    patience: Duration,
) {
    while let Some(reply) = outbox.recv().await {
        writer.push(reply);
        if !matches!(timeout(patience, writer.flush()).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// The reply to `request`, as a frame.
async fn answer(request: Request, shared: &Shared) -> Secret {
    let wait = Duration::from_millis(request.deadline_ms.into()).min(shared.options.longest_deadline);
    let deadline = Instant::now() + wait;
    let operation = request.call.operation().1;
    let Ok(Ok(_at_device)) = timeout_at(deadline, shared.at_device.acquire()).await else {
        return refuse(request.id, late(operation));
    };
    if deadline <= Instant::now() {
        return refuse(request.id, late(operation));
    }
    let outcome =
        timeout_at(deadline, perform(request.call, shared.device.as_ref())).await.unwrap_or_else(|_| {
            let message =
                format!("the device has not answered {operation} before its deadline; it may still do it");
            Err(DeviceError::new(DeviceErrorKind::Unknown, message))
        });
    match (Frame::Reply(Reply { id: request.id, outcome })).encode() {
        Ok(frame) => frame,
        Err(cause) => {
            let message = format!("the device's answer to {operation} cannot be sent: {cause}");
            refuse(request.id, DeviceError::new(DeviceErrorKind::Fatal, message))
        }
    }
}

/// Asks the device.
async fn perform(call: Call, device: &dyn KeyDevice) -> Result<Answer, DeviceError> {
    Ok(match call {
        Call::Identity => Answer::Identity(device.identity().await?),
        Call::Health => device.health().await.map(|()| Answer::Health)?,
        Call::Random(count) => Answer::Random(device.random(count.into()).await?),
        Call::EnsureKey(id) => device.ensure_key(&id).await.map(|()| Answer::EnsureKey)?,
        Call::Wrap(id, aad, plain) => Answer::Wrap(device.wrap(&id, &aad, &plain).await?),
        Call::Unwrap(id, aad, wrapped) => Answer::Unwrap(device.unwrap(&id, &aad, &wrapped).await?),
    })
}

fn late(operation: &str) -> DeviceError {
    let message =
        format!("the deadline of {operation} has passed before the device was asked; it has not been done");
    DeviceError::new(DeviceErrorKind::Retry, message)
}

fn too_many() -> DeviceError {
    DeviceError::new(
        DeviceErrorKind::Retry,
        "as many requests as are allowed are unanswered on this connection",
    )
}

/// An error as a frame; its text is cut to what a frame holds.
fn refuse(id: u64, error: DeviceError) -> Secret {
    let frame = Frame::Reply(Reply { id, outcome: Err(error) });
    frame.encode().unwrap_or_else(|_| Secret::from(Vec::new()))
}
