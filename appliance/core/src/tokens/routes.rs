//! `auth/token/`: the routes; look up and revoke. Making and renewing have files of their own.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_barrier::{Reader, View, Write};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route, Seconds, Table};
use strongroom_types::reply::{AuthReply, Logical};
use strongroom_types::{Operation, Refusal, Reply, Secret};

use super::create::{CREATE, create, create_by_role, create_orphan};
use super::renew::{renew, renew_accessor, renew_self};
use super::{Known, role_routes};
use crate::perform::{After, Run, Scene, SystemHandler, Work};
use crate::stage::Asker;

const TOKEN: Field<String> = Field::new("token", "The token.");
const ACCESSOR: Field<String> = Field::new("accessor", "The accessor of the token.");
pub(super) const INCREMENT: Field<Seconds> = Field::new("increment", "How long it is to live from now on.");
const BY_TOKEN: &[FieldSpec] = &[TOKEN.spec(), INCREMENT.spec()];
const BY_ACCESSOR: &[FieldSpec] = &[ACCESSOR.required().spec(), INCREMENT.spec()];
const ENDED: &[FieldSpec] = &[TOKEN.required().spec(), INCREMENT.spec()];

/// All routes below `auth/token/`.
pub const TABLES: &[Table<Run>] = &[ROUTES, role_routes::ROUTES];

const ROUTES: &[Route<Run>] = &[
    route("create", "Make a child token.", &[bear("Make a token.", create)]),
    Route {
        path: "create/{role_name}",
        params: &[role_routes::ROLE],
        help: "Make a token as a role says.",
        endpoints: &[bear("Make a token.", create_by_role)],
        ..Route::BASE
    },
    route("create-orphan", "Make a token without parent.", &[bear("Make a token.", create_orphan)]),
    route(
        "lookup",
        "Look a token up.",
        &[
            update("Look a token up.", BY_TOKEN, lookup),
            read("Look the caller's token up.", &[], lookup_by_get),
        ],
    ),
    route(
        "lookup-self",
        "Look the caller's token up.",
        &[read("Look it up.", &[], lookup_self), update("Look it up.", &[], lookup_self)],
    ),
    route(
        "lookup-accessor",
        "Look a token up by accessor.",
        &[update("Look it up.", BY_ACCESSOR, lookup_accessor)],
    ),
    route("renew", "Let a token live longer.", &[update("Renew.", BY_TOKEN, renew)]),
    route("renew-self", "Let the caller's token live longer.", &[update("Renew.", BY_TOKEN, renew_self)]),
    route(
        "renew-accessor",
        "Let a token live longer, by accessor.",
        &[update("Renew.", BY_ACCESSOR, renew_accessor)],
    ),
    route("revoke", "End a token and its children.", &[revoking(ENDED, revoke)]),
    route("revoke-self", "End the caller's token and its children.", &[revoking(&[], revoke_self)]),
    route("revoke-accessor", "End a token by accessor.", &[revoking(BY_ACCESSOR, revoke_accessor)]),
    route("tidy", "Remove what has expired; that happens by itself, too.", &[update("Tidy.", &[], tidy)]),
    route("revoke-orphan", "End a token; its children live on.", &[revoking(ENDED, revoke_orphan)]),
    Route {
        path: "accessors",
        help: "The accessors of all tokens.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::List,
            summary: "List the accessors.",
            fields: &[],
            body: Body::None,
            run: Run::Blocking(accessors),
        }],
        ..Route::BASE
    },
];

const fn route(path: &'static str, help: &'static str, endpoints: &'static [Endpoint<Run>]) -> Route<Run> {
    Route { path, help, endpoints, ..Route::BASE }
}

const fn update(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Free(run) }
}

/// Makes a child: not while a parent is being revoked.
const fn bear(summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint {
        operation: Operation::Update,
        summary,
        fields: CREATE,
        body: Body::Json,
        run: Run::Bearing(run),
    }
}

/// Revokes: not while a child is being made.
const fn revoking(fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    let summary = "Revoke.";
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Revoking(run) }
}

const fn read(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Read, summary, fields, body: Body::None, run: Run::Free(run) }
}

// === look up ===

