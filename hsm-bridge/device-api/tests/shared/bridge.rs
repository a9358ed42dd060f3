//! What the tests of both bridges share: a bridge as a process, and what every one of them has to survive. Included by
//! `#[path]`; it is no test by itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use strongroom_device_api::{Client, DeviceError, DeviceErrorKind, KeyDevice, KeyId};
use strongroom_types::Secret;

pub(crate) fn key(id: &str) -> KeyId {
    KeyId::new(id).unwrap()
}

/// A running bridge; killed when it is dropped.
pub(crate) struct Bridge {
    pub(crate) child: Child,
    log: Arc<Mutex<String>>,
}

impl Bridge {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let bridge = Self { child, log };
        bridge.wait_for_line("ready on ");
        bridge
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn wait_for_line(&self, part: &str) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !self.log().contains(part) {
            assert!(Instant::now() < limit, "no line with \"{part}\" in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the bridge said:\n{}", self.log());
        }
    }
}

/// Calls until it is done; bounded.
pub(crate) async fn until_done<T, F>(mut call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, DeviceError>>,
{
    for _ in 0..200 {
        if let Ok(done) = call().await {
            return done;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is not done");
}

/// The error of `outcome`, which must be of `kind` and contain `part`.
#[track_caller]
pub(crate) fn fails<T>(outcome: Result<T, DeviceError>, kind: DeviceErrorKind, part: &str) {
    match outcome {
        Err(error) if error.kind == kind && error.message.contains(part) => {}
        Err(error) => panic!("{:?}: {error}", error.kind),
        Ok(_) => panic!("it was done"),
    }
}

/// Callers of a bridge that is killed and started again, `kills` times, each time when `calls` more have been answered: none
/// of them notices.
pub(crate) async fn killing_fails_no_call(
    client: &Arc<Client>,
    start: impl Fn() -> Bridge,
    callers: u8,
    kills: usize,
    calls: u64,
) {
    let mut bridge = start();
    client.ensure_key(&key("root")).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let call = |number: u8| {
        let (client, done, answered) = (Arc::clone(client), Arc::clone(&done), Arc::clone(&answered));
        async move {
            let plain = Secret::from(vec![number; 32]);
            while !done.load(Ordering::SeqCst) {
                let wrapped = client.wrap(&key("root"), &[number], &plain).await?;
                assert!(client.unwrap(&key("root"), &[number], &wrapped).await? == plain);
                client.ensure_key(&key("root")).await?;
                answered.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, DeviceError>(())
        }
    };
    let callers: Vec<_> = (0..callers).map(|number| tokio::spawn(call(number))).collect();
    for _ in 0..kills {
        let before = answered.load(Ordering::SeqCst);
        while answered.load(Ordering::SeqCst) < before + calls {
            assert!(callers.iter().all(|caller| !caller.is_finished()), "a call has failed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bridge.kill();
        bridge = start();
    }
    done.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}
