//! `sys/leases`, and `sys/renew` for old clients.

use strongroom_barrier::Reader;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route, Seconds};
use strongroom_types::reply::Logical;
use strongroom_types::{Operation, Refusal, Reply};

use super::record::{self, LeaseId};
use super::renew::renew;
use super::show::{count, irrevocable, list, lookup};
use super::{Settle, job};
use crate::perform::{After, Run, Scene, SystemHandler, Work};

const LEASE_ID: Field<String> = Field::new("lease_id", "The lease, as the answer named it.");
const IN_PATH: Field<String> = Field::new("url_lease_id", "The same, for old clients.");
pub(super) const INCREMENT: Field<Seconds> =
    Field::new("increment", "How long it is to live from now on; what its engine says if it is left out.");
const SYNC: Field<bool> =
    Field::new("sync", "Whether to wait until it has ended; true by default. Else the answer is 202.");
pub(super) const TYPE: Field<String> = Field::new("type", "Which: 'irrevocable'.");
const CHILDREN: Field<bool> = Field::new("include_child_namespaces", "Accepted; there are none.");

const ID: Param =
    Param { name: "url_lease_id", help: "The lease, unless the body names it.", kind: ParamKind::Exact };
pub(super) const PREFIX: Param =
    Param { name: "prefix", help: "The path at or below which the leases are.", kind: ParamKind::Exact };

const RENEW: &[FieldSpec] = &[LEASE_ID.spec(), IN_PATH.spec(), INCREMENT.spec()];
const REVOKE: &[FieldSpec] = &[LEASE_ID.spec(), IN_PATH.spec(), SYNC.spec()];
const WHICH: &[FieldSpec] = &[TYPE.spec(), CHILDREN.spec()];

/// The routes of this module, below `sys/`.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "leases",
        help: "Leases that could not be taken back.",
        sudo: true,
        endpoints: &[read("List them.", WHICH, irrevocable)],
        ..Route::BASE
    },
    Route {
        path: "leases/count",
        help: "How many leases could not be taken back.",
        endpoints: &[read("Count them.", WHICH, count)],
        ..Route::BASE
    },
    Route {
        path: "leases/lookup",
        help: "A lease; on LIST, which needs sudo, what there are.",
        endpoints: &[
            write("Look a lease up.", &[LEASE_ID.spec()], Run::Free(lookup)),
            listing("List the first parts of all paths that have leases.", list_all),
        ],
        ..Route::BASE
    },
    Route {
        path: "leases/lookup/{prefix*}",
        params: &[PREFIX],
        help: "The leases below a path.",
        sudo: true,
        endpoints: &[listing("List them.", list)],
        ..Route::BASE
    },
    Route {
        path: "leases/renew/{url_lease_id*?}",
        params: &[ID],
        help: "Lets a lease live longer.",
        endpoints: &[write("Renew.", RENEW, Run::Waiting(renew))],
        ..Route::BASE
    },
    Route {
        path: "renew/{url_lease_id*?}",
        params: &[ID],
        help: "Lets a lease live longer: the older name of sys/leases/renew.",
        endpoints: &[write("Renew.", RENEW, Run::Waiting(renew))],
        ..Route::BASE
    },
    Route {
        path: "leases/revoke/{url_lease_id*?}",
        params: &[ID],
        help: "Ends a lease: what was given is taken back.",
        endpoints: &[write("Revoke.", REVOKE, Run::Revoking(revoke))],
        ..Route::BASE
    },
    Route {
        path: "leases/revoke-prefix/{prefix*}",
        params: &[PREFIX],
        help: "Ends all leases at and below a path.",
        sudo: true,
        endpoints: &[write("Revoke them.", &[SYNC.spec()], Run::Free(revoke_prefix))],
        ..Route::BASE
    },
    Route {
        path: "leases/revoke-force/{prefix*}",
        params: &[PREFIX],
        help: "Ends all leases at and below a path, and gives up what their engines cannot take back.",
        sudo: true,
        endpoints: &[write("Remove them.", &[], Run::Free(revoke_force))],
        ..Route::BASE
    },
    Route {
        path: "leases/tidy",
        help: "Removes what has ended; that happens by itself, too.",
        endpoints: &[write("Tidy.", &[], Run::Free(tidy))],
        ..Route::BASE
    },
];

