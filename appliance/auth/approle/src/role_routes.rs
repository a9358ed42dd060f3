//! `role`, `role/<name>`, `role/<name>/role-id`.

use serde_json::json;
use strongroom_engine::{Call, Cx, Endpoint, Handler, Outcome, Refusal, Reply, Route, Write, record};

use crate::keys::Keys;
use crate::role::{self, FIELDS, LOCAL, ROLE_ID, Role};
use crate::sweep;
use crate::{ROLE, SHAPE};

/// The routes of this file.
pub const ROUTES: [Route<Handler>; 3] = [
    Route {
        path: "role",
        help: "All roles.",
        endpoints: &[Endpoint::list("List the roles.", |cx, call| {
            Ok(Outcome::reply(Reply::keys(cx.list(&record::name("role", "")?, call)?)))
        })],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}",
        params: &[ROLE],
        help: "A role.",
        exists: Some(|cx, call| Ok(role::find(cx, call)?.is_some())),
        endpoints: &[
            Endpoint::read("Read the role.", &[], read),
            Endpoint::write("Make or change the role.", FIELDS, write),
            Endpoint::delete("Remove the role and all its secret-ids.", delete),
        ],
        ..Route::BASE
    },
    Route {
        path: "role/{role_name}/role-id",
        params: &[ROLE],
        help: "The id to log in by.",
        endpoints: &[
            Endpoint::read("Read the id.", &[], read_id),
            Endpoint::write("Change the id.", &[ROLE_ID.spec()], write_id),
        ],
        ..Route::BASE
    },
];

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (role, _) = role::find(cx, call)?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(role.shown().into())))
}

fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let seen = role::find(cx, call)?;
    let (mut role, entry, was) = match seen {
        Some((role, entry)) => (role.clone(), Some(entry), Some(role.role_id)),
        None => (Role::new(cx, call.param(ROLE.name))?, None, None),
    };
    if let Some(local) = call.get(&LOCAL) {
        if entry.is_some() && local != role.local_secret_ids {
            return Err(Refusal::bad_request("local_secret_ids can only be modified during role creation"));
        }
        role.local_secret_ids = local;
    }
    role.take(call)?;
    if let Some(id) = call.get(&ROLE_ID).filter(|id| !id.is_empty()) {
        role.role_id = id;
    }
    Ok(Outcome::done(role::put(cx, &role, entry.as_ref(), was.as_deref())?))
}

/// With the role its secret-ids are out of reach; the sweep removes them.
fn delete(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let Some((role, entry)) = role::find(cx, call)? else { return Ok(Outcome::done(Vec::new())) };
    let mut writes = vec![
        Write::delete(role::name_of(&role.name)?).if_unchanged(Some(&entry)),
        Write::put(sweep::gone(&role.uid)?, record::encode(SHAPE, &())?).frees(),
    ];
    if let Some(keys) = Keys::load(cx)? {
        writes.push(Write::delete(role::name_of_id(&keys.of_role_id(&role.role_id))?));
    }
    Ok(Outcome::done(writes))
}

fn read_id(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (role, _) = role::find(cx, call)?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(json!({ "role_id": role.role_id }))))
}

fn write_id(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (mut role, entry) = role::required(cx, call)?;
    let id = call.get(&ROLE_ID).filter(|id| !id.is_empty());
    let was =
        std::mem::replace(&mut role.role_id, id.ok_or_else(|| Refusal::bad_request("missing role_id"))?);
    Ok(Outcome::done(role::put(cx, &role, Some(&entry), Some(&was))?))
}
