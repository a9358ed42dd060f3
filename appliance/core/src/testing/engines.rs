//! Engines and an auth method that do as little as can be seen.

use serde_json::{Value, json};
use strongroom_engine::auth::TOKEN_FIELDS;
use strongroom_engine::{
    Call, Cx, Endpoint, Engine, FieldSpec, Handler, Knock, Login, Method, Name, NoLogin, Outcome, Param,
    ParamKind, Refusal, Reply, Route, Table, TokenWish, Write, record,
};

static TOY: Engine = Engine {
    kind: "toy",
    help: "Keeps objects, and counts.",
    routes: |_| Ok(TOY_ROUTES),
    sweep: Some(sweep),
    ..Engine::BASE
};
static CUBBYHOLE: Engine = Engine {
    kind: "cubbyhole",
    help: "Objects of a token.",
    routes: |_| Ok(CUBBYHOLE_ROUTES),
    ..Engine::BASE
};

/// What stands at `old` and at `broken` in the toys: the one goes, the other ends the sweep of its mount.
fn sweep(cx: &Cx) -> Result<Vec<Write>, Refusal> {
    if cx.get(&record::name("objects", "broken")?)?.is_some() {
        return Err(Refusal::fault("a record that is broken"));
    }
    let old = record::name("objects", "old")?;
    Ok(cx.get(&old)?.map(|_| Write::delete(old)).into_iter().collect())
}

/// For [`crate::Parts`].
pub static ENGINES: &[&Engine] = &[&TOY, &CUBBYHOLE, &crate::leases::testing::VENDING];
static DOOR: Method = Method {
    engine: Engine { kind: "door", help: "Opens to a word.", routes: |_| Ok(DOOR_ROUTES), ..Engine::BASE },
    knock: Some(|cx, call| {
        let alias = call.param("path").to_owned();
        let is_known = cx.has(&record::name("who", &alias)?)?;
        let role = call.fields.get("role").and_then(Value::as_str).map(str::to_owned);
        Ok(Knock { alias, is_known, turn: None, role })
    }),
    has_roles: true,
    renew: |cx, alias| token_of(cx, alias),
};
/// For [`crate::Parts`].
pub static METHODS: &[&Method] = &[&DOOR];

const PATH: Param = Param { name: "path", help: "Where.", kind: ParamKind::Exact };
const OBJECT: &[FieldSpec] = &[FieldSpec::REST];

const TOY_ROUTES: Table<Handler> = &[
    Route {
        path: "count",
        help: "Counts its writes.",
        endpoints: &[
            Endpoint::write("Count.", &[], count),
            Endpoint::read("Read the count.", &[], read_count),
        ],
        ..Route::BASE
    },
    Route {
        path: "{path*?}",
        params: &[PATH],
        help: "An object.",
        exists: Some(|cx, call| Ok(cx.get(&at(cx, call)?)?.is_some())),
        endpoints: OBJECT_ENDPOINTS,
        ..Route::BASE
    },
];

const CUBBYHOLE_ROUTES: Table<Handler> = &[Route {
    path: "{path*?}",
    params: &[PATH],
    help: "An object.",
    endpoints: OBJECT_ENDPOINTS,
    ..Route::BASE
}];

const OBJECT_ENDPOINTS: &[Endpoint<Handler>] = &[
    Endpoint::read("Read.", &[], read),
    Endpoint::write("Write.", OBJECT, write),
    Endpoint::delete("Delete.", |cx, call| Ok(Outcome::done(vec![Write::delete(at(cx, call)?)]))),
    Endpoint::list("List.", |cx, call| Ok(Outcome::reply(Reply::keys(cx.list(&at(cx, call)?, call)?)))),
];

/// Whoever says `open` comes in, as what is written of them.
const DOOR_ROUTES: Table<Handler> = &[
    Route {
        path: "who/{path}",
        params: &[PATH],
        help: "What the token of somebody is to be.",
        endpoints: &[Endpoint::write("Write.", &TOKEN_FIELDS, |_, call| {
            let mut token = TokenWish::default();
            token.take(call)?;
            let name = record::name("who", call.param("path"))?;
            Ok(Outcome::done(vec![Write::put(name, record::encode(1, &token)?)]))
        })],
        ..Route::BASE
    },
    Route {
        path: "login/{path}",
        params: &[PATH],
        help: "Log in.",
        unauthenticated: true,
        endpoints: &[Endpoint::login("Log in.", OBJECT, |cx, call| {
            let alias = call.param("path").to_owned();
            if call.fields.get("word").and_then(Value::as_str) != Some("open") {
                return Err(NoLogin::wrong("wrong word"));
            }
            let seen = Write::put(record::name("seen", &alias)?, record::encode(1, &1)?);
            let metadata = [("name".to_owned(), Value::from(alias.as_str()))].into_iter().collect();
            Ok(Login {
                token: token_of(cx, &alias)?,
                display_name: alias.clone(),
                alias,
                metadata,
                writes: vec![seen],
            })
        })],
        ..Route::BASE
    },
];

fn token_of(cx: &Cx, alias: &str) -> Result<TokenWish, Refusal> {
    let entry = cx.get(&record::name("who", alias)?)?;
    record::decode(1, &entry.ok_or_else(|| Refusal::bad_request("nobody of this name"))?)
}

/// In a cubbyhole below the token's own name.
fn at(cx: &Cx, call: &Call) -> Result<Name, Refusal> {
    let own = cx.caller.as_ref().and_then(|caller| caller.cubbyhole.as_deref());
    let prefix = own.filter(|_| cx.mount.path == "cubbyhole/").unwrap_or("objects");
    record::name(prefix, call.param("path"))
}

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&at(cx, call)?)?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(record::decode(1, &entry)?)))
}

fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let object = record::encode(1, &call.fields)?;
    Ok(Outcome::done(vec![record::replace(cx, call, at(cx, call)?, object)?]))
}

fn count(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let name = Name::new(["count"]).unwrap();
    let seen = cx.get(&name)?;
    let count: u64 = seen.as_ref().map_or(Ok(0), |entry| record::decode(1, entry))?;
    let write = Write::put(name, record::encode(1, &(count + 1))?).if_unchanged(seen.as_ref());
    Ok(Outcome::new(Reply::data(json!({ "count": count + 1 })), vec![write]))
}

fn read_count(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&Name::new(["count"]).unwrap())?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(json!({ "count": record::decode::<u64>(1, &entry)? }))))
}
