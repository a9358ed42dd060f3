//! `sys/internal/counters`: how many there are of what can be counted.
//!
//! The clients of a month (`activity`) are not: to tell them exactly, and over restarts, the first request of each client in
//! each month would have to wait for the disk, also one that only reads.

use serde_json::json;
use strongroom_engine::Route;
use strongroom_types::{Refusal, Reply};

use super::endpoint::{look, scan};
use crate::perform::{Run, Scene, Work};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "internal/counters/tokens",
        help: "How many service tokens there are.",
        endpoints: &[scan("Count the tokens.", tokens)],
        ..Route::BASE
    },
    Route {
        path: "internal/counters/entities",
        help: "How many entities there are.",
        endpoints: &[look("Count the entities: there are none.", entities)],
        ..Route::BASE
    },
    Route {
        path: "internal/counters/requests",
        help: "How many requests have been answered since the start.",
        endpoints: &[look("Count the requests.", requests)],
        ..Route::BASE
    },
];

fn tokens(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let total = match scene.active.census.count() {
        Some(count) => count.tokens.max(0).unsigned_abs(),
        // Just unsealed.
        None => {
            let reader = scene.active.tokens.view.at(scene.snapshot.clone());
            scene.active.tokens.count(&reader)?
        }
    };
    Ok(Work::reply(Reply::data(json!({ "counters": { "service_tokens": { "total": total } } }))))
}

fn entities(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data(json!({ "counters": { "entities": { "total": 0 } } }))))
}

fn requests(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let metrics = &scene.active.metrics;
    let total = metrics.requests();
    let since = metrics.started.to_string();
    Ok(Work::reply(Reply::data(json!({ "counters": [{ "start_time": since, "total": total }] }))))
}
