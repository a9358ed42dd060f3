//! `sys/mounts`: enable, read, list, tune, disable.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Body, Cx, Endpoint, Field, FieldSpec, MountOptions, Route};
use strongroom_types::id::MountId;
use strongroom_types::time::parse_duration;
use strongroom_types::{ApiPath, JsonMap, Operation, Refusal, Reply};

use super::{PATH, at_top};
use crate::fault::{barrier, damaged};
use crate::mounts::{Mount, MountConfig, MountRecord, name_of};
use crate::perform::{After, Run, Scene, Work, of_mount};
use crate::tokens::base62;

const TYPE: Field<String> = Field::new("type", "The kind of engine: kv, kv-v2, …");
const DESCRIPTION: Field<String> = Field::new("description", "For people.");
const CONFIG: Field<JsonMap> =
    Field::new("config", "default_lease_ttl, max_lease_ttl, listing_visibility, …");
const OPTIONS: Field<JsonMap> = Field::new("options", "The engine's own options, such as version.");
const LOCAL: Field<bool> = Field::new("local", "Whether the mount stays on this cluster.");
const SEAL_WRAP: Field<bool> = Field::new("seal_wrap", "Accepted; everything is behind the seal already.");
const ENTROPY: Field<bool> = Field::new("external_entropy_access", "Accepted and shown.");

const TUNABLE: &[FieldSpec] = &[DESCRIPTION.spec(), OPTIONS.spec()];
const ENABLE: &[FieldSpec] = &[
    TYPE.spec(),
    DESCRIPTION.spec(),
    CONFIG.spec(),
    OPTIONS.spec(),
    LOCAL.spec(),
    SEAL_WRAP.spec(),
    ENTROPY.spec(),
];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "mounts",
        help: "All mounted engines.",
        endpoints: &[look("List the mounts.", list)],
        ..Route::BASE
    },
    Route {
        path: "mounts/{path*}/tune",
        params: &[PATH],
        help: "The settings of a mount.",
        endpoints: &[look("Read the settings.", read_tune), alone("Change the settings.", TUNABLE, tune)],
        ..Route::BASE
    },
    Route {
        path: "mounts/{path*}",
        params: &[PATH],
        help: "One mounted engine.",
        endpoints: &[
            look("Read the mount.", read),
            alone("Mount an engine.", ENABLE, enable),
            Endpoint {
                operation: Operation::Delete,
                summary: "Unmount the engine and destroy its data.",
                fields: &[],
                body: Body::None,
                run: Run::Alone(disable),
            },
        ],
        ..Route::BASE
    },
];

const fn look(summary: &'static str, run: crate::perform::SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Read, summary, fields: &[], body: Body::None, run: Run::Free(run) }
}

const fn alone(
    summary: &'static str,
    fields: &'static [FieldSpec],
    run: crate::perform::SystemHandler,
) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Alone(run) }
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(at_top(all(scene))))
}

/// Every mount that is shown, `sys/` among them, by path.
pub(super) fn all(scene: &Scene<'_>) -> Value {
    let mounts = scene.active.mounts.load();
    let mut all: JsonMap =
        mounts.all().into_iter().map(|m| (m.record.path.clone(), show(&m.record))).collect();
    all.insert("sys/".into(), show(&system_record()));
    Value::from(all)
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    let mounts = scene.active.mounts.load();
    let shown = match mounts.at(&path) {
        Some(mount) => show(&mount.record),
        None if path == "sys/" => show(&system_record()),
        None => return Err(Refusal::bad_request(format!("No secret engine mount at {path}"))),
    };
    Ok(Work::reply(at_top(shown)))
}

/// `sys/` is no mount, but clients expect to see it among them.
fn system_record() -> MountRecord {
    MountRecord {
        v: 1,
        id: crate::active::SYSTEM,
        path: "sys/".into(),
        kind: "system".into(),
        accessor: "system_strongroom".into(),
        description: "system endpoints used for control, policy and debugging".into(),
        options: MountOptions::new(),
        config: MountConfig { passthrough_request_headers: vec!["Accept".into()], ..MountConfig::default() },
        local: false,
        seal_wrap: true,
        external_entropy_access: false,
    }
}

