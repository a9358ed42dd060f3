//! `sys/seal`: the way back to darkness; `sys/step-down`, for those who ask it of every node. Unsealing is in [`crate::always`].

use strongroom_engine::{Body, Endpoint, Route};
use strongroom_types::{Operation, Refusal, Reply};

use crate::perform::{After, Run, Scene, Work};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "seal",
        help: "Wipes all keys; nothing is answered until the next unseal.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Seal.",
            fields: &[],
            body: Body::None,
            run: Run::Alone(seal),
        }],
        ..Route::BASE
    },
    Route {
        path: "step-down",
        help: "Leaves the lead to another node. There is none, so this node keeps it, and says so.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Leave the lead.",
            fields: &[],
            body: Body::None,
            run: Run::Free(step_down),
        }],
        ..Route::BASE
    },
];

fn step_down(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::Empty.with_warning("there is no other node: this one goes on")))
}

fn seal(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::Empty).then([After::Seal]))
}
