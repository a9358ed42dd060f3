//! `sys/quotas/lease-count`: how many leases there may be at the same time.

use serde_json::json;
use strongroom_engine::{Field, FieldSpec, Route};
use strongroom_types::{Operation, Refusal, Reply};

use super::{
    INHERITABLE, NAME, OF_PATH, ROLE, is_said_to_be, names_below, on, removed, scope, shown_path, stored,
    twin,
};
use crate::perform::{Run, Scene, Work};
use crate::quotas::leases::{LeaseQuotaRecord, name_of, name_of_all};
use crate::sys::endpoint::{alone, look, remove as removal};

const MAX_LEASES: Field<i64> =
    Field::new("max_leases", "How many leases there may be at the same time; at least 1.").required();
const TYPE: Field<String> = Field::new("type", "lease-count, if it is said.");

const FIELDS: &[FieldSpec] =
    &[MAX_LEASES.spec(), OF_PATH.spec(), ROLE.spec(), INHERITABLE.spec(), TYPE.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "quotas/lease-count",
        help: "The lease-count quotas.",
        endpoints: &[on(Operation::List, "List their names.", Run::Blocking(list))],
        ..Route::BASE
    },
    Route {
        path: "quotas/lease-count/{name}",
        params: &[NAME],
        help: "A lease-count quota: how many leases and expiring tokens there may be.",
        endpoints: &[
            look("Read it, and how many count for it.", read),
            alone("Make it, or change it.", FIELDS, write),
            removal("Remove it.", remove),
        ],
        ..Route::BASE
    },
];

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    names_below(scene, &name_of_all()?)
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (active, name) = (scene.active, scene.request.stage.call.param("name"));
    let quotas = active.quotas.leases();
    let record = &quotas.get(name).ok_or_else(Refusal::not_found)?.record;
    Ok(Work::reply(Reply::data(json!({
        "name": name,
        "type": "lease-count",
        "path": shown_path(active, &record.scope),
        "role": record.scope.role,
        "max_leases": record.max_leases,
        "counter": active.census.of_quota(name),
        "inheritable": record.scope.inheritable,
    }))))
}

fn write(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (call, active) = (&scene.request.stage.call, scene.active);
    let name = call.param("name");
    is_said_to_be(call.get(&TYPE), "lease-count")?;
    let max_leases = call.get(&MAX_LEASES).and_then(|most| u64::try_from(most).ok()).filter(|most| *most > 0);
    let max_leases = max_leases.ok_or_else(|| Refusal::bad_request("'max_leases' is invalid"))?;
    let scope = scope(scene)?;
    twin(active.quotas.leases().twin(name, &scope))?;
    let record = LeaseQuotaRecord { v: 1, scope, max_leases };
    stored(scene, name_of(name)?, &record)
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("name");
    let is_there = scene.active.quotas.leases().get(name).is_some();
    removed(scene, name_of(name)?, is_there)
}
