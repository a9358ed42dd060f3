//! `sys/host-info` and `sys/in-flight-req`: the machine, and what is under way.

use std::path::Path;

use serde_json::{Value, json};
use strongroom_engine::Route;
use strongroom_types::{JsonMap, Refusal, Reply};

use super::endpoint::look;
use crate::host;
use crate::perform::{Run, Scene, Work};

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
