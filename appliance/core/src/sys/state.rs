//! What this server is: its configuration without secrets.

use serde_json::json;
use strongroom_engine::{Body, Endpoint, Param, ParamKind, Route};
use strongroom_types::{Operation, Refusal, Reply};

use super::endpoint::look;
use crate::perform::{Run, Scene, Work};

const SUBSYSTEM: Param = Param { name: "subsystem", help: "Which part.", kind: ParamKind::Exact };

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "config/state/sanitized",
        help: "The configuration in use, without secrets and files.",
        endpoints: &[look("Read it.", sanitized)],
        ..Route::BASE
    },
    Route {
        path: "config/reload/{subsystem}",
        params: &[SUBSYSTEM],
        help: "Refused: certificates, audit files and the log's level are read again at SIGHUP.",
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Refused.",
            fields: &[],
            body: Body::None,
            run: Run::Free(reload),
        }],
        ..Route::BASE
    },
    Route {
        path: "replication/status",
        help: "Replication; there is none.",
        endpoints: &[look("Read its status.", replication)],
        ..Route::BASE
    },
];

fn sanitized(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let settings = &scene.active.settings;
    let mut shown = settings.shown.clone();
    let seal = json!([{ "type": scene.active.facts.load().kind, "disabled": false }]);
    shown.insert("cluster_name".into(), scene.active.cluster.name.clone().into());
    shown.insert("default_lease_ttl".into(), settings.default_lease_ttl.into());
    shown.insert("max_lease_ttl".into(), settings.max_lease_ttl.into());
    shown.insert("node_id".into(), settings.node.clone().into());
    shown.insert("log_level".into(), crate::log::CORE.level().name().into());
    shown.insert("seals".into(), seal);
    shown.insert("storage".into(), json!({ "type": settings.storage_type }));
    Ok(Work::reply(Reply::data(shown.into())))
}

fn reload(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Err(Refusal::bad_request(
        "nothing is reloaded through the API: certificates, audit files and the log's level are read again at SIGHUP",
    ))
}

fn replication(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    let none = json!({ "mode": "disabled" });
    Ok(Work::reply(Reply::data(json!({ "dr": none, "performance": none }))))
}
