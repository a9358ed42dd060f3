//! `sys/internal`: what the command line, consoles and generators ask.

use serde_json::{Value, json};
use strongroom_engine::{Endpoint, Field, FieldSpec, Route, openapi};
use strongroom_policy::VisibleMounts;
use strongroom_types::{JsonMap, Refusal, Reply};

use super::PATH;
use super::endpoint::{look, scan};
use crate::active::Active;
use crate::mounts::Mount;
use crate::perform::{Run, Scene, Work};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "internal/ui/mounts",
        help: "The mounts that the caller may see; without a token those listed for everybody.",
        unauthenticated: true,
        instead: "shows what the caller may see, and what is listed for everybody",
        endpoints: &[scan("List the visible mounts.", mounts)],
        ..Route::BASE
    },
    Route {
        path: "internal/ui/mounts/{path*}",
        params: &[PATH],
        help: "The mount that a path belongs to: the command line asks it before it builds KV paths.",
        unauthenticated: true,
        instead: "shows only what the caller may see",
        endpoints: &[look("Read the mount of a path.", mount)],
        ..Route::BASE
    },
    Route {
        path: "internal/ui/resultant-acl",
        help: "All that the caller's policies say, by path: a console shows what can be done.",
        endpoints: &[scan("Read what the caller may do.", resultant_acl)],
        ..Route::BASE
    },
    Route {
        path: "internal/ui/namespaces",
        help: "The namespaces that the caller may see; there are none.",
        endpoints: &[look("List the namespaces.", namespaces)],
        ..Route::BASE
    },
    Route {
        path: "internal/specs/openapi",
        help: "This API as an OpenAPI document.",
        unauthenticated: true,
        instead: "shows core's own routes, and mounts only to those who may see them",
        endpoints: &[Endpoint { fields: SPECS, ..scan("Read the OpenAPI document.", specs) }],
        ..Route::BASE
    },
];

const GENERIC: Field<bool> = Field::new(
    "generic_mount_paths",
    "Whether the paths of mounts are shown as parameters: {kv_mount_path}.",
);
const SPECS: &[FieldSpec] = &[GENERIC.spec()];

fn mounts(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let table = scene.active.mounts.load();
    let own = visible(scene);
    let sees = |path: &str| own.as_ref().is_some_and(|own| own.contains(path));
    let is_listed = |mount: &Mount| mount.record.config.listing_visibility == "unauth";
    let engines = table.all().into_iter().filter(|mount| !mount.is_auth());
    let visible = engines.filter(|mount| is_listed(mount) || sees(&mount.record.path));
    let is_somebody = scene.request.stage.asker.is_some();
    // Whoever has no token is told what a form to log in with needs.
    let show = |m: &Mount| if is_somebody { show(m) } else { show_to_strangers(m) };
    let secret: JsonMap = visible.map(|m| (m.record.path.clone(), show(m))).collect();
    let mut auth = super::auth::all(scene, sees);
    // Those that are listed for everybody are what a form to log in offers.
    let listed = table.all().into_iter().filter(|mount| mount.is_auth() && is_listed(mount));
    if let Some(auth) = auth.as_object_mut() {
        for mount in listed {
            let path = mount.record.path.trim_start_matches(super::auth::PREFIX);
            auth.entry(path).or_insert_with(|| show_to_strangers(mount));
        }
    }
    Ok(Work::reply(Reply::data(json!({ "secret": secret, "auth": auth }))))
}

fn mount(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = scene.request.stage.call.param("path");
    let table = scene.active.mounts.load();
    // The same answer for a mount that is not there and one that the caller has nothing to do with.
    let acl = scene.request.stage.asker.as_ref().map(|asker| &asker.acl);
    let sees = |mount: &Mount| acl.is_some_and(|acl| acl.visible(&mount.record.path, scene.now));
    let found = table.find(path).map(|(mount, _)| mount).filter(|mount| sees(mount));
    let found = found.ok_or_else(|| {
        Refusal::new(strongroom_types::error::Kind::Denied, "preflight capability check returned 403, please ensure client's policies grant access to the path")
    })?;
    let mut data = show(found);
    if let Some(data) = data.as_object_mut() {
        data.insert("path".into(), found.record.path.clone().into());
    }
    Ok(Work::reply(Reply::data(data)))
}

