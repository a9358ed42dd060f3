//! The appliance behind the listeners: what a request passes through, and the system's own state.
//!
//! | module | holds |
//! |---|---|
//! | `pipeline` | the path of every request, on one screen |
//! | `stage` | its checks: each makes the type that the next one takes |
//! | `perform`, `commit` | the handler's run, and the one batch that comes of it |
//! | `effects` | commits that an unseal waits for |
//! | `finish` | work that is brought to its end although its client has gone |
//! | `audit_trail`, `outbox` | the two lines of each request, and the row that outlives a power cut |
//! | `lifecycle` | uninitialised, sealed, active: init, unseal, seal |
//! | `clock` | time that does not run backwards |
//! | `always` | the few paths that are answered in every state |
//! | `ceremony` | what a threshold of custodians decides: new shares, a new root token |
//! | `active` | everything that sealing takes away again: mounts, policies, tokens |
//! | `metrics`, `host` | what was counted and measured; the machine and this process |
//! | `census` | how many tokens and leases there are |
//! | `quotas` | how often a client may ask |
//! | `rules`, `log` | what answers look like beyond their content; the daemon's own log and its levels |
//! | `revocation` | the end of tokens, and of what was theirs |
//! | `leases` | what engines have given out for a time, until it is taken back |
//! | `background`, `sweep` | what goes on beside the requests |
//! | `logins`, `compute` | what becomes of a login; places for what computes long |
//! | `wrapping` | answers that are put by, to be had once |
//! | `versions` | which versions have served this cluster |
//! | `sys`, `tokens` | core's own routes |
//!
//! Core names no engine and no device: both are parameters ([`Parts`]), as are time and randomness.

mod active;
mod always;
mod audit_trail;
mod background;
mod census;
mod ceremony;
mod clock;
mod commit;
mod compute;
mod effects;
mod entities;
mod fault;
mod finish;
pub mod form;
mod host;
pub mod json;
mod leases;
pub mod lifecycle;
mod lockouts;
pub mod log;
mod logins;
mod metrics;
mod mounts;
mod order;
mod outbox;
mod perform;
mod pipeline;
mod policies;
mod quotas;
mod revocation;
mod rules;
mod settings;
mod stage;
mod sweep;
mod sys;
mod tokens;
mod turn;
mod versions;
mod wrapping;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use strongroom_engine::surface::{Entry, of_core};
use strongroom_types::request::Head;
use strongroom_types::{Received, Refusal, Reply, Request};
use tokio::sync::watch;

pub use finish::Finish;
pub use lifecycle::{InitWish, Initialised, StartError};
pub use lockouts::LockoutSetting;
pub use metrics::Telemetry;
pub use rules::{Cors, ResponseRules};
pub use settings::{Parts, SealWish, Settings};

use effects::Effects;
use lifecycle::{State, Switch};
use metrics::Metrics;
use metrics::in_flight::InFlight;

/// The appliance behind the listeners.
pub struct Core {
    parts: Parts,
    state: ArcSwap<State>,
    switch: Arc<Switch>,
    effects: Effects,
    metrics: Arc<Metrics>,
}

impl Core {
    /// Looks at the store, and is uninitialised or sealed accordingly. Nothing is asked of any device yet:
    /// [`Core::run`] does that.
    pub fn new(parts: Parts) -> Result<Arc<Self>, StartError> {
        let state = State::at_start(&parts)?;
        let (switch, effects) = Default::default();
        let metrics = Arc::new(Metrics::new(parts.clock.now(), parts.settings.telemetry.clone()));
        Ok(Arc::new(Self { state: ArcSwap::from_pointee(state), switch, effects, metrics, parts }))
    }

    /// Works beside the requests until `stop` is true: unseals by devices, forgets synced audit rows, sweeps.
    /// Then what is open is flushed and all keys are wiped.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        background::run(&self, stop).await;
    }

    /// Answers one request; `http` renders what comes back.
    ///
    /// The future may be dropped at any time, as it is when a client goes away. What has been accepted by the audit
    /// log by then is brought to its end all the same: see `pipeline.rs`.
    pub async fn handle(self: &Arc<Self>, request: Request<Received>) -> Result<Reply, Refusal> {
        let shown = InFlight::begin(&self.metrics, &request.head, self.parts.clock.now());
        let mut answer = pipeline::handle(self, request).await;
        if self.switch.take_seal_wish() {
            self.flush().await;
            self.seal();
        }
        if let Ok(reply) = &mut answer {
            reply.keep(shown);
        }
        answer
    }

    /// Stores what is stored late, before the keys are wiped.
    async fn flush(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        if let State::Active(active) = &*self.state() {
            match tokio::time::timeout(PATIENCE, lockouts::flush(active)).await {
                Ok(Ok(())) => {}
                _ => log::warn(format_args!("failed logins of the last moment could not be stored")),
            }
        }
    }

    /// The metrics for whoever has no token, in every state; the listener says whether they are to have them.
    pub fn open_metrics(&self, head: &Head) -> Result<Reply, Refusal> {
        sys::metrics::open(self, head)
    }

    /// What answers are to look like beyond their content. While sealed there are no rules.
    pub fn response_rules(&self) -> Arc<ResponseRules> {
        match &**self.state.load() {
            State::Active(active) => active.rules.load_full(),
            State::Sealed(_) | State::Uninitialised => Arc::default(),
        }
    }

    /// The rules, if they name headers of requests that the audit log shows.
    pub fn audited_headers(&self) -> Option<Arc<ResponseRules>> {
        let state = self.state.load();
        let State::Active(active) = &**state else { return None };
        let rules = active.rules.load();
        (!rules.audit_headers.is_empty()).then(|| Arc::clone(&rules))
    }

    /// The state that a request finds.
    pub(crate) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }
}

/// Every operation of core's own routes: `sys/` and `auth/token/`.
pub fn surface() -> Vec<Entry> {
    let mut all = of_core("sys", always::ROUTES);
    all.extend(sys::TABLES.iter().flat_map(|table| of_core("sys", table)));
    all.extend(tokens::routes::TABLES.iter().flat_map(|table| of_core("auth/token", table)));
    all
}

/// What needs no token where a listener's configuration says so: method, path, and what it says.
pub const OPEN_BY_CONFIGURATION: &[(&str, &str, &str)] =
    &[("GET", "/sys/metrics", "telemetry { unauthenticated_metrics_access = true }")];

/// The version that mounts show for their engines: they are built in.
pub(crate) const fn engine_version() -> &'static str {
    concat!("v", env!("CARGO_PKG_VERSION"), "+builtin")
}
