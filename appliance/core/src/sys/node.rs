//! `sys/ha-status` and `sys/version-history`: of this node, which is the only one.

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Route};
use strongroom_types::{JsonMap, Operation, Refusal, Reply};

use super::at_top;
use crate::perform::{Run, Scene, SystemHandler, Work};
use crate::versions;

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "ha-status",
        help: "The nodes of the cluster.",
        endpoints: &[on(Operation::Read, "List the nodes.", nodes)],
        ..Route::BASE
    },
    Route {
        path: "version-history",
        help: "Which versions have served this cluster, and since when.",
        endpoints: &[Endpoint {
            run: Run::Blocking(history),
            ..on(Operation::List, "List the versions.", history)
        }],
        ..Route::BASE
    },
];

const fn on(operation: Operation, summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation, summary, fields: &[], body: Body::None, run: Run::Free(run) }
}

fn nodes(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let settings = &scene.active.settings;
    let node = json!({
        "hostname": settings.node,
        "api_address": "",
        "cluster_address": "",
        "active_node": true,
        "last_echo": null,
        "version": settings.version,
    });
    Ok(Work::reply(at_top(json!({ "nodes": [node] }))))
}

fn history(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let all = versions::history(&scene.active.system.at(scene.snapshot.clone()))?;
    let (mut keys, mut about, mut previous) = (Vec::new(), JsonMap::new(), Value::Null);
    for (version, since) in all {
        let info = json!({ "previous_version": previous, "timestamp_installed": since.to_string(), "build_date": null });
        previous = version.clone().into();
        about.insert(version.clone(), info);
        keys.push(version);
    }
    Ok(Work::reply(Reply::data(json!({ "keys": keys, "key_info": about }))))
}
