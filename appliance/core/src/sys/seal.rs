//! `sys/seal`: the way back to darkness. Unsealing is in [`crate::always`].

use strongroom_engine::{Body, Endpoint, Route};
use strongroom_types::{Operation, Refusal, Reply};

use crate::perform::{After, Run, Scene, Work};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
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
}];

fn seal(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::Empty).then([After::Seal]))
}
