//! One connection to a bridge: opened, greeted, with the requests that are unanswered on it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{Instant, timeout};

use super::ClientOptions;
use super::driver::Job;
use crate::transport::{FrameReader, FrameWriter};
use crate::wire::{Frame, Reply, Request, VERSION};
use crate::{DeviceError, DeviceErrorKind};

/// How long the greeting may take, and the rest of a frame once its first byte is there.
const GREETING: Duration = Duration::from_secs(5);
/// How much later than the deadline the bridge's own word is still waited for: it knows whether it has begun.
const GRACE: Duration = Duration::from_millis(500);

/// A connection whose greeting is done.
pub(super) struct Connection {
    reader: FrameReader<OwnedReadHalf>,
    writer: FrameWriter<OwnedWriteHalf>,
    window: usize,
    next_id: u64,
    pending: BTreeMap<u64, Pending>,
}

/// A request that is unanswered.
struct Pending {
    job: Job,
    until: Instant,
}

/// Why there is no connection.
pub(super) enum NoConnection {
    /// Nobody serves the socket: worth another try.
    Missing(String),
    /// Somebody does, and it is not the bridge that it must be.
    Refused(DeviceError),
}

impl Connection {
    /// Connects, checks who is there, and agrees on the version.
    pub(super) async fn open(options: &ClientOptions) -> Result<Self, NoConnection> {
        let greeting = async {
            let stream = UnixStream::connect(&options.socket)
                .await
                .map_err(|cause| NoConnection::Missing(cause.to_string()))?;
            options.peer.check(&stream).map_err(NoConnection::Refused)?;
            Self::greet(stream).await
        };
        timeout(GREETING, greeting)
            .await
            .unwrap_or_else(|_| Err(NoConnection::Missing("it does not answer the greeting".into())))
    }

    async fn greet(stream: UnixStream) -> Result<Self, NoConnection> {
        let (read, write) = stream.into_split();
        let (mut reader, mut writer) = (FrameReader::new(read, GREETING), FrameWriter::new(write));
        let hello = Frame::Hello { lowest: VERSION, highest: VERSION };
        writer.push(hello.encode().map_err(|cause| NoConnection::Missing(cause.to_string()))?);
        writer.flush().await.map_err(|cause| NoConnection::Missing(cause.to_string()))?;
        match reader.next().await {
            Ok(Some(Frame::Welcome { version: VERSION, window })) => Ok(Self {
                reader,
                writer,
                window: usize::from(window.max(1)),
                next_id: 1,
                pending: BTreeMap::new(),
            }),
            Ok(Some(Frame::Welcome { .. })) => Err(NoConnection::Refused(DeviceError::new(
                DeviceErrorKind::Refused,
                format!(
                    "the bridge does not speak version {VERSION} of the protocol: install matching versions"
                ),
            ))),
            Ok(Some(_)) => Err(NoConnection::Missing("what answers is not a bridge".into())),
            Ok(None) => {
                Err(NoConnection::Missing("it closes the connection: does it allow this user?".into()))
            }
            Err(cause) => Err(NoConnection::Missing(cause.to_string())),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < self.window
    }

    /// Sends `job`, whose answer may take until `until`.
    pub(super) fn send(&mut self, job: Job, now: Instant, until: Instant) {
        let deadline_ms = u32::try_from((until - now).as_millis()).unwrap_or(u32::MAX);
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let Job { call, harmless, .. } = job;
        let frame = Frame::Request(Request { id, deadline_ms, harmless, call });
        let encoded = frame.encode();
        let Frame::Request(Request { call, .. }) = frame else { return };
        let job = Job { call, ..job };
        match encoded {
            Ok(bytes) => {
                self.writer.push(bytes);
                self.pending.insert(id, Pending { job, until: until + GRACE });
            }
            Err(cause) => job.answer(Err(DeviceError::new(DeviceErrorKind::Misuse, cause.to_string()))),
        }
    }

    /// Reads and writes until something has happened; an error is the end of the connection.
    pub(super) async fn progress(&mut self) -> Result<(), String> {
        let wants_to_write = !self.writer.is_empty();
        tokio::select! {
            written = self.writer.write(), if wants_to_write => written.map_err(|cause| cause.to_string()),
            read = self.reader.next() => match read {
                Ok(Some(Frame::Reply(reply))) => {
                    self.deliver(reply);
                    Ok(())
                }
                Ok(Some(_)) => Err("the bridge sends what only a client may".into()),
                Ok(None) => Err("the bridge has closed the connection".into()),
                Err(cause) => Err(cause.to_string()),
            },
        }
    }

    /// A reply that nobody waits for any more is dropped.
    fn deliver(&mut self, reply: Reply) {
        if let Some(pending) = self.pending.remove(&reply.id) {
            pending.job.answer(reply.outcome);
        }
    }

    /// When the first of the unanswered requests expires.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.until).min()
    }

    /// Gives up on the requests that the bridge has not answered in time.
    pub(super) fn expire(&mut self, now: Instant) {
        for (_, pending) in self.pending.extract_if(.., |_, pending| pending.until <= now) {
            pending.job.answer(Err(DeviceError::new(
                DeviceErrorKind::Unknown,
                "the bridge has not answered in time; the call may have happened",
            )));
        }
    }

    /// The unanswered requests of a connection that is lost, oldest first.
    pub(super) fn into_lost(self) -> impl Iterator<Item = Job> {
        self.pending.into_values().map(|pending| pending.job)
    }
}
