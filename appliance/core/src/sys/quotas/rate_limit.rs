//! `sys/quotas/rate-limit`: how often clients may ask.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Field, FieldSpec, Route, Seconds};
use strongroom_types::{Operation, Refusal, Reply};

use super::{INHERITABLE, NAME, OF_PATH, ROLE, on, scope, shown_path, twin};
use crate::fault::{barrier, damaged};
use crate::perform::{After, Run, Scene, Work};
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
    let call = &scene.request.stage.call;
    let system = scene.active.system.at(scene.snapshot.clone());
    let names = system.list(&name_of_all()?, call.after.as_deref(), call.limit);
    Ok(Work::reply(Reply::keys(names.map_err(barrier)?)))
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
    if call.get(&TYPE).is_some_and(|kind| !matches!(kind.as_str(), "" | "rate-limit")) {
        return Err(Refusal::bad_request("'type' must be rate-limit"));
    }
    let interval = seconds(call.get(&INTERVAL), "interval")?;
    let block_interval = seconds(call.get(&BLOCK), "block_interval")?;
    let scope = scope(scene)?;
    let interval = if interval == 0 { 1 } else { interval };
    twin(active.quotas.table().quotas.twin(name, &scope))?;
    let record = QuotaRecord { v: 1, scope, rate, interval, block_interval };
    let seen = active.system.at(scene.snapshot.clone()).get(&name_of(name)?).map_err(barrier)?;
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name_of(name)?, body).if_unchanged(seen.as_ref());
    Ok(Work::done(vec![(active.system.clone(), write)]).then([After::Quotas]))
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
    let table = scene.active.quotas.table();
    if table.quotas.get(name).is_none() {
        return Ok(Work::reply(Reply::Empty));
    }
    let write = Write::delete(name_of(name)?);
    Ok(Work::done(vec![(scene.active.system.clone(), write)]).then([After::Quotas]))
}
