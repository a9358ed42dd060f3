//! `sys/rotate`, `sys/rotate/config` and `sys/key-status`: the terms of the keyring.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_barrier::{Name, Reader, Write};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route, Seconds};
use strongroom_store::Batch;
use strongroom_types::time::format_duration;
use strongroom_types::{Operation, Refusal, Reply, Timestamp};

use super::at_top;
use super::endpoint::look;
use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::perform::{After, Run, Scene, Work};

const ENABLED: Field<bool> = Field::new("enabled", "Whether terms are added by themselves.");
const MAX_OPERATIONS: Field<i64> =
    Field::new("max_operations", "How many records one term encrypts at most.");
const INTERVAL: Field<Seconds> =
    Field::new("interval", "How long a term is used; 0 for as long as it lasts.");
const CONFIG: &[FieldSpec] = &[ENABLED.spec(), MAX_OPERATIONS.spec(), INTERVAL.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "key-status",
        help: "The term that new records are encrypted with.",
        endpoints: &[look("Read the term.", status)],
        ..Route::BASE
    },
    rotation("rotate"),
    rotation("rotate/keyring"),
    config("rotate/config"),
    config("rotate/keyring/config"),
];

const fn rotation(path: &'static str) -> Route<Run> {
    Route {
        path,
        help: "Adds a term, unless the newest one has encrypted nothing yet: what is written from then on is encrypted \
               with it, what is there stays readable.",
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

const fn config(path: &'static str) -> Route<Run> {
    Route { path, help: "When a term is added by itself.", endpoints: CONFIG_ENDPOINTS, ..Route::BASE }
}

const CONFIG_ENDPOINTS: &[Endpoint<Run>] = &[
    look("Read when.", read_config),
    Endpoint {
        operation: Operation::Update,
        summary: "Say when.",
        fields: CONFIG,
        body: Body::Json,
        run: Run::Alone(write_config),
    },
];

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
    Ok(Work { sealed, ..Work::reply(Reply::Empty) }.then(rotation.map(After::Rotated)))
}

// === by itself ===

const FEWEST: i64 = 1_000_000;
const MOST: i64 = 3_865_470_566;
const SHORTEST: i64 = 24 * 3600;

/// When a term is added by itself: one record in the system's view, `["rotation"]`, JSON.
#[derive(Clone, Serialize, Deserialize)]
pub struct Automatic {
    v: u8,
    enabled: bool,
    max_operations: i64,
    /// Seconds; 0 is never for age alone.
    interval: i64,
}

impl Default for Automatic {
    fn default() -> Self {
        Self { v: 1, enabled: true, max_operations: MOST, interval: 0 }
    }
}

impl Automatic {
    fn load(system: &Reader) -> Result<Self, Refusal> {
        match system.get(&name()?).map_err(barrier)? {
            None => Ok(Self::default()),
            Some(entry) => serde_json::from_slice(entry.value.expose()).map_err(damaged),
        }
    }

    /// Whether `active` needs a new term at `now`.
    pub fn is_due(system: &Reader, active: &Active, now: Timestamp) -> Result<bool, Refusal> {
        let wish = Self::load(system)?;
        let status = active.barrier.key_status();
        let worn = i64::try_from(status.encryptions).is_ok_and(|used| used >= wish.max_operations);
        let old = wish.interval > 0 && status.installed.plus_secs(wish.interval) <= now;
        Ok(wish.enabled && (worn || old))
    }
}

fn read_config(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let wish = Automatic::load(&scene.active.system.at(scene.snapshot.clone()))?;
    // As Vault has it: the number 0 for never, else a text.
    let interval = match wish.interval {
        0 => Value::from(0),
        secs => format_duration(secs.saturating_mul(1_000_000_000)).into(),
    };
    Ok(Work::reply(Reply::data(json!({
        "enabled": wish.enabled,
        "max_operations": wish.max_operations,
        "interval": interval,
    }))))
}

fn write_config(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let system = scene.active.system.at(scene.snapshot.clone());
    let mut wish = Automatic::load(&system)?;
    if let Some(most) = call.get(&MAX_OPERATIONS) {
        if !(FEWEST..=MOST).contains(&most) {
            return Err(Refusal::bad_request(format!(
                "max_operations must be in the range [{FEWEST},{MOST}]"
            )));
        }
        wish.max_operations = most;
    }
    if let Some(interval) = call.get(&INTERVAL).map(Seconds::secs) {
        if interval != 0 && interval < SHORTEST {
            return Err(Refusal::bad_request("interval must be greater or equal to 24h0m0s"));
        }
        wish.interval = interval;
    }
    wish.enabled = call.get(&ENABLED).unwrap_or(wish.enabled);
    let seen = system.get(&name()?).map_err(barrier)?;
    let body = serde_json::to_vec(&wish).map_err(damaged)?;
    let write = Write::put(name()?, body).if_unchanged(seen.as_ref());
    Ok(Work::done(vec![(scene.active.system.clone(), write)]).then([After::Sweep]))
}

fn name() -> Result<Name, Refusal> {
    Name::new(["rotation"]).map_err(damaged)
}
