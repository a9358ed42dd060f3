//! `sys/plugins`: the kinds of engines and auth methods there are. All are built in; none is added while the server runs:
//! whoever could add one could run a program on the host (CVE-2025-6000, CVE-2026-105816).

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::{Operation, Refusal, Reply};

use super::endpoint::look;
use crate::perform::{Run, Scene, SystemHandler, Work};

const COMMAND: Field<String> = Field::new("command", "Refused: no program is started.").required();
const SHA256: Field<String> = Field::new("sha256", "Refused, as the command.");
const PLUGIN: Field<String> = Field::new("plugin", "Of which kind; nothing is reloaded.");
const MOUNTS: Field<Vec<String>> = Field::new("mounts", "Which mounts; nothing is reloaded.");
const SCOPE: Field<String> = Field::new("scope", "Accepted.");

const REGISTER: &[FieldSpec] = &[COMMAND.spec(), SHA256.spec()];
const RELOAD: &[FieldSpec] = &[PLUGIN.spec(), MOUNTS.spec(), SCOPE.spec()];
const TYPE: Param = Param { name: "type", help: "auth, secret or database.", kind: ParamKind::Exact };
const NAME: Param = Param { name: "name", help: "The kind.", kind: ParamKind::Exact };

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "plugins/catalog",
        help: "The kinds of engines and auth methods.",
        endpoints: &[look("Read all kinds.", all)],
        ..Route::BASE
    },
    Route {
        path: "plugins/catalog/{type}",
        params: &[TYPE],
        help: "The kinds of one type.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::List,
            summary: "List them.",
            fields: &[],
            body: Body::None,
            run: Run::Blocking(list),
        }],
        ..Route::BASE
    },
    Route {
        path: "plugins/catalog/{type}/{name}",
        params: &[TYPE, NAME],
        help: "One kind.",
        sudo: true,
        endpoints: &[
            look("Read what is known of it.", read),
            post("Refused: kinds are built in.", REGISTER, register),
        ],
        ..Route::BASE
    },
    Route {
        path: "plugins/reload/backend",
        help: "Reloads nothing: what is built in stays as it is.",
        endpoints: &[post("Refused: kinds are built in.", RELOAD, reload)],
        ..Route::BASE
    },
];

const fn post(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Free(run) }
}

const TYPES: [&str; 3] = ["auth", "secret", "database"];

/// The names of a type, in order. Core's own token method is one.
fn kinds(scene: &Scene<'_>, of: &str) -> Vec<&'static str> {
    let kinds = &scene.active.kinds;
    let mut names: Vec<&str> = match of {
        "auth" => kinds.methods.iter().map(|method| method.engine.kind).chain(["token"]).collect(),
        "secret" => kinds.engines.iter().map(|engine| engine.kind).collect(),
        _ => Vec::new(),
    };
    names.sort_unstable();
    names
}

fn all(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let detail = |of: &'static str| {
        let names = kinds(scene, of).into_iter();
        names.map(move |name| {
            json!({
                "name": name,
                "type": of,
                "builtin": true,
                "deprecation_status": "supported",
                "version": crate::engine_version(),
            })
        })
    };
    let detailed: Vec<Value> = TYPES.into_iter().flat_map(detail).collect();
    Ok(Work::reply(Reply::data(json!({
        "auth": kinds(scene, "auth"),
        "secret": kinds(scene, "secret"),
        "database": kinds(scene, "database"),
        "detailed": detailed,
    }))))
}

/// The type in the path, if it is one.
fn of_path<'s>(scene: &Scene<'s>) -> Result<&'s str, Refusal> {
    let of = scene.request.stage.call.param("type");
    match TYPES.contains(&of) {
        true => Ok(of),
        false => Err(Refusal::bad_request("the type of a plugin is auth, secret or database")),
    }
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let names = kinds(scene, of_path(scene)?).into_iter().map(str::to_owned).collect();
    Ok(Work::reply(Reply::keys(names)))
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("name");
    if !kinds(scene, of_path(scene)?).contains(&name) {
        return Err(Refusal::not_found());
    }
    Ok(Work::reply(Reply::data(json!({
        "args": null,
        "builtin": true,
        "command": "",
        "declarative": false,
        "deprecation_status": "supported",
        "name": name,
        "oci": false,
        "sha256": "",
        "version": crate::engine_version(),
    }))))
}

fn register(scene: &Scene<'_>) -> Result<Work, Refusal> {
    of_path(scene)?;
    let command = scene.request.stage.call.get(&COMMAND).filter(|command| !command.is_empty());
    command.ok_or_else(|| Refusal::bad_request("missing command value"))?;
    Err(Refusal::bad_request("plugins cannot be registered: every engine and auth method is built in"))
}

fn reload(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let is_given = call.get(&PLUGIN).is_some_and(|plugin| !plugin.is_empty())
        || call.get(&MOUNTS).is_some_and(|mounts| !mounts.is_empty());
    Err(Refusal::bad_request(match is_given {
        true => "engines and auth methods are built in: there is nothing to reload",
        false => "plugin or mounts must be provided",
    }))
}
