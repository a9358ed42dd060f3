//! `sys/policies/password`: how passwords that the appliance makes up are to look, and making one.
//!
//! A policy is one record in the system's view, `["password", name]`, JSON: `{"v": 1, "text": "…"}`, the text as it was
//! written. It is parsed at each use.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_barrier::{Name, Write};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_policy::PasswordPolicy;
use strongroom_policy::password::NoPassword;
use strongroom_types::{Operation, Refusal, Reply};

use crate::fault::{barrier, damaged};
use crate::perform::{Run, Scene, SystemHandler, Work};
use crate::revocation::aside;

const POLICY: Field<String> =
    Field::new("policy", "The policy, in HCL or JSON, plain or in base64.").required();
const OF_NAME: Param =
    Param { name: "name", help: "The name of the password policy.", kind: ParamKind::Exact };

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "policies/password",
        help: "All password policies.",
        endpoints: &[Endpoint {
            run: Run::Blocking(list),
            ..on(Operation::List, "List the password policies.", list)
        }],
        ..Route::BASE
    },
    Route {
        path: "policies/password/{name}",
        params: &[OF_NAME],
        help: "One password policy.",
        endpoints: &[
            on(Operation::Read, "Read the password policy.", read),
            Endpoint {
                operation: Operation::Update,
                summary: "Make or replace the password policy.",
                fields: FIELDS,
                body: Body::Json,
                run: Run::Free(write),
            },
            on(Operation::Delete, "Remove the password policy.", remove),
        ],
        ..Route::BASE
    },
    Route {
        path: "policies/password/{name}/generate",
        params: &[OF_NAME],
        help: "A password as the policy has it; it is not kept.",
        endpoints: &[on(Operation::Read, "Make a password.", generate)],
        ..Route::BASE
    },
];

const FIELDS: &[FieldSpec] = &[POLICY.spec()];

const fn on(operation: Operation, summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation, summary, fields: &[], body: Body::None, run: Run::Free(run) }
}

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Version of this record's shape: 1.
    v: u8,
    /// As it was written.
    text: String,
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let parent = Name::new(["password"]).map_err(damaged)?;
    let reader = scene.active.system.at(scene.snapshot.clone());
    let names = reader.list(&parent, call.after.as_deref(), call.limit).map_err(barrier)?;
    Ok(Work::reply(Reply::keys(names)))
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data(json!({ "policy": find(scene)?.text }))))
}

fn write(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let given = scene.request.stage.call.get(&POLICY).filter(|text| !text.is_empty());
    let given = given.ok_or_else(|| Refusal::bad_request("missing policy"))?;
    let decoded = BASE64.decode(given.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = decoded.unwrap_or(given);
    let policy = PasswordPolicy::parse(&text)
        .map_err(|cause| Refusal::bad_request(format!("invalid password policy: {cause}")))?;
    aside(|| policy.is_possible(scene.active.entropy.as_ref())).map_err(refused)?;
    let body = serde_json::to_vec(&Record { v: 1, text }).map_err(damaged)?;
    Ok(Work::done(vec![(scene.active.system.clone(), Write::put(at(scene)?, body))]))
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::done(vec![(scene.active.system.clone(), Write::delete(at(scene)?))]))
}

fn generate(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let policy = PasswordPolicy::parse(&find(scene)?.text).map_err(damaged)?;
    let password = aside(|| policy.password(scene.active.entropy.as_ref())).map_err(refused)?;
    Ok(Work::reply(Reply::data(json!({ "password": password.expose_str() }))))
}

fn refused(cause: NoPassword) -> Refusal {
    match cause {
        NoPassword::Entropy(cause) => cause.into(),
        NoPassword::Impossible => Refusal::bad_request(
            "unable to construct test password from provided policy: are the rules impossible?",
        ),
    }
}

fn find(scene: &Scene<'_>) -> Result<Record, Refusal> {
    let reader = scene.active.system.at(scene.snapshot.clone());
    let entry = reader.get(&at(scene)?).map_err(barrier)?.ok_or_else(Refusal::not_found)?;
    serde_json::from_slice(entry.value.expose()).map_err(damaged)
}

/// Where the policy of this request is stored.
fn at(scene: &Scene<'_>) -> Result<Name, Refusal> {
    Name::new(["password", scene.request.stage.call.param(OF_NAME.name)]).map_err(damaged)
}