fn lookup(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let given = scene.request.stage.call.get(&TOKEN).filter(|token| !token.is_empty());
    let Some(given) = given else { return lookup_self(scene) };
    let token = Secret::from(given);
    let bad = || Refusal::new(strongroom_types::error::Kind::Denied, "bad token");
    let known = find(scene, &token)?.ok_or_else(bad)?;
    Ok(Work::reply(Reply::data(shown(scene, &known, Some(&token)))))
}

/// A token in a URL ends up in the logs of proxies, and in our own: the path is there in clear.
fn lookup_by_get(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if scene.request.stage.given.contains_key("token") {
        return Err(Refusal::bad_request(
            "a token does not belong into a URL: send it in the body of a POST",
        ));
    }
    lookup_self(scene)
}

fn lookup_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let asker = asker(scene)?;
    Ok(Work::reply(Reply::data(shown(scene, &asker.known, scene.request.head.token.as_ref()))))
}

fn lookup_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let known = by_accessor(scene)?.ok_or_else(|| one_error("invalid accessor"))?;
    Ok(Work::reply(Reply::data(shown(scene, &known, None))))
}

fn accessors(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::keys(scene.active.tokens.accessors(&reader(scene))?)))
}

/// A token as look-ups show it. Only its holder is shown the token itself, which is not stored.
fn shown(scene: &Scene<'_>, known: &Known, token: Option<&Secret>) -> Value {
    let record = &known.record;
    // The use of this very request is counted already; -1 says that it was the last.
    let is_own = asker(scene).is_ok_and(|asker| asker.known.key == known.key);
    let uses = match (record.num_uses, is_own) {
        (0, _) => 0,
        (1, true) => -1,
        (left, true) => i64::try_from(left - 1).unwrap_or(i64::MAX),
        (left, false) => i64::try_from(left).unwrap_or(i64::MAX),
    };
    let mut data = json!({
        "accessor": record.accessor,
        "creation_time": record.created.secs(),
        "creation_ttl": record.creation_ttl,
        "display_name": record.display_name,
        "entity_id": record.entity(),
        "expire_time": record.expires.map(|end| end.to_string()),
        "explicit_max_ttl": record.explicit_max_ttl,
        "id": token.and_then(Secret::expose_str).unwrap_or_default(),
        "issue_time": record.created.to_string(),
        "meta": record.meta,
        "num_uses": uses,
        "orphan": record.parent.is_none(),
        "path": record.path,
        "policies": record.policies,
        "renewable": record.renewable && record.expires.is_some(),
        "ttl": record.ttl(scene.now),
        "type": record.kind(),
    });
    if let Some(map) = data.as_object_mut() {
        if let Some(renewed) = record.last_renewal {
            map.insert("last_renewal".into(), renewed.to_string().into());
            map.insert("last_renewal_time".into(), renewed.secs().into());
        }
        if record.period > 0 {
            map.insert("period".into(), record.period.into());
        }
        if !record.bound_cidrs.is_empty() {
            map.insert("bound_cidrs".into(), json!(record.bound_cidrs));
        }
        if !record.role.is_empty() {
            map.insert("role".into(), record.role.as_str().into());
        }
    }
    data
}

// === revoke ===

fn revoke(scene: &Scene<'_>) -> Result<Work, Refusal> {
    match find_to_end(scene, &given_token(scene)?)? {
        Some(known) => end(scene, &known),
        None => Ok(Work::reply(Reply::Empty)),
    }
}

fn revoke_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    refuse_batch(&asker(scene)?.known)?;
    end(scene, own(scene)?.as_ref())
}

fn revoke_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    match by_accessor_to_end(scene)? {
        Some(known) => end(scene, &known),
        None => Ok(Work::reply(Reply::Empty.with_warning("No token found with this accessor"))),
    }
}

fn revoke_orphan(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if !scene.request.stage.has_sudo(scene.now) {
        return Err(Refusal::bad_request("root or sudo privileges required to revoke and orphan"));
    }
    let known = find_to_end(scene, &given_token(scene)?)?;
    let known = known.ok_or_else(|| Refusal::bad_request("token to revoke not found"))?;
    refuse_batch(&known)?;
    scene.active.revoke_alone(&scene.snapshot, &known)
}

