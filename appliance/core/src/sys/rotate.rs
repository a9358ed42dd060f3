//! `sys/rotate` and `sys/key-status`: the terms of the keyring.

use serde_json::json;
use strongroom_engine::{Body, Endpoint, Route};
use strongroom_store::Batch;
use strongroom_types::{Operation, Refusal, Reply};

use super::at_top;
use crate::fault::barrier;
use crate::perform::{After, Run, Scene, Work};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "key-status",
        help: "The term that new records are encrypted with.",
        endpoints: &[Endpoint {
            operation: Operation::Read,
            summary: "Read the term.",
            fields: &[],
            body: Body::None,
            run: Run::Free(status),
        }],
        ..Route::BASE
    },
    rotation("rotate"),
    rotation("rotate/keyring"),
];

const fn rotation(path: &'static str) -> Route<Run> {
    Route {
        path,
        help: "Adds a term: what is written from then on is encrypted with it, what is there stays readable.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Add a term.",
            fields: &[],
            body: Body::None,
            run: Run::Alone(rotate),
        }],
        ..Route::BASE
    }
}

fn status(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let status = scene.active.barrier.key_status();
    Ok(Work::reply(at_top(json!({
        "term": status.term,
        "install_time": status.installed.to_string(),
        "encryptions": status.encryptions,
    }))))
}

fn rotate(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let mut sealed = Batch::default();
    let rotation = scene.active.barrier.rotate(&*scene.snapshot, scene.now, &mut sealed).map_err(barrier)?;
    Ok(Work { sealed, ..Work::reply(Reply::Empty) }.then([After::Rotated(rotation)]))
}
