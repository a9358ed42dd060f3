//! `sys/quotas/rate-limit`: how often clients may ask.

use serde_json::{Value, json};
use strongroom_engine::{Field, FieldSpec, Route, Seconds};
use strongroom_types::{Operation, Refusal, Reply};

use super::{
    INHERITABLE, NAME, OF_PATH, ROLE, is_said_to_be, names_below, on, removed, scope, shown_path, stored,
    twin,
};
use crate::perform::{Run, Scene, Work};
use crate::quotas::{QuotaRecord, name_of, name_of_all};
use crate::sys::endpoint::{alone, look, remove as removal};

const RATE: Field<String> =
    Field::new("rate", "How many requests in an interval; may have a fraction.").required();
const INTERVAL: Field<Seconds> = Field::new("interval", "How long an interval is; 1s unless it is said.");
const BLOCK: Field<Seconds> =
    Field::new("block_interval", "How long a client who asks too often is refused everything.");
const TYPE: Field<String> = Field::new("type", "rate-limit, if it is said.");

const RATE_LIMIT: &[FieldSpec] = &[
    RATE.spec(),
    INTERVAL.spec(),
    BLOCK.spec(),
    OF_PATH.spec(),
    ROLE.spec(),
    INHERITABLE.spec(),
    TYPE.spec(),
];

/// Longest interval, in seconds: a year.
const LONGEST: i64 = 366 * 24 * 3600;
const MOST: f64 = 1e9;

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "quotas/rate-limit",
        help: "The rate limits.",
        endpoints: &[on(Operation::List, "List their names.", Run::Blocking(list))],
        ..Route::BASE
    },
    Route {
        path: "quotas/rate-limit/{name}",
        params: &[NAME],
        help: "A rate limit: how many requests a client may make in an interval.",
        endpoints: &[
            look("Read it.", read),
            alone("Make it, or change it.", RATE_LIMIT, write),
            removal("Remove it.", remove),
        ],
        ..Route::BASE
    },
];

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    names_below(scene, &name_of_all()?)
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("name");
    let table = scene.active.quotas.table();
    let record = &table.quotas.get(name).ok_or_else(Refusal::not_found)?.record;
    Ok(Work::reply(Reply::data(json!({
        "name": name,
        "type": "rate-limit",
        "path": shown_path(scene.active, &record.scope),
        "role": record.scope.role,
        "rate": number(record.rate),
        "interval": record.interval,
        "block_interval": record.block_interval,
        "inheritable": record.scope.inheritable,
    }))))
}

/// `2000` and not `2000.0`.
#[allow(clippy::cast_possible_truncation)] // checked on the same line
fn number(rate: f64) -> Value {
    if rate.fract() == 0.0 && rate.abs() < MOST * 2.0 { (rate as i64).into() } else { rate.into() }
}

fn write(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (call, active) = (&scene.request.stage.call, scene.active);
    let name = call.param("name");
    let rate = call.get(&RATE).and_then(|text| text.trim().parse::<f64>().ok());
    let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0 && *rate <= MOST);
    let rate = rate.ok_or_else(|| Refusal::bad_request("'rate' is invalid"))?;
    is_said_to_be(call.get(&TYPE), "rate-limit")?;
    let interval = seconds(call.get(&INTERVAL), "interval")?;
    let block_interval = seconds(call.get(&BLOCK), "block_interval")?;
    let scope = scope(scene)?;
    let interval = if interval == 0 { 1 } else { interval };
    twin(active.quotas.table().quotas.twin(name, &scope))?;
    let record = QuotaRecord { v: 1, scope, rate, interval, block_interval };
    stored(scene, name_of(name)?, &record)
}

/// Whole seconds; a part of one is no interval.
fn seconds(given: Option<Seconds>, name: &str) -> Result<i64, Refusal> {
    let given = given.unwrap_or_default();
    let is_whole = given.nanos % 1_000_000_000 == 0;
    Some(given.secs())
        .filter(|secs| is_whole && (0..=LONGEST).contains(secs))
        .ok_or_else(|| Refusal::bad_request(format!("'{name}' must be whole seconds, from 0 to a year")))
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("name");
    let is_there = scene.active.quotas.table().quotas.get(name).is_some();
    removed(scene, name_of(name)?, is_there)
}
