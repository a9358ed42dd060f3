//! `sys/auth`: the auth methods: enable, read, list, tune, disable. Tokens are the one that is always there.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Field, FieldSpec, MountOptions, Route};
use strongroom_types::id::MountId;
use strongroom_types::{JsonMap, Refusal, Reply};

use super::endpoint::{alone, look, remove, scan};
use super::mounts::{
    CONFIG, DESCRIPTION, ENTROPY, LOCAL, OPTIONS, SEAL_WRAP, given_path, kind_asked, of_new, options, show,
};
use super::tune::{TUNABLE, configure, read_tune_of, tune_of};
use super::{PATH, at_top};
use crate::active::TOKENS;
use crate::fault::damaged;
use crate::mounts::{Mount, MountConfig, MountRecord, name_of};
use crate::perform::{After, Run, Scene, Work};
use crate::tokens::base62;

const TYPE: Field<String> = Field::new("type", "The kind of method: userpass, …");
const ENABLE: &[FieldSpec] = &of_new(TYPE);

/// Where all auth methods are mounted.
pub const PREFIX: &str = "auth/";
/// Where tokens are.
pub(super) const TOKEN: &str = "auth/token/";

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "auth",
        help: "All auth methods.",
        endpoints: &[scan("List the auth methods.", list)],
        ..Route::BASE
    },
    Route {
        path: "auth/{path*}/tune",
        params: &[PATH],
        help: "The settings of an auth method.",
        sudo: true,
        endpoints: &[look("Read the settings.", read_tune), alone("Change the settings.", TUNABLE, tune)],
        ..Route::BASE
    },
    Route {
        path: "auth/{path*}",
        params: &[PATH],
        help: "One auth method.",
        sudo: true,
        endpoints: &[
            look("Read the method.", read),
            alone("Enable a method.", ENABLE, enable),
            remove("Disable the method; its tokens end, its data is destroyed.", disable),
        ],
        ..Route::BASE
    },
];

fn path(scene: &Scene<'_>) -> Result<String, Refusal> {
    Ok(format!("{PREFIX}{}", given_path(scene)?))
}

/// As clients know it: without `auth/`.
fn shown_path(path: &str) -> &str {
    path.strip_prefix(PREFIX).unwrap_or(path)
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(at_top(all(scene, |_| true))))
}

/// Every auth method that `visible` is true of, by path without `auth/`; asked with it.
pub(super) fn all(scene: &Scene<'_>, visible: impl Fn(&str) -> bool) -> Value {
    let mounts = scene.active.mounts.load();
    let shown = mounts.all().into_iter().filter(|mount| mount.is_auth() && visible(&mount.record.path));
    let mut all: JsonMap =
        shown.map(|mount| (shown_path(&mount.record.path).to_owned(), show(&mount.record))).collect();
    if visible(TOKEN) {
        all.insert(shown_path(TOKEN).to_owned(), tokens());
    }
    Value::from(all)
}

/// The method that is always there, as far as it has settings.
pub(super) fn token_record() -> MountRecord {
    MountRecord {
        v: 1,
        id: TOKENS,
        path: TOKEN.into(),
        kind: "token".into(),
        accessor: "auth_token_strongroom".into(),
        description: "token based credentials".into(),
        options: MountOptions::new(),
        config: MountConfig { token_type: "default-service".into(), ..MountConfig::default() },
        local: false,
        seal_wrap: false,
        external_entropy_access: false,
    }
}

fn tokens() -> Value {
    json!({
        "accessor": "auth_token_strongroom",
        "config": {
            "default_lease_ttl": 0,
            "force_no_cache": false,
            "max_lease_ttl": 0,
            "token_type": "default-service",
        },
        "deprecation_status": "",
        "description": "token based credentials",
        "external_entropy_access": false,
        "local": false,
        "options": null,
        "plugin_version": "",
        "running_plugin_version": crate::engine_version(),
        "running_sha256": "",
        "seal_wrap": false,
        "type": "token",
        "uuid": TOKENS,
    })
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = path(scene)?;
    let mounts = scene.active.mounts.load();
    let shown = match mounts.at(&path) {
        Some(mount) => show(&mount.record),
        None if path == TOKEN => tokens(),
        None => return Err(Refusal::bad_request(format!("No auth engine at {}", shown_path(&path)))),
    };
    Ok(Work::reply(at_top(shown)))
}

fn read_tune(scene: &Scene<'_>) -> Result<Work, Refusal> {
    read_tune_of(scene, &path(scene)?)
}

fn tune(scene: &Scene<'_>) -> Result<Work, Refusal> {
    tune_of(scene, &path(scene)?)
}

fn enable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let active = scene.active;
    let path = path(scene)?;
    let kind = kind_asked(call, &TYPE)?;
    if kind == "token" {
        return Err(Refusal::bad_request("token credential backend cannot be instantiated"));
    }
    let in_use = |held: &str| Refusal::bad_request(format!("path is already in use at {}", shown_path(held)));
    if path.starts_with(TOKEN) {
        return Err(in_use(TOKEN));
    }
    if let Some(held) = active.mounts.load().conflict(&path) {
        return Err(in_use(held));
    }
    let mut config = MountConfig { token_type: "default-service".into(), ..MountConfig::default() };
    let given = call.get(&CONFIG).unwrap_or_default();
    if given.contains_key("user_lockout_config") {
        return Err(Refusal::bad_request("'user_lockout_config' is set by tune, once the method is there"));
    }
    configure(&mut config, &path, &given, &active.settings)?;
    let record = MountRecord {
        v: 1,
        id: MountId::from_random(active.entropy.draw()?),
        accessor: format!("auth_{kind}_{}", base62(active.entropy.as_ref(), 8)?.to_lowercase()),
        path,
        kind,
        description: call.get(&DESCRIPTION).unwrap_or_default(),
        options: options(call.get(&OPTIONS))?,
        config,
        local: call.get(&LOCAL).unwrap_or_default(),
        seal_wrap: call.get(&SEAL_WRAP).unwrap_or_default(),
        external_entropy_access: call.get(&ENTROPY).unwrap_or_default(),
    };
    // Builds the mount to find out whether there is such a method; it is built again after the commit.
    Mount::new(record.clone(), &active.barrier, active.kinds, &active.settings)?;
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name_of(record.id)?, body).if_unchanged(None);
    Ok(Work::done(vec![(active.system.clone(), write)]).then([After::Mount(record.id)]))
}

/// The mount's id is gone with its record: so is the way to what it stored, and every token that it gave ends.
fn disable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = path(scene)?;
    if path == TOKEN {
        return Err(Refusal::bad_request("token credential backend cannot be disabled"));
    }
    let mounts = scene.active.mounts.load();
    let Some(mount) = mounts.at(&path) else { return Ok(Work::reply(Reply::Empty)) };
    let (mut writes, quotas) = crate::quotas::end_with(scene.active, mount.record.id)?;
    writes.extend(crate::sweep::doomed(scene.active, &mount.record, scene.now)?);
    let after = [After::Mount(mount.record.id), After::Leases, After::Sweep];
    Ok(Work::done(writes).then(after).then(quotas))
}
