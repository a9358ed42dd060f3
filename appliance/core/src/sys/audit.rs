//! `sys/audit`: the sinks of the audit log. They are made in the server's configuration only: whoever could
//! make one through the API could write files on the host (CVE-2025-6000).

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::{JsonMap, Operation, Refusal, Reply};

use super::at_top;
use crate::perform::{Run, Scene, SystemHandler, Work};

const INPUT: Field<String> = Field::new("input", "The text to hash.");
const SINK: Param = Param { name: "path", help: "The name of the sink.", kind: ParamKind::Exact };
const HASH: &[FieldSpec] = &[INPUT.required().spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "audit",
        help: "All audit sinks.",
        sudo: true,
        endpoints: &[on(Operation::Read, "List the sinks.", &[], list)],
        ..Route::BASE
    },
    Route {
        path: "audit/{path*}",
        params: &[SINK],
        help: "One audit sink.",
        sudo: true,
        endpoints: &[
            on(Operation::Update, "Refused: sinks are made in the configuration.", &[], enable),
            on(Operation::Delete, "Refused for sinks of the configuration.", &[], disable),
        ],
        ..Route::BASE
    },
    Route {
        path: "audit-hash/{path*}",
        params: &[SINK],
        help: "The hash that the log holds for a text.",
        endpoints: &[on(Operation::Update, "Hash a text as the sink does.", HASH, hash)],
        ..Route::BASE
    },
];

const fn on(
    operation: Operation,
    summary: &'static str,
    fields: &'static [FieldSpec],
    run: SystemHandler,
) -> Endpoint<Run> {
    Endpoint { operation, summary, fields, body: Body::Json, run: Run::Free(run) }
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let sinks = scene.active.audit.sinks();
    let all: JsonMap = sinks
        .iter()
        .map(|sink| {
            let shown = json!({
                "path": format!("{}/", sink.name),
                "type": sink.kind,
                "description": sink.description,
                "options": sink.options,
                "local": false,
            });
            (format!("{}/", sink.name), shown)
        })
        .collect();
    Ok(Work::reply(at_top(Value::from(all))))
}

fn enable(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Err(Refusal::bad_request(
        "audit sinks cannot be enabled through the API: add an audit stanza to the server's configuration",
    ))
}

fn disable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param("path");
    if scene.active.audit.sinks().iter().any(|sink| sink.name == name) {
        return Err(Refusal::bad_request("cannot disable configuration-managed audit device"));
    }
    Ok(Work::reply(Reply::Empty))
}

fn hash(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let name = call.param("path");
    let input = call.get(&INPUT).filter(|input| !input.is_empty());
    let input = input.ok_or_else(|| Refusal::bad_request("the \"input\" parameter is empty"))?;
    let hash = scene.active.audit.hash(name, &input);
    let hash = hash.ok_or_else(|| Refusal::bad_request(format!("unknown audit backend \"{name}/\"")))?;
    Ok(Work::reply(Reply::data(json!({ "hash": hash }))))
}
