//! A mount in memory, so that an engine's tests read like requests:
//!
//! ```ignore
//! let mount = Mount::new(&ENGINE, &[("version", "2")]);
//! mount.post("data/app", json!({"data": {"user": "ann"}})).status(200);
//! assert_eq!(mount.get("data/app").status(200).at("data.data.user"), "ann");
//! ```
//!
//! A request goes the way that core sends it: route, body, fields, handler, commit, answer; without what is core's
//! alone (tokens, access lists, audit). Store and barrier are the real ones, clock and randomness are the test's. Each
//! handler runs twice and must want the same both times, and what it refuses must change nothing: this is checked with
//! every request.
//!
//! | module | holds |
//! |---|---|
//! | [`conformance`] | what every engine must pass |
//! | [`golden`] | plays recorded exchanges on mounts in memory |
//! | [`answer`] | what a request was answered |
//! | `leases` | renews and revokes what was leased |

// A failed expectation ends the test: that is what panics are for here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod answer;
pub mod conformance;
pub mod golden;
mod leases;
mod request;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use serde_json::Value;
use strongroom_barrier::{Arena, Barrier, Protection, View};
use strongroom_store::{Batch, MemoryStore, Store, StoreError};
use strongroom_types::id::{ClusterId, MountId, NamespaceId};
use strongroom_types::time::{Eras, ManualClock};
use strongroom_types::{Clock, Refusal, Reply, Secret, Timestamp};

pub use answer::Answer;

use crate::{Caller, Cx, Engine, Entropy, MountInfo, MountOptions, Outcome, Write};
use request::Prepared;

const MERGE_PATCH: &str = "application/merge-patch+json";

/// A mount of an engine, alone in a store in memory.
pub struct Mount {
    engine: &'static Engine,
    info: Arc<MountInfo>,
    caller: Option<Arc<Caller>>,
    remote: Option<IpAddr>,
    clock: ManualClock,
    eras: Arc<Eras>,
    store: Arc<MemoryStore>,
    view: View,
    leases: leases::Leases,
}