/// Exact paths and those with wildcards apart; a star at the end is left out, as consoles expect it.
fn resultant_acl(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let asker = scene.request.stage.asker.as_ref().ok_or_else(Refusal::denied)?;
    if asker.acl.is_root() {
        return Ok(Work::reply(Reply::data(json!({ "root": true }))));
    }
    let (mut exact, mut glob) = (JsonMap::new(), JsonMap::new());
    for (pattern, capabilities) in asker.acl.table(scene.now) {
        let text = pattern.text();
        let (table, key) = match text.strip_suffix('*') {
            Some(prefix) => (&mut glob, prefix),
            None if pattern.is_exact() => (&mut exact, text),
            None => (&mut glob, text),
        };
        table.insert(key.to_owned(), json!({ "capabilities": capabilities }));
    }
    Ok(Work::reply(Reply::data(json!({ "root": false, "exact_paths": exact, "glob_paths": glob }))))
}

fn namespaces(_: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data(json!({ "keys": [] }))))
}

/// The mounts that the caller's policies show; none without a token.
fn visible<'a>(scene: &'a Scene<'_>) -> Option<VisibleMounts<'a>> {
    scene.request.stage.asker.as_ref().map(|asker| asker.acl.visible_mounts(scene.now))
}

fn show_to_strangers(mount: &Mount) -> Value {
    let record = &mount.record;
    json!({ "description": record.description, "options": record.options, "type": record.kind })
}

fn show(mount: &Mount) -> Value {
    let record = &mount.record;
    json!({
        "accessor": record.accessor,
        "config": { "default_lease_ttl": record.config.default_lease_ttl, "max_lease_ttl": record.config.max_lease_ttl, "force_no_cache": record.config.force_no_cache },
        "deprecation_status": "supported",
        "description": record.description,
        "external_entropy_access": record.external_entropy_access,
        "local": record.local,
        "options": record.options,
        "plugin_version": "",
        "running_plugin_version": crate::engine_version(),
        "running_sha256": "",
        "seal_wrap": record.seal_wrap,
        "type": record.kind,
        "uuid": record.id,
    })
}

fn specs(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let active = scene.active;
    let Some(own) = visible(scene) else {
        // As text, made once: anybody may ask for it as often as they like.
        let text = active.open_document.get_or_init(|| format!("{}\n", document(active, own_paths())));
        let (status, content_type) = (200, "application/json");
        return Ok(Work::reply(Reply::Raw { status, content_type, body: text.clone().into_bytes() }));
    };
    let generic = scene.request.stage.call.get(&GENERIC).unwrap_or_default();
    let paths = |mount: &Mount| {
        let at = mount.record.path.trim_end_matches('/');
        if generic { openapi::generic_paths(at, mount.routes) } else { openapi::paths(at, mount.routes) }
    };
    let table = active.mounts.load();
    let visible = table.all().into_iter().filter(|mount| own.contains(&mount.record.path));
    let items = own_paths().into_iter().chain(visible.map(|mount| paths(mount))).collect();
    Ok(Work::reply(Reply::Json { status: 200, body: document(active, items) }))
}

fn document(active: &Active, items: Vec<Value>) -> Value {
    openapi::document("Strongroom", &active.settings.version, items)
}

/// Core's own paths, which everybody may know. They are those of this build, whatever is mounted.
fn own_paths() -> Vec<Value> {
    let mut items: Vec<Value> = super::TABLES.iter().map(|table| openapi::paths("sys", table)).collect();
    items.push(openapi::paths("sys", crate::always::ROUTES));
    items.extend(crate::tokens::routes::TABLES.iter().map(|table| openapi::paths("auth/token", table)));
    items
}
