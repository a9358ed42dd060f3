//! Threads that own what is not to be shared: a session, a context.
//!
//! Calls to a device block, may hang, and run vendors' code. So they run on threads of their own, fed by a bounded
//! queue. A job whose caller has gone before a thread took it is not begun: a deadline that has passed means "not done".

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::say;
use crate::{DeviceError, DeviceErrorKind};

/// How a pool is run.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// Most jobs that wait; one more is answered with Retry.
    pub queue: usize,
    /// A job that runs for longer hangs in the device's library: the process ends, and is started again.
    pub hang_limit: Duration,
}

type Job<W> = Box<dyn FnOnce(&mut W) + Send>;

/// The exit code of a bridge whose device's library has hung or panicked: start it again.
const BROKEN: i32 = 70;

/// The threads of a device, each with its own `W`.
pub struct Pool<W> {
    jobs: SyncSender<Job<W>>,
    queue: usize,
}

impl<W: Send + 'static> Pool<W> {
    /// One thread for each of `workers`.
    pub fn start(options: PoolOptions, workers: Vec<W>) -> std::io::Result<Self> {
        let (jobs, inbox) = sync_channel(options.queue);
        let inbox = Arc::new(Mutex::new(inbox));
        let busy: Arc<Vec<BusySince>> = Arc::new(workers.iter().map(|_| BusySince::default()).collect());
        for (number, worker) in workers.into_iter().enumerate() {
            let (inbox, busy) = (Arc::clone(&inbox), Arc::clone(&busy));
            thread::Builder::new()
                .name(format!("device-{number}"))
                .spawn(move || work(worker, &inbox, busy.get(number)))?;
        }
        let watched = Arc::downgrade(&busy);
        thread::Builder::new().name("watchdog".into()).spawn(move || {
            while let Some(busy) = watched.upgrade() {
                if busy.iter().any(|since| since.is_longer_than(options.hang_limit)) {
                    say(&format!(
                        "the device's library has not come back for {} s: this process ends, to be started again",
                        options.hang_limit.as_secs()
                    ));
                    process::exit(BROKEN);
                }
                drop(busy);
                thread::sleep(Duration::from_millis(250).min(options.hang_limit / 4));
            }
        })?;
        Ok(Self { jobs, queue: options.queue })
    }

    /// Runs `job` on one of the threads. If this future is dropped before a thread has taken it, it never runs.
    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut W) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let (reply, outcome) = oneshot::channel();
        let job: Job<W> = Box::new(move |worker| {
            if !reply.is_closed() {
                // A caller that has gone meanwhile is not told.
                let _ = reply.send(job(worker));
            }
        });
        self.jobs.try_send(job).map_err(|full| match full {
            TrySendError::Full(_) => {
                let message = format!("{} requests are waiting for the device already", self.queue);
                DeviceError::new(DeviceErrorKind::Retry, message)
            }
            TrySendError::Disconnected(_) => {
                DeviceError::new(DeviceErrorKind::Retry, "the bridge is stopping")
            }
        })?;
        outcome.await.unwrap_or_else(|_| {
            Err(DeviceError::new(
                DeviceErrorKind::Unknown,
                "the bridge stops at this call, which may have happened",
            ))
        })
    }
}

/// One thread's life: until the pool is dropped.
fn work<W>(mut worker: W, inbox: &Mutex<Receiver<Job<W>>>, busy: Option<&BusySince>) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if let Some(busy) = busy {
            busy.set(Some(Instant::now()));
        }
        if catch_unwind(AssertUnwindSafe(|| job(&mut worker))).is_err() {
            say("a call to the device has panicked: this process ends, to be started again");
            process::exit(BROKEN);
        }
        if let Some(busy) = busy {
            busy.set(None);
        }
    }
}

/// Since when a thread has been at its job.
#[derive(Default)]
struct BusySince(Mutex<Option<Instant>>);

impl BusySince {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn is_longer_than(&self, limit: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    const OPTIONS: PoolOptions = PoolOptions { queue: 1, hang_limit: Duration::from_secs(3600) };

    #[tokio::test]
    async fn each_thread_has_its_own_worker() {
        let pool = Pool::start(OPTIONS, vec![1, 2]).unwrap();
        let worker = pool.run(|worker| Ok(*worker)).await.unwrap();
        assert!([1, 2].contains(&worker));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun_and_a_full_queue_is_retry() {
        let pool = Arc::new(Pool::start(OPTIONS, vec![()]).unwrap());
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let busy = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let job = move |(): &mut ()| {
                    begun.send(()).unwrap();
                    may_go.recv().unwrap();
                    Ok(())
                };
                pool.run(job).await
            }
        });
        while has_begun.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let done = Arc::new(AtomicBool::new(false));
        let mut waiting = Box::pin({
            let done = Arc::clone(&done);
            pool.run(move |()| {
                done.store(true, Ordering::SeqCst);
                Ok(())
            })
        });
        // Polled once: it is in the queue, which is full now.
        assert!(tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_err());
        assert_eq!(pool.run(|()| Ok(())).await.unwrap_err().kind, DeviceErrorKind::Retry);
        drop(waiting);
        go.send(()).unwrap();
        busy.await.unwrap().unwrap();
        for _ in 0..1000 {
            // Behind the dropped one: when this is done, that one was passed over.
            if pool.run(|()| Ok(())).await.is_ok() {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert!(!done.load(Ordering::SeqCst));
    }
}
