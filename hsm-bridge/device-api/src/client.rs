//! The daemon's side: a [`KeyDevice`] that lives behind a socket.
//!
//! ```text
//! call ─▶ queue (bounded: full is Retry) ─▶ driver ─▶ one connection, many calls in flight ─▶ bridge
//!                                            │ lost: connect again, with back-off
//!                                            └ calls in flight: repeated if harmless, else Unknown
//! ```

mod connection;
mod driver;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use strongroom_types::{BoxFuture, Secret};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::limits::{check_random, check_unwrap, check_wrap};
use crate::wire::{Answer, Call};
use crate::{DeviceError, DeviceErrorKind, Identity, KeyDevice, KeyId, PeerRule, Wrapped};
use driver::{Driver, Job};

/// How to reach a bridge.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The bridge's socket.
    pub socket: PathBuf,
    /// As which user the bridge runs.
    pub peer: PeerRule,
    /// How long a call may wait for a connection: at first, and again after the bridge has died. A bridge that
    /// starts may have to log in to a slow device.
    pub start_deadline: Duration,
    /// How long the bridge may take to answer a call that it has been sent.
    pub call_deadline: Duration,
    /// Most calls that are unanswered at a time; one more is answered with Retry.
    pub queue: usize,
}

impl ClientOptions {
    /// 15 seconds for a connection, 30 for an answer, 256 calls.
    pub fn new(socket: impl Into<PathBuf>, peer: PeerRule) -> Self {
        Self {
            socket: socket.into(),
            peer,
            start_deadline: Duration::from_secs(15),
            call_deadline: Duration::from_secs(30),
            queue: 256,
        }
    }
}

/// A device behind a bridge. Connects at the first call, and again when the connection is lost.
///
/// Whatever can go wrong between here and the device is a [`DeviceError`] within the deadlines; no call hangs.
pub struct Client {
    options: Arc<ClientOptions>,
    room: Arc<Semaphore>,
    /// The way to the driver, while it runs.
    inbox: Mutex<Option<mpsc::UnboundedSender<Job>>>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(options: ClientOptions) -> Arc<Self> {
        let room = Arc::new(Semaphore::new(options.queue));
        Arc::new(Self { options: Arc::new(options), room, inbox: Mutex::new(None) })
    }

    /// One call. It is repeated after a loss only if `harmless`.
    pub(crate) async fn call(&self, call: Call, harmless: bool) -> Result<Answer, DeviceError> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            let message = format!("{} calls are waiting for the device already", self.options.queue);
            DeviceError::new(DeviceErrorKind::Retry, message)
        })?;
        let now = Instant::now();
        let (reply, answer) = oneshot::channel();
        self.send(Job {
            call,
            harmless,
            expires: now + self.options.start_deadline + self.options.call_deadline,
            waits_until: now + self.options.start_deadline,
            losses: 0,
            reply,
            _room: room,
        })?;
        answer.await.unwrap_or_else(|_| {
            let message = "the program is stopping; the call may have happened";
            Err(DeviceError::new(DeviceErrorKind::Unknown, message))
        })
    }

    /// Hands `job` to the driver, which is started if it does not run (or no longer: its runtime has ended).
    fn send(&self, mut job: Job) -> Result<(), DeviceError> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = inbox.as_ref() {
            match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(back) => job = back.0,
            }
        }
        let runtime = tokio::runtime::Handle::try_current().map_err(|cause| {
            DeviceError::new(
                DeviceErrorKind::Fatal,
                format!("a device is called outside of the runtime: {cause}"),
            )
        })?;
        let (sender, receiver) = mpsc::unbounded_channel();
        // The driver holds the receiver, so this send cannot fail.
        let _ = sender.send(job);
        *inbox = Some(sender);
        runtime.spawn(Driver::new(Arc::clone(&self.options), receiver).run());
        Ok(())
    }

    /// A call of the trait.
    async fn ask(&self, call: Call) -> Result<Answer, DeviceError> {
        let harmless = call.is_harmless();
        self.call(call, harmless).await
    }
}

/// The bridge has answered another operation than was asked.
fn wrong_answer() -> DeviceError {
    DeviceError::new(DeviceErrorKind::Fatal, "the bridge answers another question: it is broken, replace it")
}

impl KeyDevice for Client {
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>> {
        Box::pin(async move {
            match self.ask(Call::Identity).await? {
                Answer::Identity(identity) => Ok(identity),
                _ => Err(wrong_answer()),
            }
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>> {
        Box::pin(async move {
            match self.ask(Call::Health).await? {
                Answer::Health => Ok(()),
                _ => Err(wrong_answer()),
            }
        })
    }

    fn random(&self, count: usize) -> BoxFuture<'_, Result<Secret, DeviceError>> {
        Box::pin(async move {
            check_random(count)?;
            match self.ask(Call::Random(u16::try_from(count).unwrap_or(u16::MAX))).await? {
                Answer::Random(random) if random.len() == count => Ok(random),
                _ => Err(wrong_answer()),
            }
        })
    }

    fn ensure_key<'a>(&'a self, id: &'a KeyId) -> BoxFuture<'a, Result<(), DeviceError>> {
        Box::pin(async move {
            match self.ask(Call::EnsureKey(id.clone())).await? {
                Answer::EnsureKey => Ok(()),
                _ => Err(wrong_answer()),
            }
        })
    }

    fn wrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        plain: &'a Secret,
    ) -> BoxFuture<'a, Result<Wrapped, DeviceError>> {
        Box::pin(async move {
            check_wrap(plain.len(), aad.len())?;
            let plain = Secret::copy_of(plain.expose());
            match self.ask(Call::Wrap(id.clone(), aad.to_vec(), plain)).await? {
                Answer::Wrap(wrapped) => Ok(wrapped),
                _ => Err(wrong_answer()),
            }
        })
    }

    fn unwrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<Secret, DeviceError>> {
        Box::pin(async move {
            check_unwrap(wrapped, aad.len())?;
            match self.ask(Call::Unwrap(id.clone(), aad.to_vec(), wrapped.clone())).await? {
                Answer::Unwrap(plain) => Ok(plain),
                _ => Err(wrong_answer()),
            }
        })
    }
}
