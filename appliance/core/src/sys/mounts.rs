//! `sys/mounts`: enable, read, list, disable.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Call, Field, FieldSpec, MountOptions, Route};
use strongroom_types::id::MountId;
use strongroom_types::{ApiPath, JsonMap, Refusal, Reply};

use super::endpoint::{alone, look, remove, scan};
use super::tune::configure;
use super::{PATH, at_top};
use crate::fault::damaged;
use crate::mounts::{Mount, MountConfig, MountRecord, name_of};
use crate::perform::{After, Run, Scene, Work};
use crate::tokens::base62;

const TYPE: Field<String> = Field::new("type", "The kind of engine: kv, kv-v2, …");
pub(super) const DESCRIPTION: Field<String> = Field::new("description", "For people.");
pub(super) const CONFIG: Field<JsonMap> =
    Field::new("config", "default_lease_ttl, max_lease_ttl, listing_visibility, …");
pub(super) const OPTIONS: Field<JsonMap> =
    Field::new("options", "The engine's own options, such as version.");
pub(super) const LOCAL: Field<bool> = Field::new("local", "Whether the mount stays on this cluster.");
pub(super) const SEAL_WRAP: Field<bool> =
    Field::new("seal_wrap", "Accepted; everything is behind the seal already.");
pub(super) const ENTROPY: Field<bool> = Field::new("external_entropy_access", "Accepted and shown.");
pub(super) const PLUGIN: Field<String> =
    Field::new("plugin_name", "What older clients send as the kind, beside the type 'plugin'.");
pub(super) const PLUGIN_VERSION: Field<String> =
    Field::new("plugin_version", "Refused: engines are built in.");

/// What is said of a new mount of either sort; `kind` is its type.
pub(super) const fn of_new(kind: Field<String>) -> [FieldSpec; 9] {
    [
        kind.required().spec(),
        DESCRIPTION.spec(),
        CONFIG.spec(),
        OPTIONS.spec(),
        LOCAL.spec(),
        SEAL_WRAP.spec(),
        ENTROPY.spec(),
        PLUGIN.spec(),
        PLUGIN_VERSION.spec(),
    ]
}
const ENABLE: &[FieldSpec] = &of_new(TYPE);

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "mounts",
        help: "All mounted engines.",
        endpoints: &[scan("List the mounts.", list)],
        ..Route::BASE
    },
    Route {
        path: "mounts/{path*}",
        params: &[PATH],
        help: "One mounted engine.",
        endpoints: &[
            look("Read the mount.", read),
            alone("Mount an engine.", ENABLE, enable),
            remove("Unmount the engine and destroy its data.", disable),
        ],
        ..Route::BASE
    },
];

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(at_top(all(scene))))
}

/// Every mount that is shown, `sys/` among them, by path.
pub(super) fn all(scene: &Scene<'_>) -> Value {
    let mounts = scene.active.mounts.load();
    let engines = mounts.all().into_iter().filter(|mount| !mount.is_auth());
    let mut all: JsonMap = engines.map(|m| (m.record.path.clone(), show(&m.record))).collect();
    all.insert("sys/".into(), show(&system_record()));
    Value::from(all)
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    let mounts = scene.active.mounts.load();
    let shown = match mounts.at(&path).filter(|mount| !mount.is_auth()) {
        Some(mount) => show(&mount.record),
        None if path == "sys/" => show(&system_record()),
        None => return Err(Refusal::bad_request(format!("No secret engine mount at {path}"))),
    };
    Ok(Work::reply(at_top(shown)))
}

/// `sys/` is no mount, but clients expect to see it among them.
pub(super) fn system_record() -> MountRecord {
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
    let asked = kind_asked(call, &TYPE)?;
    if is_reserved(&path) {
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
    configure(&mut config, &path, &call.get(&CONFIG).unwrap_or_default(), &active.settings)?;
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
    // Builds the mount to find out whether the engine takes the options; it is built again after the commit.
    Mount::new(record.clone(), &active.barrier, active.kinds, &active.settings)?;
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name_of(record.id)?, body).if_unchanged(None);
    Ok(Work::done(vec![(active.system.clone(), write)]).then([After::Mount(record.id)]))
}

/// The kind that a request to mount names.
pub(super) fn kind_asked(call: &Call, field: &Field<String>) -> Result<String, Refusal> {
    let given = |field| call.get(field).filter(|text: &String| !text.is_empty());
    if given(&PLUGIN_VERSION).is_some() {
        return Err(Refusal::bad_request("'plugin_version' cannot be chosen: engines are built in"));
    }
    let asked = match given(field) {
        Some(kind) if kind == "plugin" => given(&PLUGIN),
        kind => kind,
    };
    asked.ok_or_else(|| Refusal::bad_request("backend type must be specified as a string"))
}

/// Whether no engine may be mounted at `path`: core's own, and what is core's in other servers.
pub(super) fn is_reserved(path: &str) -> bool {
    ["sys/", "auth/", "identity/", "cubbyhole/", "audit/"].iter().any(|held| path.starts_with(held))
}

fn disable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    let mounts = scene.active.mounts.load();
    // Auth methods are another path's, with other rules.
    let Some(mount) = mounts.at(&path).filter(|mount| !mount.is_auth()) else {
        if path == "sys/" {
            return Err(Refusal::bad_request("cannot unmount \"sys/\""));
        }
        return Ok(Work::reply(Reply::Empty));
    };
    if mount.record.kind == "cubbyhole" {
        return Err(Refusal::bad_request(format!("cannot unmount \"{path}\"")));
    }
    // The mount's id is gone with its record, and with it the way to its records; the sweep deletes them in slices.
    let (mut writes, quotas) = crate::quotas::end_with(scene.active, mount.record.id)?;
    writes.extend(crate::sweep::doomed(scene.active, &mount.record, scene.now)?);
    let after = [After::Mount(mount.record.id), After::Leases, After::Sweep];
    Ok(Work::done(writes).then(after).then(quotas))
}

/// The path parameter as a mount path: canonical, with its slash.
pub(super) fn given_path(scene: &Scene<'_>) -> Result<String, Refusal> {
    if scene.request.head.path.has_trailing_slash() {
        return Err(Refusal::not_found());
    }
    let path = ApiPath::from_text(scene.request.stage.call.param("path"));
    let path = path.map_err(|error| Refusal::bad_request(error.message()))?;
    Ok(format!("{}/", path.as_str()))
}

pub(super) fn options(given: Option<JsonMap>) -> Result<MountOptions, Refusal> {
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

/// A mount as `sys/mounts` shows it.
pub(super) fn show(record: &MountRecord) -> Value {
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

pub(super) fn show_config(config: &MountConfig) -> JsonMap {
    let map = |value| match value {
        Ok(Value::Object(map)) => map,
        _ => JsonMap::new(),
    };
    let mut shown = map(serde_json::to_value(config));
    if let Some(lockout) = &config.user_lockout {
        shown.remove("user_lockout");
        shown.extend(map(serde_json::to_value(lockout)));
        shown.insert("user_lockout_disable".into(), lockout.disable.unwrap_or_default().into());
    }
    shown
}