const fn read(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Read, summary, fields, body: Body::None, run: Run::Blocking(run) }
}

const fn listing(summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::List, summary, fields: &[], body: Body::None, run: Run::Blocking(run) }
}

const fn write(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run }
}

/// The lease in the path, else in the body.
pub(super) fn lease_id(scene: &Scene<'_>) -> Result<String, Refusal> {
    let call = &scene.request.stage.call;
    let in_path = Some(call.param(ID.name).to_owned());
    [in_path, call.get(&LEASE_ID), call.get(&IN_PATH)]
        .into_iter()
        .flatten()
        .find(|id| !id.is_empty())
        .ok_or_else(|| Refusal::bad_request("lease_id must be specified"))
}

pub(super) fn reader(scene: &Scene<'_>) -> Reader {
    scene.active.leases.view.at(scene.snapshot.clone())
}

pub(super) fn no_lease(text: &'static str) -> Refusal {
    Refusal::bad_request(text)
}

/// At its own path a list needs no sudo that a route could say: POST beside it is for everybody.
fn list_all(scene: &Scene<'_>) -> Result<Work, Refusal> {
    if !scene.request.stage.has_sudo(scene.now) {
        return Err(Refusal::denied());
    }
    list(scene)
}

fn waits(scene: &Scene<'_>) -> bool {
    scene.request.stage.call.get(&SYNC).unwrap_or(true)
}

/// 202: it goes on.
fn queued() -> Reply {
    Reply::Logical(Box::new(Logical { status: Some(202), ..Logical::default() }))
}

/// The lease is marked as ended by this request, whoever takes back what was given.
fn revoke(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let id = lease_id(scene)?;
    let active = scene.active;
    let reply = if waits(scene) { Reply::Empty } else { queued() };
    let tokens = active.tokens.view.at(scene.snapshot.clone());
    if let Some(known) = active.tokens.find_by_lease_to_end(&tokens, &id, scene.now)? {
        return Ok(Work { reply, ..active.revoke(&scene.snapshot, &known)? });
    }
    let found = LeaseId::parse(&id).map(|id| record::find(&reader(scene), &id)).transpose()?.flatten();
    let Some(found) = found else { return Ok(Work::reply(Reply::Empty)) };
    let ended = found.change(&found.record.clone().ended())?;
    let work = Work::done(ended.into_iter().map(|write| (active.leases.view.clone(), write)).collect());
    Ok(match waits(scene) {
        true => Work { settle: Some(Settle::Lease(found.id)), ..work },
        false => Work { reply, ..work }.then([After::Leases]),
    })
}

fn revoke_prefix(scene: &Scene<'_>) -> Result<Work, Refusal> {
    below(scene, false, waits(scene))
}

fn revoke_force(scene: &Scene<'_>) -> Result<Work, Refusal> {
    below(scene, true, true)
}

fn below(scene: &Scene<'_>, force: bool, waits: bool) -> Result<Work, Refusal> {
    let active = scene.active;
    let path = scene.request.stage.call.param(PREFIX.name);
    let write = job::of_prefix(active, path, force)?;
    let name = write.name.clone();
    let work = Work::done(vec![(active.leases.view.clone(), write)]);
    Ok(match waits {
        true => Work { settle: Some(Settle::Job(name)), ..work },
        false => Work { reply: queued(), ..work }.then([After::Leases]),
    })
}

fn tidy(_: &Scene<'_>) -> Result<Work, Refusal> {
    let warnings = vec![
        "Tidy operation successfully started. What it removes is counted in the server's log.".to_owned(),
    ];
    let reply = Logical { status: Some(202), warnings, ..Logical::default() };
    Ok(Work::reply(Reply::Logical(Box::new(reply))).then([After::Leases, After::Sweep]))
}
