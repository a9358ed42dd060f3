//! `sys/metrics`: what was measured. For those who have a token; and, where a listener's configuration says so, for those
//! who have none, who are not told what is mounted.

use std::collections::HashMap;

use strongroom_engine::{Endpoint, Field, FieldSpec, Route};
use strongroom_types::id::MountId;
use strongroom_types::request::Head;
use strongroom_types::{Refusal, Reply, Timestamp};

use super::endpoint::look;
use crate::Core;
use crate::active::{Active, SYSTEM, TOKENS};
use crate::host::Process;
use crate::lifecycle::State;
use crate::metrics::catalogue::Facts;
use crate::metrics::in_flight::InFlight;
use crate::metrics::{Metrics, expose};
use crate::perform::{Run, Scene, Work};
use crate::quotas::Charge;

const FORMAT: Field<String> = Field::new("format", "prometheus; anything else is JSON.");
const METRICS: &[FieldSpec] = &[FORMAT.spec()];
const PROMETHEUS: &str = "prometheus";

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "metrics",
    help: "What was counted and measured since the start.",
    endpoints: &[Endpoint { fields: METRICS, ..look("Read the metrics.", metrics) }],
    ..Route::BASE
}];

fn metrics(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let active = scene.active;
    let is_text = scene.request.stage.call.get(&FORMAT).as_deref() == Some(PROMETHEUS);
    let facts = Facts { names: Some(names(active)), ..facts(active) };
    let as_text = is_text || accepts_text(&scene.request.head);
    shown(&active.metrics, &facts, active.clock.reading(), as_text).map(Work::reply)
}

/// For whoever has no token. It has no line in the audit log, as all that is answered in every state.
pub fn open(core: &Core, head: &Head) -> Result<Reply, Refusal> {
    if !head.namespace.is_empty() {
        return Err(Refusal::bad_request("this path is not available in a namespace"));
    }
    let now = core.parts.clock.now();
    let _shown = InFlight::begin(&core.metrics, head, now);
    let is_text = head.query.iter().any(|(name, value)| name == FORMAT.spec().name && value == PROMETHEUS);
    let facts = match &*core.state() {
        State::Active(active) => {
            charge(active, head)?;
            facts(active)
        }
        State::Sealed(_) | State::Uninitialised => {
            Facts { version: core.parts.settings.version.clone(), ..Facts::of_process() }
        }
    };
    shown(&core.metrics, &facts, now, is_text || accepts_text(head))
}

/// A stranger is charged as everybody is.
fn charge(active: &Active, head: &Head) -> Result<(), Refusal> {
    let (path, below) = (head.path.as_str(), "metrics");
    let (client, now) = (head.remote.map(|(address, _)| address), active.clock.reading());
    let charge = Charge { mount: Some(SYSTEM), path, below, reads: true, role: None, client, now };
    let charged = active.quotas.table().charge(&charge).map(drop);
    charged.inspect_err(|_| active.metrics.quota_violation.add())
}

/// Whether the client is Prometheus, or speaks as it does.
fn accepts_text(head: &Head) -> bool {
    let mut accepted = head.headers.iter().filter(|(name, _)| name == "accept");
    accepted.any(|(_, value)| {
        value.contains("application/openmetrics-text") || value.contains("prometheus/telemetry")
    })
}

/// What core answers itself.
const OWN: [(MountId, &str); 2] = [(SYSTEM, "sys/"), (TOKENS, "auth/token/")];

/// What is mounted where.
fn names(active: &Active) -> HashMap<MountId, String> {
    let mounts = active.mounts.load();
    let own = OWN.map(|(id, path)| (id, path.to_owned()));
    let all = mounts.all().into_iter().map(|mount| (mount.record.id, mount.record.path.clone()));
    all.chain(own).collect()
}

/// What everybody may know of an unsealed server.
fn facts(active: &Active) -> Facts {
    let mounts = active.mounts.load();
    let all = mounts.all();
    let auth = all.iter().filter(|mount| mount.is_auth()).count();
    Facts {
        cluster: Some(active.cluster.name.clone()),
        mounts: Some((all.len() - auth, auth)),
        census: active.census.count(),
        version: active.settings.version.clone(),
        ..Facts::of_process()
    }
}

impl Facts {
    fn of_process() -> Self {
        let runtime = tokio::runtime::Handle::try_current();
        let tasks = runtime.map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        Self { process: Process::now(), tasks, ..Self::default() }
    }
}

fn shown(metrics: &Metrics, facts: &Facts, now: Timestamp, as_text: bool) -> Result<Reply, Refusal> {
    match (as_text, metrics.telemetry.prometheus) {
        (true, true) => Ok(Reply::Raw {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: expose::prometheus(metrics, facts, now).into_bytes(),
        }),
        (true, false) => Err(Refusal::bad_request("prometheus is not enabled")),
        (false, _) => Ok(Reply::Json { status: 200, body: expose::json(metrics, facts, now) }),
    }
}