fn end(scene: &Scene<'_>, known: &Known) -> Result<Work, Refusal> {
    refuse_batch(known)?;
    scene.active.revoke(&scene.snapshot, known)
}

/// There is nothing to remove of a token that is stored nowhere; it ends with its parent.
fn refuse_batch(known: &Known) -> Result<(), Refusal> {
    if known.record.batch { Err(Refusal::bad_request("batch tokens cannot be revoked")) } else { Ok(()) }
}

fn tidy(_: &Scene<'_>) -> Result<Work, Refusal> {
    let warnings = vec![
        "Tidy operation successfully started. What it removes is counted in the server's log.".to_owned(),
    ];
    let reply = Logical { status: Some(202), warnings, ..Logical::default() };
    Ok(Work::reply(Reply::Logical(Box::new(reply))).then([After::Sweep]))
}

// === helpers ===

pub(super) fn reader(scene: &Scene<'_>) -> Reader {
    scene.active.tokens.view.at(scene.snapshot.clone())
}

pub(super) fn find(scene: &Scene<'_>, token: &Secret) -> Result<Option<Arc<Known>>, Refusal> {
    scene.active.tokens.find(&reader(scene), token, scene.now)
}

pub(super) fn by_accessor(scene: &Scene<'_>) -> Result<Option<Arc<Known>>, Refusal> {
    scene.active.tokens.find_by_accessor(&reader(scene), &given_accessor(scene)?, scene.now)
}

fn given_accessor(scene: &Scene<'_>) -> Result<String, Refusal> {
    let accessor = scene.request.stage.call.get(&ACCESSOR).filter(|accessor| !accessor.is_empty());
    accessor.ok_or_else(|| one_error("missing accessor"))
}

/// A token that is to end: also one of which the clock, because it is behind, cannot tell whether it has.
fn find_to_end(scene: &Scene<'_>, token: &Secret) -> Result<Option<Arc<Known>>, Refusal> {
    let tokens = &scene.active.tokens;
    tokens.found_to_end(&reader(scene), tokens.key(token), find(scene, token))
}

fn by_accessor_to_end(scene: &Scene<'_>) -> Result<Option<Arc<Known>>, Refusal> {
    let (tokens, reader) = (&scene.active.tokens, reader(scene));
    let Some(key) = tokens.key_of(&given_accessor(scene)?) else { return Ok(None) };
    let found = tokens.find_by_key(&reader, key.clone(), scene.now);
    tokens.found_to_end(&reader, key, found)
}

pub(super) fn given_token(scene: &Scene<'_>) -> Result<Secret, Refusal> {
    let token = scene.request.stage.call.get(&TOKEN).filter(|token| !token.is_empty());
    token.map(Secret::from).ok_or_else(|| Refusal::bad_request("missing token ID"))
}

pub(super) fn asker<'a>(scene: &'a Scene<'_>) -> Result<&'a Asker, Refusal> {
    scene.request.stage.asker.as_ref().ok_or_else(Refusal::denied)
}

/// The asker's own token as it is now: it may have changed since this request came in.
pub(super) fn own(scene: &Scene<'_>) -> Result<Arc<Known>, Refusal> {
    let known = scene.active.tokens.find_again(&reader(scene), &asker(scene)?.known, scene.now)?;
    known.ok_or_else(Refusal::denied)
}

pub(super) fn seconds(given: Option<Seconds>, field: &str) -> Result<i64, Refusal> {
    let secs = given.map_or(0, Seconds::secs);
    if secs < 0 { Err(Refusal::bad_request(format!("'{field}' cannot be negative"))) } else { Ok(secs) }
}

pub(super) fn in_view(scene: &Scene<'_>, writes: Vec<Write>) -> Vec<(View, Write)> {
    writes.into_iter().map(|write| (scene.active.tokens.view.clone(), write)).collect()
}

pub(super) fn auth_reply(auth: AuthReply, warnings: Vec<String>) -> Reply {
    Reply::Logical(Box::new(Logical { auth: Some(auth), warnings, ..Logical::default() }))
}

pub(super) fn one_error(text: &str) -> Refusal {
    Refusal::bad_request(format!("1 error occurred:\n\t* {text}\n\n"))
}
