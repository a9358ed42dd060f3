//! `sys/quotas/lease-count`: how many leases there may be at the same time.

use serde_json::json;
use strongroom_barrier::Write;
use strongroom_engine::{Field, FieldSpec, Route};
use strongroom_types::{Operation, Refusal, Reply};

use super::{INHERITABLE, NAME, OF_PATH, ROLE, on, scope, shown_path, twin};
use crate::fault::{barrier, damaged};
use crate::perform::{After, Run, Scene, Work};
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
    let call = &scene.request.stage.call;
    let system = scene.active.system.at(scene.snapshot.clone());
    let names = system.list(&name_of_all()?, call.after.as_deref(), call.limit);
    Ok(Work::reply(Reply::keys(names.map_err(barrier)?)))
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
    if call.get(&TYPE).is_some_and(|kind| !matches!(kind.as_str(), "" | "lease-count")) {
        return Err(Refusal::bad_request("'type' must be lease-count"));
    }
    let max_leases = call.get(&MAX_LEASES).and_then(|most| u64::try_from(most).ok()).filter(|most| *most > 0);
    let max_leases = max_leases.ok_or_else(|| Refusal::bad_request("'max_leases' is invalid"))?;
    let scope = scope(scene)?;
    twin(active.quotas.leases().twin(name, &scope))?;
    let record = LeaseQuotaRecord { v: 1, scope, max_leases };
    let seen = active.system.at(scene.snapshot.clone()).get(&name_of(name)?).map_err(barrier)?;
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name_of(name)?, body).if_unchanged(seen.as_ref());
    Ok(Work::done(vec![(active.system.clone(), write)]).then([After::Quotas]))
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("name");
    if scene.active.quotas.leases().get(name).is_none() {
        return Ok(Work::reply(Reply::Empty));
    }
    let write = Write::delete(name_of(name)?);
    Ok(Work::done(vec![(scene.active.system.clone(), write)]).then([After::Quotas]))
}
