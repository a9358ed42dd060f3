//! `sys/wrapping`.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, FieldSpec, Route};
use strongroom_types::{Operation, Refusal, Reply, Secret};

use super::record::Wrapped;
use super::{TOKEN, find, invalid, is_wrapping, put_by};
use crate::perform::{Run, Scene, Work};
use crate::tokens::Known;

/// Below `sys/`; the stages know it.
pub(super) const LOOKUP: &str = "wrapping/lookup";
/// Below `sys/`; the stages know it.
pub(super) const UNWRAP: &str = "wrapping/unwrap";
/// Below `sys/`; the stages know it.
pub(super) const REWRAP: &str = "wrapping/rewrap";

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "wrapping/wrap",
        help: "Wraps what is sent.",
        endpoints: &[update("Wrap the body.", &[FieldSpec::REST], Run::Free(wrap))],
        ..Route::BASE
    },
    Route {
        path: UNWRAP,
        help: "Opens a wrapped answer, once.",
        endpoints: &[update("Open the answer.", BY_TOKEN, Run::Unwrapping(unwrap))],
        ..Route::BASE
    },
    Route {
        path: REWRAP,
        help: "Wraps a wrapped answer anew: the old token is used up, nobody sees the answer.",
        endpoints: &[update("Wrap it anew.", BY_TOKEN, Run::Unwrapping(rewrap))],
        ..Route::BASE
    },
    Route {
        path: LOOKUP,
        help: "What a wrapping token is for; it is not used up.",
        unauthenticated: true,
        instead: "the wrapping token, which is not used up",
        endpoints: &[
            update("Look the token up.", BY_TOKEN, Run::Free(lookup)),
            Endpoint {
                operation: Operation::Read,
                summary: "Look the caller's token up.",
                fields: &[],
                body: Body::None,
                run: Run::Free(lookup_own),
            },
        ],
        ..Route::BASE
    },
];

const BY_TOKEN: &[FieldSpec] = &[TOKEN.spec()];

const fn update(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run }
}

fn wrap(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if scene.request.head.wrap_ttl.is_none() {
        return Err(Refusal::bad_request("endpoint requires response wrapping to be used"));
    }
    Ok(Work::reply(Reply::data(Value::from(scene.request.stage.call.fields.clone()))))
}

fn unwrap(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (wrapped, used_up) = open(scene)?;
    Ok(Work { reply: wrapped.reply(), ..used_up })
}

fn rewrap(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let (wrapped, mut work) = open(scene)?;
    work.reply = put_by(scene.active, wrapped.again(scene.now), &mut work.writes)?;
    Ok(work)
}

/// The answer, and what uses its token up. That of the caller's own token is paid with the commit.
fn open(scene: &Scene<'_>) -> Result<(Wrapped, Work), Refusal> {
    let active = scene.active;
    let asker = scene.request.stage.asker.as_ref().ok_or_else(Refusal::denied)?;
    let is_own = is_wrapping(&asker.known);
    let known = match given(scene) {
        Some(token) => named(scene, &token)?.filter(|known| !is_own || known.key == asker.known.key),
        None if is_own => active.tokens.find_again(&reader(scene), &asker.known, scene.now)?,
        None => None,
    };
    let known = known.ok_or_else(invalid)?;
    let wrapped = find(active, &scene.snapshot, &known)?.ok_or_else(invalid)?;
    let work = if is_own { Work::reply(Reply::Empty) } else { active.revoke(&scene.snapshot, &known)? };
    Ok((wrapped, work))
}

/// By body, or by header: asking does not use it up.
fn lookup(scene: &Scene<'_>) -> Result<Work, Refusal> {
    match (given(scene), &scene.request.head.token) {
        (Some(token), _) => look(scene, &token),
        (None, Some(token)) => look(scene, token),
        (None, None) => Err(invalid()),
    }
}

fn lookup_own(scene: &Scene<'_>) -> Result<Work, Refusal> {
    look(scene, scene.request.head.token.as_ref().ok_or_else(invalid)?)
}

fn look(scene: &Scene<'_>, token: &Secret) -> Result<Work, Refusal> {
    let known = named(scene, token)?.ok_or_else(invalid)?;
    let wrapped = find(scene.active, &scene.snapshot, &known)?.ok_or_else(invalid)?;
    Ok(Work::reply(Reply::data(json!({
        "creation_path": wrapped.path,
        "creation_time": wrapped.created.to_string(),
        "creation_ttl": wrapped.ttl,
    }))))
}

fn given(scene: &Scene<'_>) -> Option<Secret> {
    scene.request.stage.call.get(&TOKEN).filter(|token| !token.is_empty()).map(Secret::from)
}

fn named(scene: &Scene<'_>, token: &Secret) -> Result<Option<Arc<Known>>, Refusal> {
    scene.active.tokens.find(&reader(scene), token, scene.now)
}

fn reader(scene: &Scene<'_>) -> strongroom_barrier::Reader {
    scene.active.tokens.view.at(scene.snapshot.clone())
}
