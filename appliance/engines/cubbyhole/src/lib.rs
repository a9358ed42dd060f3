//! Cubbyhole: a private store for each token.
//!
//! What a token writes here only the same token can read, whatever any policy says, root's too; and it is gone with the
//! token. Tokens that are not stored (batch tokens) have none.
//!
//! # Storage
//!
//! | name | shape | value |
//! |---|---|---|
//! | the token's own name ([`strongroom_engine::Caller::cubbyhole`]), then the path's segments | 1 | the object, as JSON |
//!
//! Core deletes everything below a token's name in the commit that revokes the token.

use strongroom_engine::{
    Call, Cx, Endpoint, Engine, FieldSpec, Handler, JsonMap, MountOptions, Name, Outcome, Param, ParamKind,
    Refusal, Reply, Route, Table, Write, record,
};

/// The engine, for the registry.
pub static ENGINE: Engine = Engine {
    kind: "cubbyhole",
    help: "Keeps what a token wants to keep for itself; nobody else reads it, and it ends with the token.",
    routes,
    ..Engine::BASE
};

/// The shape of a record.
const SHAPE: u8 = 1;

const PATH: Param = Param { name: "path", help: "Where it is kept.", kind: ParamKind::Exact };

const ROUTES: Table<Handler> = &[
    Route {
        path: "",
        help: "The first level of the caller's own store.",
        endpoints: &[Endpoint::list("List the names at the top.", list)],
        ..Route::BASE
    },
    Route {
        path: "{path*}",
        params: &[PATH],
        help: "Any JSON object, for the caller's token alone.",
        exists: Some(exists),
        endpoints: &[
            Endpoint::read("Read the object.", &[], read),
            Endpoint::write("Replace the object.", &[FieldSpec::REST], write),
            Endpoint::delete("Delete the object.", delete),
            Endpoint::list("List the names below the path.", list),
        ],
        ..Route::BASE
    },
];

fn routes(_: &MountOptions) -> Result<Table<Handler>, Refusal> {
    Ok(ROUTES)
}

fn exists(cx: &Cx, call: &Call) -> Result<bool, Refusal> {
    cx.has(&name(cx, call)?)
}

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&name(cx, call)?)?.ok_or_else(Refusal::not_found)?;
    let object: JsonMap = record::decode(SHAPE, &entry)?;
    Ok(Outcome::reply(Reply::data(object.into())))
}

fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    if call.fields.is_empty() {
        return Err(Refusal::bad_request("missing data fields"));
    }
    let object = record::encode(SHAPE, &call.fields)?;
    Ok(Outcome::done(vec![record::replace(cx, call, name(cx, call)?, object)?]))
}

fn delete(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::done(vec![Write::delete(name(cx, call)?)]))
}

fn list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(cx.list(&name(cx, call)?, call)?)))
}

/// The path below the caller's own name. Who has none gets nothing: there is no name that callers share.
fn name(cx: &Cx, call: &Call) -> Result<Name, Refusal> {
    let own = cx.caller.as_ref().and_then(|caller| caller.cubbyhole.as_deref()).filter(|own| !own.is_empty());
    let own = own.ok_or_else(|| {
        Refusal::bad_request("cubbyhole operations are only supported by \"service\" type tokens")
    })?;
    record::name(own, call.param("path"))
}
