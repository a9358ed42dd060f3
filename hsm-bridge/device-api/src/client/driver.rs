//! The task that owns the connection: it queues, sends, repeats and expires calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::ClientOptions;
use super::connection::{Connection, NoConnection};
use crate::wire::{Answer, Call};
use crate::{DeviceError, DeviceErrorKind};

/// First pause between two attempts to connect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// A call that was in flight at so many losses is not repeated again: it may be what kills the bridge.
const MOST_LOSSES: u32 = 16;

/// A call on its way.
pub(super) struct Job {
    pub(super) call: Call,
    pub(super) harmless: bool,
    /// After this nothing is tried any more.
    pub(super) expires: Instant,
    /// Until when it waits for a connection.
    pub(super) waits_until: Instant,
    /// How often it was in flight when a connection was lost: it may have happened.
    pub(super) losses: u32,
    pub(super) reply: oneshot::Sender<Result<Answer, DeviceError>>,
    pub(super) _room: OwnedSemaphorePermit,
}

impl Job {
    /// A caller that has gone is not told.
    pub(super) fn answer(self, outcome: Result<Answer, DeviceError>) {
        let _ = self.reply.send(outcome);
    }
}

/// Owns what is not sent yet; a [`Connection`] owns what is.
pub(super) struct Driver {
    options: Arc<ClientOptions>,
    inbox: mpsc::UnboundedReceiver<Job>,
    waiting: VecDeque<Job>,
    /// Why there is no connection, for the answer to calls that wait in vain.
    trouble: String,
}

impl Driver {
    pub(super) fn new(options: Arc<ClientOptions>, inbox: mpsc::UnboundedReceiver<Job>) -> Self {
        Self { options, inbox, waiting: VecDeque::new(), trouble: String::new() }
    }

    /// Until the client is dropped.
    pub(super) async fn run(mut self) {
        while let Some(job) = self.inbox.recv().await {
            self.waiting.push_back(job);
            while let Some(connection) = self.connect().await {
                self.converse(connection).await;
            }
        }
    }

    /// A connection for those who wait; `None` if nobody waits (any more).
    async fn connect(&mut self) -> Option<Connection> {
        let mut pause = FIRST_PAUSE;
        loop {
            let options = Arc::clone(&self.options);
            match self.meanwhile(Connection::open(&options)).await? {
                Ok(connection) => return Some(connection),
                Err(NoConnection::Missing(cause)) => self.trouble = cause,
                Err(NoConnection::Refused(error)) => {
                    for job in self.waiting.drain(..) {
                        job.answer(Err(error.clone()));
                    }
                    return None;
                }
            }
            self.meanwhile(sleep(pause)).await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Does `work`, taking in and expiring calls beside it; `None` as soon as nobody waits.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            self.expire();
            let next = self.waiting.iter().map(|job| job.waits_until).min()?;
            tokio::select! {
                done = &mut work => return Some(done),
                job = self.inbox.recv() => self.waiting.push_back(job?),
                () = sleep_until(next) => {}
            }
        }
    }

    /// Answers those who have waited long enough, and forgets those who have gone.
    fn expire(&mut self) {
        let now = Instant::now();
        let socket = self.options.socket.display();
        let trouble = &self.trouble;
        self.waiting.retain(|job| !job.reply.is_closed());
        let (late, rest) =
            std::mem::take(&mut self.waiting).into_iter().partition(|job| job.waits_until <= now);
        self.waiting = rest;
        let late: VecDeque<Job> = late;
        for job in late {
            let error = match job.losses > 0 {
                true => DeviceError::new(
                    DeviceErrorKind::Unknown,
                    format!(
                        "the bridge at {socket} has died at this call, which may have happened, and is not back: {trouble}"
                    ),
                ),
                false => DeviceError::new(
                    DeviceErrorKind::Gone,
                    format!("no bridge answers at {socket}: {trouble}. Start it, or see why it stops"),
                ),
            };
            job.answer(Err(error));
        }
    }

    /// Sends and receives until the connection is lost; what is to be repeated waits again.
    async fn converse(&mut self, mut connection: Connection) {
        loop {
            self.fill(&mut connection);
            let waiting = self.waiting.iter().map(|job| job.expires).min();
            let next = connection.next_deadline().into_iter().chain(waiting).min();
            tokio::select! {
                progress = connection.progress() => if let Err(cause) = progress {
                    self.trouble = cause;
                    break;
                },
                job = self.inbox.recv() => match job {
                    Some(job) => self.waiting.push_back(job),
                    None => break,
                },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    connection.expire(Instant::now());
                }
            }
        }
        self.take_back(connection);
    }

    /// Sends what waits, as far as the bridge's window allows.
    fn fill(&mut self, connection: &mut Connection) {
        let now = Instant::now();
        while connection.has_room() {
            let Some(job) = self.waiting.pop_front() else { break };
            if !job.reply.is_closed() {
                let until = (now + self.options.call_deadline).min(job.expires);
                connection.send(job, now, until);
            }
        }
        // What waits for room in the window waits no longer than its deadline.
        let late = |job: &Job| job.expires <= now || job.reply.is_closed();
        if !self.waiting.iter().any(late) {
            return;
        }
        let (late, rest): (VecDeque<Job>, _) = std::mem::take(&mut self.waiting).into_iter().partition(late);
        self.waiting = rest;
        for job in late {
            job.answer(Err(DeviceError::new(
                DeviceErrorKind::Retry,
                "the device was busy with other calls until this one's deadline; it has not been done",
            )));
        }
    }

    /// Sorts the calls of a lost connection.
    fn take_back(&mut self, connection: Connection) {
        let now = Instant::now();
        let mut again = VecDeque::new();
        for mut job in connection.into_lost() {
            job.losses += 1;
            if job.harmless && job.losses < MOST_LOSSES && job.expires > now {
                again.push_back(job);
            } else {
                job.answer(Err(DeviceError::new(
                    DeviceErrorKind::Unknown,
                    format!("the bridge was lost at this call, which may have happened: {}", self.trouble),
                )));
            }
        }
        again.append(&mut self.waiting);
        self.waiting = again;
        // The bridge has to come back: everyone waits for that as long as for a first connection.
        for job in &mut self.waiting {
            job.waits_until = (now + self.options.start_deadline).min(job.expires);
        }
    }
}