impl Mount {
    /// A new mount with these options.
    pub fn new(engine: &'static Engine, options: &[(&str, &str)]) -> Self {
        let store = MemoryStore::new();
        let clock = ManualClock::new(Timestamp::from_secs(1_700_000_000));
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(1));
        let arena = Arena::new(64 * 1024, Protection::BestEffort).expect("an arena");
        let mut batch = Batch::default();
        let root_key = Secret::from(vec![7; 32]);
        let barrier = Barrier::create(ClusterId([1; 16]), &root_key, arena, entropy, clock.now(), &mut batch)
            .expect("a barrier");
        block_on(store.commit(batch)).expect("a commit");
        let id = MountId([2; 16]);
        let info = MountInfo {
            id,
            namespace: NamespaceId::ROOT,
            path: "mount/".into(),
            options: to_options(options),
            default_lease_ttl: 2_764_800,
            max_lease_ttl: 2_764_800,
        };
        (engine.routes)(&info.options).expect("options that the engine takes");
        let view = View::new(&barrier, NamespaceId::ROOT, id);
        Self {
            engine,
            info: Arc::new(info),
            caller: Some(caller("root")),
            remote: None,
            clock,
            eras: Arc::default(),
            store,
            view,
            leases: Default::default(),
        }
    }

    /// From now on `name` asks, whose token has a cubbyhole of its own; without one, nobody does.
    pub fn ask_as(&mut self, name: Option<&str>) {
        self.caller = name.map(caller);
    }

    /// From now on this caller asks.
    pub fn ask_as_caller(&mut self, caller: Caller) {
        self.caller = Some(Arc::new(caller));
    }

    /// From now on requests come from this address.
    pub fn come_from(&mut self, address: &str) {
        self.remote = Some(address.parse().expect("an address"));
    }

    /// Lets `seconds` pass.
    pub fn wait(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    /// Accepts the clock as it is, after it was ahead: a new era begins.
    pub fn accept_clock(&mut self) {
        self.eras = Arc::new(self.eras.and(self.clock.now()));
    }

    /// GET.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, None)
    }

    /// POST.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, None, Some(&body.to_string()))
    }

    /// PATCH, as a merge patch.
    pub fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(MERGE_PATCH), Some(&body.to_string()))
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, None)
    }

    /// LIST.
    pub fn list(&self, path: &str) -> Answer {
        self.send("LIST", path, None, None)
    }

    /// SCAN.
    pub fn scan(&self, path: &str) -> Answer {
        self.send("SCAN", path, None, None)
    }

    /// Any request. `path` may have a query; `body` is sent as it is.
    pub fn send(&self, method: &str, path: &str, content_type: Option<&str>, body: Option<&str>) -> Answer {
        let name = format!("{method} {path} {}", body.unwrap_or_default());
        let routes = (self.engine.routes)(&self.info.options).expect("options that the engine takes");
        let prepared = match Prepared::new(routes, method, path, content_type, body) {
            Ok(prepared) => prepared,
            Err(refusal) => return Answer::refused(name, &refusal),
        };
        for _ in 0..8 {
            match self.attempt(&name, &prepared) {
                Ok(answer) => return answer,
                Err(StoreError::Conflict) => {}
                Err(other) => panic!("{name}: {other}"),
            }
        }
        panic!("{name}: one conflict after the other");
    }

    /// Changes the mount's options, as `sys/mounts/…/tune` does.
    pub fn retune(&mut self, options: &[(&str, &str)]) -> Answer {
        let name = format!("retune {options:?}");
        let mut new = self.info.options.clone();
        new.extend(to_options(options));
        let outcome = match self.engine.retune {
            Some(retune) => retune(&self.cx(), &self.info.options, &new),
            None => Ok(Outcome::done(Vec::new())),
        };
        let outcome = outcome.and_then(|outcome| (self.engine.routes)(&new).map(|_| outcome));
        match outcome {
            Err(refusal) => Answer::refused(name, &refusal),
            Ok(outcome) => {
                self.commit(&outcome).expect("a commit");
                self.info = Arc::new(MountInfo { options: new, ..MountInfo::clone(&self.info) });
                Answer::of(name, outcome.reply)
            }
        }
    }

    /// Runs the request's handler, without a commit: for tests of what happens in between.
    pub fn handle(&self, method: &str, path: &str, body: Option<&str>) -> Result<Outcome, Refusal> {
        let routes = (self.engine.routes)(&self.info.options)?;
        let content_type = (method == "PATCH").then_some(MERGE_PATCH);
        Prepared::new(routes, method, path, content_type, body)?.run(&self.cx())
    }

    /// Commits what a handler wants.
    pub fn commit(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for write in &outcome.writes {
            self.view.seal(write, &mut batch).expect("a record that can be encrypted");
        }
        if batch.is_empty() { Ok(()) } else { block_on(self.store.commit(batch)).map(|_| ()) }
    }

    /// What a handler is lent now.
    pub fn cx(&self) -> Cx {
        let snapshot = self.store.snapshot().expect("a snapshot");
        // The same for the same state, so that a handler can be run twice; another one after each commit.
        let seed = 1000 + snapshot.revision().0;
        Cx {
            view: self.view.at(snapshot),
            mount: self.info.clone(),
            caller: self.caller.clone(),
            remote: self.remote,
            now: self.clock.now(),
            eras: self.eras.clone(),
            entropy: Arc::new(Seeded::new(seed)),
        }
    }

    fn attempt(&self, name: &str, prepared: &Prepared) -> Result<Answer, StoreError> {
        let outcome = prepared.run(&self.cx());
        let again = prepared.run(&self.cx());
        assert_eq!(told(&outcome), told(&again), "{name}: the handler is not a function of what it is lent");
        let answer = match outcome {
            Err(refusal) => return Ok(prepared.refused(name, &refusal)),
            Ok(mut outcome) => {
                let writes = outcome.writes.len();
                self.lease(prepared.path(), &mut outcome);
                self.commit(&outcome)?;
                let answer = prepared.answer(name, outcome.reply);
                assert!(answer.status < 400 || writes == 0, "{name}: {} with {writes} writes", answer.status);
                answer
            }
        };
        Ok(answer)
    }
}

/// All that an outcome says.
fn told(outcome: &Result<Outcome, Refusal>) -> Vec<String> {
    let Outcome { reply, writes, lease } = match outcome {
        Err(refusal) => return vec![format!("{:?} {} {:?}", refusal.kind, refusal.message, refusal.data)],
        Ok(outcome) => outcome,
    };
    let reply = match reply.bare() {
        Reply::Empty | Reply::Headed { .. } => String::new(),
        Reply::Stream(stream) => stream.content_type.to_owned(),
        Reply::Json { status, body } => format!("{status} {body}"),
        Reply::Raw { status, body, .. } => format!("{status} {body:?}"),
        Reply::Logical(logical) => format!("{:?} {:?} {:?}", logical.status, logical.data, logical.warnings),
    };
    [reply, format!("{lease:?}")].into_iter().chain(writes.iter().map(told_of)).collect()
}

/// All that a write says.
fn told_of(write: &Write) -> String {
    let Write { name, value, expect, .. } = write;
    format!("{name:?} {:?} {expect:?}", value.as_ref().map(Secret::expose))
}

fn to_options(options: &[(&str, &str)]) -> MountOptions {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn caller(name: &str) -> Arc<Caller> {
    let cubbyhole = Some(format!("cubbyhole-of-{name}"));
    Arc::new(Caller { cubbyhole, display_name: name.to_owned(), entity_id: String::new() })
}

/// The same bytes for the same seed. No randomness at all.
pub struct Seeded(AtomicU64);

impl Seeded {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), strongroom_types::NoEntropy> {
        for chunk in out.chunks_mut(8) {
            // SplitMix64.
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

/// Waits for a future on this thread. What it waits for must not need a runtime.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
