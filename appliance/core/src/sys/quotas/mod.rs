//! `sys/quotas`: how often clients may ask, and how many leases there may be. What quotas of both kinds are of is read here.

pub mod lease_count;
pub mod rate_limit;

use serde::Serialize;
use serde_json::json;
use strongroom_barrier::{Name, Write};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::id::MountId;
use strongroom_types::{ApiPath, Operation, Refusal, Reply};

use super::endpoint::{alone, look};
use crate::active::{Active, SYSTEM, TOKENS};
use crate::fault::{barrier, damaged};
use crate::perform::{After, Run, Scene, Work};
use crate::quotas::Scope;
use crate::rules::Setting;
use crate::stage;

const OF_PATH: Field<String> =
    Field::new("path", "A mount, or a path below one, which may end in *; empty for the whole server.");
const ROLE: Field<String> = Field::new("role", "Only logins with this role, at an auth method.");
const INHERITABLE: Field<bool> = Field::new("inheritable", "Whether it holds in the namespaces below, too.");
const EXEMPT: Field<Vec<String>> =
    Field::new("rate_limit_exempt_paths", "Paths that no quota is charged for; may end in *.");
const AUDIT_LOGGING: Field<bool> = Field::new(
    "enable_rate_limit_audit_logging",
    "Accepted and shown: what a quota refuses is always in the audit log.",
);
const RESPONSE_HEADERS: Field<bool> =
    Field::new("enable_rate_limit_response_headers", "Whether answers tell how much is left.");

const CONFIG: &[FieldSpec] = &[EXEMPT.spec(), AUDIT_LOGGING.spec(), RESPONSE_HEADERS.spec()];
const NAME: Param = Param { name: "name", help: "The name of the quota.", kind: ParamKind::Exact };

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "quotas/config",
    help: "What holds for all quotas.",
    endpoints: &[look("Read it.", read_config), alone("Change it.", CONFIG, write_config)],
    ..Route::BASE
}];

const fn on(operation: Operation, summary: &'static str, run: Run) -> Endpoint<Run> {
    Endpoint { operation, summary, fields: &[], body: Body::None, run }
}

/// Where the quota's mount is now, and what is meant below it.
fn shown_path(active: &Active, scope: &Scope) -> String {
    let mounts = active.mounts.load();
    let mount = match scope.mount {
        None => return String::new(),
        Some(SYSTEM) => "sys/",
        Some(TOKENS) => "auth/token/",
        Some(id) => mounts.by_id(id).map_or("", |mount| mount.record.path.as_str()),
    };
    format!("{mount}{}", scope.path)
}

/// What a quota is to be of.
fn scope(scene: &Scene<'_>) -> Result<Scope, Refusal> {
    let (call, active) = (&scene.request.stage.call, scene.active);
    let (mount, path) = target(active, &call.get(&OF_PATH).unwrap_or_default())?;
    let role = call.get(&ROLE).unwrap_or_default();
    if !role.is_empty() {
        has_roles(active, mount, &path)?;
    }
    let inheritable = match (call.get(&INHERITABLE), mount) {
        (Some(true), Some(_)) => {
            return Err(Refusal::bad_request("'inheritable' is for quotas of a whole namespace"));
        }
        (given, None) => given.unwrap_or(true),
        (given, Some(_)) => given.unwrap_or_default(),
    };
    Ok(Scope { mount, path, role, inheritable })
}

/// Refused where no login has a role: the quota would never be charged.
fn has_roles(active: &Active, mount: Option<MountId>, below: &str) -> Result<(), Refusal> {
    let mounts = active.mounts.load();
    let mount = mount.and_then(|id| mounts.by_id(id)).filter(|_| below.is_empty());
    let found = mount.and_then(|mount| Some((mount, mount.method?)));
    let (mount, method) =
        found.ok_or_else(|| Refusal::bad_request("'role' needs the path of an auth method"))?;
    match method.has_roles {
        true => Ok(()),
        false => Err(Refusal::bad_request(format!(
            "mount path {:?} does not support use with role based quotas",
            mount.record.path
        ))),
    }
}

