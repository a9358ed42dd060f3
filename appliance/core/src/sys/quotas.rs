//! `sys/quotas`: how often clients may ask.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route, Seconds};
use strongroom_types::id::MountId;
use strongroom_types::{ApiPath, Operation, Refusal, Reply};

use super::endpoint::{alone, look};
use crate::active::{Active, SYSTEM, TOKENS};
use crate::fault::{barrier, damaged};
use crate::perform::{After, Run, Scene, Work};
use crate::quotas::{QuotaRecord, name_of};
use crate::rules::Setting;

const RATE: Field<String> =
    Field::new("rate", "How many requests in an interval; may have a fraction.").required();
const INTERVAL: Field<Seconds> = Field::new("interval", "How long an interval is; 1s unless it is said.");
const BLOCK: Field<Seconds> =
    Field::new("block_interval", "How long a client who asks too often is refused everything.");
const OF_PATH: Field<String> =
    Field::new("path", "A mount, or a path below one, which may end in *; empty for the whole server.");
const ROLE: Field<String> = Field::new("role", "Only logins with this role, at an auth method.");
const INHERITABLE: Field<bool> = Field::new("inheritable", "Whether it holds in the namespaces below, too.");
const TYPE: Field<String> = Field::new("type", "rate-limit, the only one.");
const EXEMPT: Field<Vec<String>> =
    Field::new("rate_limit_exempt_paths", "Paths that no quota is charged for; may end in *.");
const AUDIT_LOGGING: Field<bool> = Field::new(
    "enable_rate_limit_audit_logging",
    "Accepted and shown: what a quota refuses is always in the audit log.",
);
const RESPONSE_HEADERS: Field<bool> =
    Field::new("enable_rate_limit_response_headers", "Whether answers tell how much is left.");

const RATE_LIMIT: &[FieldSpec] = &[
    RATE.spec(),
    INTERVAL.spec(),
    BLOCK.spec(),
    OF_PATH.spec(),
    ROLE.spec(),
    INHERITABLE.spec(),
    TYPE.spec(),
];
const CONFIG: &[FieldSpec] = &[EXEMPT.spec(), AUDIT_LOGGING.spec(), RESPONSE_HEADERS.spec()];
const NAME: Param = Param { name: "name", help: "The name of the quota.", kind: ParamKind::Exact };

/// Longest interval, in seconds: a year.
const LONGEST: i64 = 366 * 24 * 3600;
const MOST: f64 = 1e9;

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "quotas/config",
        help: "What holds for all quotas.",
        endpoints: &[look("Read it.", read_config), alone("Change it.", CONFIG, write_config)],
        ..Route::BASE
    },
    Route {
        path: "quotas/rate-limit",
        help: "The rate limits.",
        endpoints: &[on(Operation::List, "List their names.", Run::Free(list))],
        ..Route::BASE
    },
    Route {
        path: "quotas/rate-limit/{name}",
        params: &[NAME],
        help: "A rate limit: how many requests a client may make in an interval.",
        endpoints: &[
            look("Read it.", read),
            alone("Make it, or change it.", RATE_LIMIT, write),
            on(Operation::Delete, "Remove it.", Run::Alone(remove)),
        ],
        ..Route::BASE
    },
    Route {
        path: "quotas/lease-count/{name}",
        params: &[NAME],
        help: "Not available: leases are not counted against a quota.",
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Refused.",
            fields: &[],
            body: Body::Json,
            run: Run::Free(refuse_lease_count),
        }],
        ..Route::BASE
    },
];

const fn on(operation: Operation, summary: &'static str, run: Run) -> Endpoint<Run> {
    Endpoint { operation, summary, fields: &[], body: Body::None, run }
}

fn refuse_lease_count(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Err(Refusal::bad_request("lease count quotas are not available: limit how often leases are asked for"))
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let system = scene.active.system.at(scene.snapshot.clone());
    let names = system.list(&crate::quotas::name_of_all()?, call.after.as_deref(), call.limit);
    Ok(Work::reply(Reply::keys(names.map_err(barrier)?)))
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("name");
    let table = scene.active.quotas.table();
    let record = &table.get(name).ok_or_else(Refusal::not_found)?.record;
    Ok(Work::reply(Reply::data(json!({
        "name": name,
        "type": "rate-limit",
        "path": shown_path(scene.active, record),
        "role": record.role,
        "rate": number(record.rate),
        "interval": record.interval,
        "block_interval": record.block_interval,
        "inheritable": record.inheritable,
    }))))
}

/// `2000` and not `2000.0`.
#[allow(clippy::cast_possible_truncation)] // checked on the same line
fn number(rate: f64) -> Value {
    if rate.fract() == 0.0 && rate.abs() < MOST * 2.0 { (rate as i64).into() } else { rate.into() }
}

/// Where the quota's mount is now, and what is meant below it.
fn shown_path(active: &Active, record: &QuotaRecord) -> String {
    let mounts = active.mounts.load();
    let mount = match record.mount {
        None => return String::new(),
        Some(SYSTEM) => "sys/",
        Some(TOKENS) => "auth/token/",
        Some(id) => mounts.by_id(id).map_or("", |mount| mount.record.path.as_str()),
    };
    format!("{mount}{}", record.path)
}

/// The mount that `path` names or lies in, and what is below it.
fn target(active: &Active, path: &str) -> Result<(Option<MountId>, String), Refusal> {
    if path.trim_matches('/').is_empty() {
        return Ok((None, String::new()));
    }
    let invalid = || Refusal::bad_request(format!("invalid mount path {path:?}"));
    let path = ApiPath::from_text(path.trim_start_matches('/')).map_err(|_| invalid())?;
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
    let path = call.get(&OF_PATH).unwrap_or_default();
    let (mount, below) = target(active, &path)?;
    let role = call.get(&ROLE).unwrap_or_default();
    if !role.is_empty() {
        let mounts = active.mounts.load();
        let is_auth = mount.and_then(|id| mounts.by_id(id)).is_some_and(|mount| mount.is_auth());
        if !is_auth || !below.is_empty() {
            return Err(Refusal::bad_request("'role' needs the path of an auth method"));
        }
    }
    let inheritable = match (call.get(&INHERITABLE), mount) {
        (Some(true), Some(_)) => {
            return Err(Refusal::bad_request("'inheritable' is for quotas of a whole namespace"));
        }
        (given, None) => given.unwrap_or(true),
        (given, Some(_)) => given.unwrap_or_default(),
    };
    let interval = if interval == 0 { 1 } else { interval };
    let record = QuotaRecord { v: 1, mount, path: below, role, rate, interval, block_interval, inheritable };
    if let Some(twin) = active.quotas.table().twin(name, &record) {
        return Err(Refusal::bad_request(format!(
            "quota rule with similar properties exists under the name {twin:?}"
        )));
    }
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
    if table.get(name).is_none() {
        return Ok(Work::reply(Reply::Empty));
    }
    let write = Write::delete(name_of(name)?);
    Ok(Work::done(vec![(scene.active.system.clone(), write)]).then([After::Quotas]))
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
            Ok(path.as_str().to_owned())
        };
        config.exempt = exempt.iter().map(canonical).collect::<Result<_, Refusal>>()?;
    }
    config.audit_logging = call.get(&AUDIT_LOGGING).unwrap_or(config.audit_logging);
    config.response_headers = call.get(&RESPONSE_HEADERS).unwrap_or(config.response_headers);
    let write = config.write(&active.system, &active.system.at(scene.snapshot.clone()))?;
    Ok(Work::done(vec![write]).then([After::Quotas]))
}