fn enable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let active = scene.active;
    let path = given_path(scene)?;
    let asked = call.get(&TYPE).filter(|kind| !kind.is_empty());
    let asked = asked.ok_or_else(|| Refusal::bad_request("backend type must be specified as a string"))?;
    let reserved = ["sys/", "auth/", "identity/", "cubbyhole/", "audit/"];
    if reserved.iter().any(|held| path.starts_with(held)) {
        return Err(Refusal::bad_request(format!("path is already in use at {path}")));
    }
    if let Some(held) = active.mounts.load().conflict(&path) {
        return Err(Refusal::bad_request(format!("path is already in use at {held}")));
    }
    let mut options = options(call.get(&OPTIONS))?;
    let kind = match asked.as_str() {
        "kv-v1" | "kv-v2" => {
            options.entry("version".into()).or_insert_with(|| asked.trim_start_matches("kv-v").to_owned());
            "kv".to_owned()
        }
        "generic" => "kv".to_owned(),
        "cubbyhole" | "system" | "token" | "identity" => {
            return Err(Refusal::bad_request(format!("mount type of \"{asked}\" is not mountable")));
        }
        _ => asked,
    };
    let mut config = MountConfig::default();
    configure(&mut config, &call.get(&CONFIG).unwrap_or_default())?;
    let record = MountRecord {
        v: 1,
        id: MountId::from_random(active.entropy.draw()?),
        accessor: format!("{kind}_{}", base62(active.entropy.as_ref(), 8)?.to_lowercase()),
        path,
        kind,
        description: call.get(&DESCRIPTION).unwrap_or_default(),
        options,
        config,
        local: call.get(&LOCAL).unwrap_or_default(),
        seal_wrap: call.get(&SEAL_WRAP).unwrap_or_default(),
        external_entropy_access: call.get(&ENTROPY).unwrap_or_default(),
    };
    // Builds the mount to find out whether the engine takes the options; the table is read again after the commit.
    Mount::new(record.clone(), &active.barrier, active.engines, &active.settings)?;
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name_of(record.id)?, body).if_unchanged(None);
    Ok(Work::done(vec![(active.system.clone(), write)]).then([After::Mounts]))
}

fn disable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    let mounts = scene.active.mounts.load();
    let Some(mount) = mounts.at(&path) else {
        if path == "sys/" {
            return Err(Refusal::bad_request("cannot unmount \"sys/\""));
        }
        return Ok(Work::reply(Reply::Empty));
    };
    if mount.record.kind == "cubbyhole" {
        return Err(Refusal::bad_request(format!("cannot unmount \"{path}\"")));
    }
    // The mount's id is gone with its record, and with it the way to its records; the sweep deletes them in slices.
    let system = scene.active.system.clone();
    let doomed = crate::sweep::doomed(mount.record.id, scene.now)?;
    let writes = vec![(system.clone(), Write::delete(name_of(mount.record.id)?)), (system, doomed)];
    Ok(Work::done(writes).then([After::Mounts, After::Sweep]))
}

fn read_tune(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    let mounts = scene.active.mounts.load();
    let record = match mounts.at(&path) {
        Some(mount) => mount.record.clone(),
        None if path == "sys/" => system_record(),
        None => return Err(Refusal::bad_request(format!("no handler for route \"{path}\""))),
    };
    let mut shown = show_config(&record.config);
    let settings = &scene.active.settings;
    let or = |own: i64, system: i64| if own == 0 { system } else { own };
    shown.insert(
        "default_lease_ttl".into(),
        or(record.config.default_lease_ttl, settings.default_lease_ttl).into(),
    );
    shown.insert("max_lease_ttl".into(), or(record.config.max_lease_ttl, settings.max_lease_ttl).into());
    shown.insert("description".into(), record.description.into());
    if !record.options.is_empty() {
        shown.insert("options".into(), json!(record.options));
    }
    Ok(Work::reply(at_top(Value::from(shown))))
}