/// Refused if there is another quota of the same.
fn twin(other: Option<&str>) -> Result<(), Refusal> {
    other.map_or(Ok(()), |other| {
        Err(Refusal::bad_request(format!(
            "quota rule with similar properties exists under the name {other:?}"
        )))
    })
}

/// The names of all quotas of a kind, whose records are below `all`.
fn names_below(scene: &Scene<'_>, all: &Name) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let system = scene.active.system.at(scene.snapshot.clone());
    let names = system.list(all, call.after.as_deref(), call.limit).map_err(barrier)?;
    Ok(Work::reply(Reply::keys(names)))
}

/// Refused if it is said to be a quota of another kind.
fn is_said_to_be(said: Option<String>, kind: &str) -> Result<(), Refusal> {
    match said.as_deref() {
        Some(other) if !other.is_empty() && other != kind => {
            Err(Refusal::bad_request(format!("'type' must be {kind}")))
        }
        _ => Ok(()),
    }
}

/// Makes or changes the quota whose record has this name.
fn stored(scene: &Scene<'_>, name: Name, record: &impl Serialize) -> Result<Work, Refusal> {
    let system = &scene.active.system;
    let seen = system.at(scene.snapshot.clone()).get(&name).map_err(barrier)?;
    let body = serde_json::to_vec(record).map_err(damaged)?;
    let write = Write::put(name, body).if_unchanged(seen.as_ref());
    Ok(Work::done(vec![(system.clone(), write)]).then([After::Quotas]))
}

/// Removes it, if it is there.
fn removed(scene: &Scene<'_>, name: Name, is_there: bool) -> Result<Work, Refusal> {
    if !is_there {
        return Ok(Work::reply(Reply::Empty));
    }
    let write = (scene.active.system.clone(), Write::delete(name));
    Ok(Work::done(vec![write]).then([After::Quotas]))
}

/// The mount that `path` names or lies in, and what is below it.
fn target(active: &Active, path: &str) -> Result<(Option<MountId>, String), Refusal> {
    if path.trim_matches('/').is_empty() {
        return Ok((None, String::new()));
    }
    let invalid = || Refusal::bad_request(format!("invalid mount path {path:?}"));
    let path = ApiPath::from_text(path.trim_start_matches('/')).map_err(|_| invalid())?;
    // A quota knows names as requests have them: with any other spelling it would never be charged.
    let path = stage::canonical_beginning(active, path.as_str());
    let path = path.as_str();
    for (id, prefix) in [(SYSTEM, "sys"), (TOKENS, "auth/token")] {
        if let Some(rest) = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            return Ok((Some(id), rest.trim_start_matches('/').to_owned()));
        }
    }
    let mounts = active.mounts.load();
    let (mount, rest) = mounts.find(path).ok_or_else(invalid)?;
    Ok((Some(mount.record.id), rest.to_owned()))
}

fn read_config(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let config = scene.active.quotas.table().config.clone();
    Ok(Work::reply(Reply::data(json!({
        "rate_limit_exempt_paths": config.exempt,
        "enable_rate_limit_audit_logging": config.audit_logging,
        "enable_rate_limit_response_headers": config.response_headers,
    }))))
}

fn write_config(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (call, active) = (&scene.request.stage.call, scene.active);
    let mut config = active.quotas.table().config.clone();
    if let Some(exempt) = call.get(&EXEMPT) {
        if exempt.len() > 256 {
            return Err(Refusal::bad_request("at most 256 paths can be exempt"));
        }
        let canonical = |path: &String| {
            let path = ApiPath::from_text(path.trim_start_matches('/')).map_err(|error| {
                Refusal::bad_request(format!("'rate_limit_exempt_paths': {}", error.message()))
            })?;
            Ok(stage::canonical_beginning(active, path.as_str()))
        };
        config.exempt = exempt.iter().map(canonical).collect::<Result<_, Refusal>>()?;
    }
    config.audit_logging = call.get(&AUDIT_LOGGING).unwrap_or(config.audit_logging);
    config.response_headers = call.get(&RESPONSE_HEADERS).unwrap_or(config.response_headers);
    let write = config.write(&active.system, &active.system.at(scene.snapshot.clone()))?;
    Ok(Work::done(vec![write]).then([After::Quotas]))
}
