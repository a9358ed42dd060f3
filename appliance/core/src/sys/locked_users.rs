//! `sys/locked-users`: who is locked out, and the end of it.

use serde_json::json;
use strongroom_barrier::Write;
use strongroom_engine::{Body, Endpoint, Field, Handler, Param, ParamKind, Route, Table};
use strongroom_types::{Operation, Refusal, Reply};

use crate::lockouts::{name_of_alias, rules};
use crate::perform::{After, Run, Scene, Work};

const ACCESSOR: Field<String> = Field::new("mount_accessor", "Only those of the method with this accessor.");
const ACCESSOR_PARAM: Param =
    Param { name: "mount_accessor", help: "The accessor of the auth method.", kind: ParamKind::Exact };
const ALIAS: Param = Param {
    name: "alias_identifier",
    help: "The alias: a name, or the id of a role.",
    kind: ParamKind::Exact,
};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "locked-users",
        help: "Who cannot log in for a while, after too many wrong passwords or secret-ids.",
        endpoints: &[Endpoint {
            operation: Operation::Read,
            summary: "List who is locked out.",
            fields: &[ACCESSOR.spec()],
            body: Body::None,
            run: Run::Blocking(list),
        }],
        ..Route::BASE
    },
    Route {
        path: "locked-users/{mount_accessor}/unlock/{alias_identifier*}",
        params: &[ACCESSOR_PARAM, ALIAS],
        help: "The end of a lockout.",
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Let somebody log in again at once.",
            fields: &[],
            body: Body::Json,
            run: Run::Alone(unlock),
        }],
        ..Route::BASE
    },
];

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let active = scene.active;
    let wanted = scene.request.stage.call.get(&ACCESSOR).filter(|accessor| !accessor.is_empty());
    let mounts = active.mounts.load_full();
    let mut total = 0;
    let mut methods = Vec::new();
    for mount in mounts.all() {
        let accessor = &mount.record.accessor;
        let Some(rules) = rules(&active.settings, mount) else { continue };
        if wanted.as_ref().is_some_and(|wanted| wanted != accessor) {
            continue;
        }
        let locked = active.lockouts.locked(mount.record.id, rules, scene.now);
        if !locked.is_empty() {
            total += locked.len();
            methods.push(json!({
                "mount_accessor": accessor,
                "counts": locked.len(),
                "alias_identifiers": locked,
            }));
        }
    }
    let spaces = match total {
        0 => Vec::new(),
        _ => vec![json!({
            "namespace_id": "root",
            "namespace_path": "",
            "counts": total,
            "mount_accessors": methods,
        })],
    };
    Ok(Work::reply(Reply::data(json!({ "by_namespace": spaces, "total": total }))))
}

/// Whoever is not locked out may log in as before.
fn unlock(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let active = scene.active;
    let call = &scene.request.stage.call;
    let (accessor, alias) = (call.param(ACCESSOR_PARAM.name), call.param(ALIAS.name));
    let mounts = active.mounts.load_full();
    let found = mounts.all().into_iter().find(|mount| mount.is_auth() && mount.record.accessor == accessor);
    let mount = found.ok_or_else(|| Refusal::bad_request("no auth method has this accessor"))?;
    let alias = alias_at(mount.routes, alias);
    let write = Write::delete(name_of_alias(mount.record.id, &alias)?);
    Ok(Work::done(vec![(active.lockouts.view().clone(), write)])
        .then([After::Unlocked(mount.record.id, alias)]))
}

/// An alias as the method's login has it: in lower case where the name in the path of the login is the same in any case. An
/// alias that comes in the body is as it is.
fn alias_at(table: Table<Handler>, given: &str) -> String {
    let logs_in = |run: &Handler| matches!(run, Handler::Login(_) | Handler::SlowLogin(_));
    let login = table.iter().find(|route| route.endpoints.iter().any(|endpoint| logs_in(&endpoint.run)));
    let name = login.and_then(|route| route.params.last());
    name.map_or_else(|| given.to_owned(), |name| name.kind.canonical(given))
}
