//! `sys/clock`: what the clock says, and the acceptance of a time before its floor.

use serde_json::json;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route};
use strongroom_types::{Operation, Refusal, Reply};

use crate::perform::{After, Run, Scene, Work};

const ACCEPT: Field<bool> = Field::new("accept", "Must be true: the clock is right although it is behind.");
const FIELDS: &[FieldSpec] = &[ACCEPT.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "clock",
    help: "The clock, the latest time that was ever stored, and the acceptance of an earlier one.",
    sudo: true,
    endpoints: &[
        Endpoint {
            operation: Operation::Read,
            summary: "Read the clock and its floor.",
            fields: &[],
            body: Body::None,
            run: Run::Free(read),
        },
        Endpoint {
            operation: Operation::Update,
            summary: "Accept the clock as it is, though it is behind.",
            fields: FIELDS,
            body: Body::Json,
            run: Run::Alone(accept),
        },
    ],
    ..Route::BASE
}];

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let clock = &scene.active.clock;
    Ok(Work::reply(Reply::data(json!({
        "time": clock.reading().to_string(),
        "floor": clock.floor().to_string(),
        "seconds_behind": clock.behind().unwrap_or_default(),
        "accepted": clock.era(),
    }))))
}

fn accept(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let active = scene.active;
    if scene.request.stage.call.get(&ACCEPT) != Some(true) {
        return Err(Refusal::bad_request("'accept' must be true"));
    }
    let Some(behind) = active.clock.behind() else {
        return Err(Refusal::bad_request("the clock is not behind: there is nothing to accept"));
    };
    let (era, write) = active.clock.accepted()?;
    let reply = json!({ "time": era.began().map(|began| began.to_string()), "seconds_behind": behind });
    Ok(Work { reply: Reply::data(reply), ..Work::done(vec![(active.system.clone(), write)]) }
        .then([After::Era(era)]))
}
