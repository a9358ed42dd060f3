//! `sys/remount`: a mount at another path.
//!
//! A record is bound to the mount's id, never to its path: to move a mount is one small commit, whatever it holds. What
//! is asked meanwhile goes to the same mount by the old path or by the new one. Clients know a move as work that goes
//! on, with a status; ours is done when it is answered.
//!
//! An auth method stays one, and what is none does not become one: which routes need no token goes by the path. What it
//! has given at the old path ends as leases do: its tokens, and with them their children.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use strongroom_barrier::Write;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::id::RequestId;
use strongroom_types::{ApiPath, Operation, Refusal, Reply};

use super::at_top;
use super::auth::{PREFIX, TOKEN};
use super::mounts::is_reserved;
use crate::fault::{barrier, damaged};
use crate::leases::job;
use crate::mounts::{Mount, is_auth, name_of};
use crate::perform::{After, Run, Scene, Work};

const FROM: Field<String> = Field::new("from", "The path of the mount.");
const TO: Field<String> = Field::new("to", "Its new path.");
const MOVE: &[FieldSpec] = &[FROM.required().spec(), TO.required().spec()];
const ID: Param =
    Param { name: "migration_id", help: "What the move was answered with.", kind: ParamKind::Exact };

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "remount",
        help: "Moves a mount to another path.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::Update,
            summary: "Move a mount.",
            fields: MOVE,
            body: Body::Json,
            run: Run::Alone(remount),
        }],
        ..Route::BASE
    },
    Route {
        path: "remount/status/{migration_id}",
        params: &[ID],
        help: "How a move went.",
        endpoints: &[Endpoint {
            operation: Operation::Read,
            summary: "Read how it went.",
            fields: &[],
            body: Body::None,
            run: Run::Free(status),
        }],
        ..Route::BASE
    },
];

/// Moves that are remembered, until sealing.
const REMEMBERED: usize = 256;

/// The last moves.
#[derive(Default)]
pub struct Moves(Mutex<VecDeque<Moved>>);

/// A mount that was moved.
#[derive(Clone)]
pub struct Moved {
    id: String,
    from: String,
    to: String,
}

impl Moves {
    /// Remembers a move, and forgets an old one.
    pub fn remember(&self, moved: Moved) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.truncate(REMEMBERED - 1);
        all.push_front(moved);
    }

    fn find(&self, id: &str) -> Option<Moved> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|moved| moved.id == id).cloned()
    }
}

fn remount(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let active = scene.active;
    let (from, to) = (path(scene, &FROM)?, path(scene, &TO)?);
    let (is_method, to_method) = (is_method(&from), is_method(&to));
    if is_reserved(&from) && !is_method {
        return Err(Refusal::bad_request(format!("cannot remount \"{from}\"")));
    }
    if is_reserved(&to) && !to_method {
        return Err(Refusal::bad_request(format!("cannot remount to destination {to}")));
    }
    if is_method != to_method {
        return Err(Refusal::bad_request(format!(
            "cannot remount \"{from}\" to destination {to}: one of the two is a place of auth methods"
        )));
    }
    let mounts = active.mounts.load();
    let mount =
        mounts.at(&from).ok_or_else(|| Refusal::bad_request(format!("no matching mount at \"{from}\"")))?;
    if let Some(held) = mounts.conflict(&to) {
        return Err(Refusal::bad_request(format!("path already in use at \"{held}\"")));
    }
    let mut record = mount.record.clone();
    record.path.clone_from(&to);
    Mount::new(record.clone(), &active.barrier, active.kinds, &active.settings)?;
    let name = name_of(record.id)?;
    let seen = active.system.at(scene.snapshot.clone()).get(&name).map_err(barrier)?;
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name, body).if_unchanged(seen.as_ref());
    let id = RequestId::from_random(active.entropy.draw()?).to_string();
    let reply = at_top(json!({ "migration_id": id })).with_warning(
        "The mount has been moved; sys/remount/status tells the same of the migration_id until the next seal",
    );
    // What was given by the old path ends: its holders could not name it by the new one.
    let leases = job::of_mount(active, mount.record.id, &from, true)?;
    let work = Work::done(vec![(active.system.clone(), write), (active.leases.view.clone(), leases)]);
    let after = [After::Mount(mount.record.id), After::Leases, After::Moved(Moved { id, from, to })];
    Ok(Work { reply, ..work }.then(after))
}

/// Whether `path` is one that an auth method may have. Tokens are core's own and stay where they are.
fn is_method(path: &str) -> bool {
    path != PREFIX && is_auth(path) && !path.starts_with(TOKEN)
}

/// The path in `field`, canonical, with its slash.
fn path(scene: &Scene<'_>, field: &Field<String>) -> Result<String, Refusal> {
    let given = scene.request.stage.call.get(field).unwrap_or_default();
    let given = given.trim_matches('/');
    if given.is_empty() {
        return Err(Refusal::bad_request("both 'from' and 'to' path must be specified as a string"));
    }
    let path = ApiPath::from_text(given).map_err(|error| Refusal::bad_request(error.message()))?;
    Ok(format!("{}/", path.as_str()))
}

fn status(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let id = scene.request.stage.call.param(ID.name);
    let moved = scene.active.moves.find(id).ok_or_else(Refusal::not_found)?;
    Ok(Work::reply(Reply::data(json!({
        "migration_id": moved.id,
        "migration_info": {
            "source_mount": moved.from,
            "target_mount": moved.to,
            "status": "success",
        },
    }))))
}