fn tune(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let path = given_path(scene)?;
    let active = scene.active;
    let mounts = active.mounts.load();
    let mount = mounts.at(&path).ok_or_else(|| Refusal::bad_request(format!("no mount at {path}")))?;
    let mut record = mount.record.clone();
    if let Some(description) = call.get(&DESCRIPTION) {
        record.description = description;
    }
    configure(&mut record.config, &call.fields)?;
    let mut work = Work::reply(Reply::Empty).then([After::Mounts]);
    if let Some(changed) = call.get(&OPTIONS) {
        record.options.extend(options(Some(changed))?);
        if record.options != mount.record.options {
            // Asked before the engine's own check, which does not know where the options come from.
            if let Some(retune) = mount.engine.retune {
                let cx: Cx = crate::perform::cx(active, mount, None, scene.snapshot.clone());
                let outcome = retune(&cx, &mount.record.options, &record.options)?;
                let own = of_mount(&mount.view, outcome);
                work.reply = own.reply;
                work.writes = own.writes;
            }
            (mount.engine.routes)(&record.options)?;
        }
    }
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let name = name_of(record.id)?;
    let seen = active.system.at(scene.snapshot.clone()).get(&name).map_err(barrier)?;
    work.writes.push((active.system.clone(), Write::put(name, body).if_unchanged(seen.as_ref())));
    Ok(work)
}

/// The path parameter as a mount path: canonical, with its slash.
fn given_path(scene: &Scene<'_>) -> Result<String, Refusal> {
    if scene.request.head.path.has_trailing_slash() {
        return Err(Refusal::not_found());
    }
    let path = ApiPath::from_text(scene.request.stage.call.param("path"));
    let path = path.map_err(|error| Refusal::bad_request(error.message()))?;
    Ok(format!("{}/", path.as_str()))
}

fn options(given: Option<JsonMap>) -> Result<MountOptions, Refusal> {
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    let pairs = given.unwrap_or_default().into_iter().filter(|(_, value)| !value.is_null());
    pairs
        .map(|(key, value)| Some((key, text(value)?)))
        .collect::<Option<_>>()
        .ok_or_else(|| Refusal::bad_request("'options' must be an object of strings"))
}

/// Takes over the settings that `given` names.
fn configure(config: &mut MountConfig, given: &JsonMap) -> Result<(), Refusal> {
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "default_lease_ttl" => config.default_lease_ttl = seconds(key, value)?,
            "max_lease_ttl" => config.max_lease_ttl = seconds(key, value)?,
            "force_no_cache" => config.force_no_cache = value.as_bool().unwrap_or_default(),
            "audit_non_hmac_request_keys" => config.audit_non_hmac_request_keys = texts(key, value)?,
            "audit_non_hmac_response_keys" => config.audit_non_hmac_response_keys = texts(key, value)?,
            "passthrough_request_headers" => config.passthrough_request_headers = texts(key, value)?,
            "allowed_response_headers" => config.allowed_response_headers = texts(key, value)?,
            "listing_visibility" => match value.as_str() {
                Some(text @ ("" | "hidden" | "unauth")) => text.clone_into(&mut config.listing_visibility),
                _ => return Err(Refusal::bad_request("invalid value for 'listing_visibility'")),
            },
            _ => {}
        }
    }
    if config.max_lease_ttl != 0 && config.default_lease_ttl > config.max_lease_ttl {
        return Err(Refusal::bad_request("given default lease TTL greater than given max lease TTL"));
    }
    Ok(())
}

/// `"system"` and an empty text are the system's own value, 0.
fn seconds(key: &str, value: &Value) -> Result<i64, Refusal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.is_empty() || text == "system" {
        return Ok(0);
    }
    parse_duration(&text)
        .map(|nanos| nanos / 1_000_000_000)
        .filter(|secs| *secs >= 0)
        .ok_or_else(|| Refusal::bad_request(format!("invalid duration for '{key}'")))
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, Refusal> {
    let list = match value {
        Value::String(text) => Some(text.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect()),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    list.ok_or_else(|| Refusal::bad_request(format!("'{key}' must be a list of strings")))
}

/// A mount as `sys/mounts` shows it.
fn show(record: &MountRecord) -> Value {
    json!({
        "accessor": record.accessor,
        "config": show_config(&record.config),
        "deprecation_status": "supported",
        "description": record.description,
        "external_entropy_access": record.external_entropy_access,
        "local": record.local,
        "options": if record.kind == "system" || record.kind == "cubbyhole" { Value::Null } else { json!(record.options) },
        "plugin_version": "",
        "running_plugin_version": crate::engine_version(),
        "running_sha256": "",
        "seal_wrap": record.seal_wrap,
        "type": record.kind,
        "uuid": record.id,
    })
}

fn show_config(config: &MountConfig) -> JsonMap {
    match serde_json::to_value(config) {
        Ok(Value::Object(map)) => map,
        _ => JsonMap::new(),
    }
}
