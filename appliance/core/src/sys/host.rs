//! `sys/host-info`, `sys/in-flight-req` and `sys/metrics`: the machine, what is under way, and what was measured.

use std::path::Path;

use serde_json::{Value, json};
use strongroom_engine::{Endpoint, Field, FieldSpec, Route};
use strongroom_types::id::MountId;
use strongroom_types::request::Head;
use strongroom_types::{JsonMap, Refusal, Reply};

use super::mounts::look;
use crate::active::{Active, SYSTEM, TOKENS};
use crate::host::{self, Process};
use crate::metrics::catalogue::Facts;
use crate::metrics::expose;
use crate::perform::{Run, Scene, Work};

const FORMAT: Field<String> = Field::new("format", "prometheus; anything else is JSON.");
const METRICS: &[FieldSpec] = &[FORMAT.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "host-info",
        help: "The machine: processors, memory, file systems, uptime.",
        sudo: true,
        endpoints: &[look("Read about the machine.", machine)],
        ..Route::BASE
    },
    Route {
        path: "in-flight-req",
        help: "The requests under way; their paths are those of other clients' secrets.",
        sudo: true,
        endpoints: &[look("Read what is under way.", under_way)],
        ..Route::BASE
    },
    Route {
        path: "metrics",
        help: "What was counted and measured since the start.",
        endpoints: &[Endpoint { fields: METRICS, ..look("Read the metrics.", metrics) }],
        ..Route::BASE
    },
];

fn machine(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let folder = scene.active.settings.folder.as_deref();
    let folders: Vec<&Path> = [Some(Path::new("/")), folder].into_iter().flatten().collect();
    Ok(Work::reply(Reply::data(json!({
        "timestamp": scene.active.clock.reading().to_string(),
        "cpu": host::cpu(),
        "cpu_times": host::cpu_times(),
        "disk": host::disk(&folders),
        "host": host::host(),
        "memory": host::memory(),
    }))))
}

fn under_way(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let now = scene.active.clock.reading().to_string();
    let all: JsonMap = scene
        .active
        .metrics
        .in_flight
        .all()
        .into_iter()
        .map(|(id, request)| {
            let remote =
                request.remote.map(|(address, port)| std::net::SocketAddr::new(address, port).to_string());
            let shown: Value = json!({
                "start_time": request.start.to_string(),
                "snapshot_time": now,
                "client_remote_address": remote.unwrap_or_default(),
                "request_path": format!("/v1/{}", request.path),
                "request_method": request.operation.name(),
                "client_id": "",
            });
            (id.to_string(), shown)
        })
        .collect();
    Ok(Work::reply(Reply::data(all.into())))
}

fn metrics(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let is_text = scene.request.stage.call.get(&FORMAT).as_deref() == Some("prometheus");
    Ok(Work::reply(shown(scene.active, is_text || accepts_text(&scene.request.head))))
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

/// The metrics of an unsealed server.
pub fn shown(active: &Active, as_text: bool) -> Reply {
    let mounts = active.mounts.load();
    let all = mounts.all();
    let auth = all.iter().filter(|mount| mount.is_auth()).count();
    let names = all.iter().map(|mount| (mount.record.id, mount.record.path.clone()));
    let own = OWN.map(|(id, path)| (id, path.to_owned()));
    let facts = Facts {
        cluster: Some(active.cluster.name.clone()),
        mounts: Some((all.len() - auth, auth)),
        names: Some(names.chain(own).collect()),
        census: active.census.count(),
        version: active.settings.version.clone(),
        process: Process::now(),
        tasks: tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks()),
    };
    let (metrics, now) = (&active.metrics, active.clock.reading());
    match as_text {
        true => Reply::Raw {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body: expose::prometheus(metrics, &facts, now).into_bytes(),
        },
        false => Reply::Json { status: 200, body: expose::json(metrics, &facts, now) },
    }
}
