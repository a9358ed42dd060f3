//! `sys/capabilities`, `-self` and `-accessor`: what a token may do.

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route};
use strongroom_policy::Acl;
use strongroom_types::{ApiPath, JsonMap, Operation, Refusal, Reply, Secret};

use super::one_error;
use crate::perform::{Run, Scene, SystemHandler, Work};
use crate::stage;

const PATHS: Field<Vec<String>> = Field::new("paths", "The paths to ask about.");
const PATH: Field<Vec<String>> = Field::new("path", "One path, as older clients ask.");
const TOKEN: Field<String> = Field::new("token", "The token to ask about.");
const ACCESSOR: Field<String> = Field::new("accessor", "The accessor of the token to ask about.");
const FIELDS: &[FieldSpec] = &[PATHS.spec(), PATH.spec(), TOKEN.spec(), ACCESSOR.spec()];
const OF_TOKEN: &[FieldSpec] = &[PATHS.spec(), PATH.spec(), TOKEN.required().spec(), ACCESSOR.spec()];
const OF_ACCESSOR: &[FieldSpec] = &[PATHS.spec(), PATH.spec(), TOKEN.spec(), ACCESSOR.required().spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    route("capabilities", "What a token may do.", &[ask(OF_TOKEN, of_token)]),
    route("capabilities-self", "What the caller's token may do.", &[ask(FIELDS, of_self)]),
    route(
        "capabilities-accessor",
        "What the token with an accessor may do.",
        &[ask(OF_ACCESSOR, of_accessor)],
    ),
];

const fn route(path: &'static str, help: &'static str, endpoints: &'static [Endpoint<Run>]) -> Route<Run> {
    Route { path, help, endpoints, ..Route::BASE }
}

/// About as many paths as somebody likes.
const fn ask(fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    let summary = "List the capabilities on some paths.";
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Blocking(run) }
}

fn of_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let asker = scene.request.stage.asker.as_ref().ok_or_else(Refusal::denied)?;
    answer(scene, &asker.acl)
}

fn of_token(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let token = scene.request.stage.call.get(&TOKEN).filter(|token| !token.is_empty());
    let token = Secret::from(token.ok_or_else(|| one_error("no token found"))?);
    let active = scene.active;
    let reader = active.tokens.view.at(scene.snapshot.clone());
    let known = active.tokens.find(&reader, &token, scene.now)?.ok_or_else(|| one_error("invalid token"))?;
    answer(scene, &active.policies.acl(&known.record.policies))
}

fn of_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let accessor = scene.request.stage.call.get(&ACCESSOR).unwrap_or_default();
    let active = scene.active;
    let reader = active.tokens.view.at(scene.snapshot.clone());
    let known = active.tokens.find_by_accessor(&reader, &accessor, scene.now)?;
    let known = known.ok_or_else(|| one_error("invalid accessor"))?;
    answer(scene, &active.policies.acl(&known.record.policies))
}

fn answer(scene: &Scene<'_>, acl: &Acl) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let paths = call.get(&PATHS).or_else(|| call.get(&PATH)).filter(|paths| !paths.is_empty());
    let paths = paths.ok_or_else(|| Refusal::bad_request("paths must be supplied"))?;
    let mut data = JsonMap::new();
    for path in &paths {
        let held = json!(held(scene, acl, path));
        if paths.len() == 1 {
            data.insert("capabilities".into(), held.clone());
        }
        data.insert(path.clone(), held);
    }
    Ok(Work::reply(Reply::data_at_top(Value::from(data))))
}

/// What `acl` grants on a path as a request for it would have it asked: canonical by its route. A path that no
/// request can have is granted nothing.
fn held(scene: &Scene<'_>, acl: &Acl, asked: &str) -> Vec<&'static str> {
    match ApiPath::from_text(asked.strip_prefix('/').unwrap_or(asked)) {
        Ok(path) => acl.capabilities(stage::acl_path(scene.active, &path).asked(), scene.now),
        Err(_) => vec!["deny"],
    }
}
