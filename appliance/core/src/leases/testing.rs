//! An engine that gives out credentials, and takes them back unless it is told not to.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_engine::{
    Body, Call, Cx, Endpoint, Engine, Field, FieldSpec, Handler, LeaseHandler, LeaseWish, Leased, Name,
    Operation, Outcome, Param, ParamKind, Refusal, Renewal, Reply, Route, Seconds, SecretKind, Table, Write,
    record,
};

/// `role/<name>` says how long; `creds/<name>` gives a user that its own revocation removes; `shared/<name>` one that is
/// only counted; `slow/<name>` one that is taken back by somebody who takes his time, and notes the last one. While `fault` holds a text, nothing
/// is taken back, and that is why.
pub static VENDING: Engine = Engine {
    kind: "vending",
    help: "Gives out users.",
    routes: |_| Ok(ROUTES),
    secrets: &[USER, SHARED, SLOW],
    ..Engine::BASE
};

const USER: SecretKind = SecretKind {
    name: "user",
    renew: Some(LeaseHandler::Inline(renew)),
    revoke: LeaseHandler::Inline(remove),
};
const SHARED: SecretKind =
    SecretKind { name: "shared", renew: None, revoke: LeaseHandler::Inline(count_down) };
const SLOW: SecretKind = SecretKind {
    name: "slow",
    renew: Some(LeaseHandler::Async(|cx, lease| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            renew(cx, lease)
        })
    })),
    revoke: LeaseHandler::Async(|cx, lease| {
        Box::pin(async move {
            AT_ONCE.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            MOST_AT_ONCE.fetch_max(AT_ONCE.load(Ordering::SeqCst), Ordering::SeqCst);
            AT_ONCE.fetch_sub(1, Ordering::SeqCst);
            let mut writes = remove(cx, lease)?;
            writes.push(Write::put(record::name("last", "")?, record::encode(1, &lease.text("user"))?));
            Ok(writes)
        })
    }),
};

/// How often somebody far away was asked for a user.
pub static ASKED: AtomicUsize = AtomicUsize::new(0);
static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
/// As many as were ever taken back at the same time.
pub static MOST_AT_ONCE: AtomicUsize = AtomicUsize::new(0);

const NAME: Param = Param { name: "name", help: "The role.", kind: ParamKind::Folded };
const TTL: Field<Seconds> = Field::new("ttl", "How long a user lives.");
const MAX_TTL: Field<Seconds> = Field::new("max_ttl", "How long at most.");
const RENEWABLE: Field<bool> = Field::new("renewable", "Whether it can be renewed.");
const TEXT: Field<String> = Field::new("text", "What is said instead of taking back.");
const ROLE: &[FieldSpec] = &[TTL.spec(), MAX_TTL.spec(), RENEWABLE.spec()];

const ROUTES: Table<Handler> = &[
    Route {
        path: "role/{name}",
        params: &[NAME],
        help: "A role.",
        endpoints: &[
            Endpoint::write("Write.", ROLE, write_role),
            Endpoint::delete("Remove.", |_, call| {
                Ok(Outcome::done(vec![Write::delete(record::name("role", call.param("name"))?)]))
            }),
        ],
        ..Route::BASE
    },
    giving("creds/{name}", &[Endpoint::read("Get a user.", &[], |cx, call| give(cx, call, &USER))]),
    giving("slow/{name}", &[Endpoint::read("Get a user.", &[], |cx, call| give(cx, call, &SLOW))]),
    giving(
        "remote/{name}",
        &[Endpoint {
            operation: Operation::Read,
            summary: "Get a user from somebody far away.",
            fields: &[],
            body: Body::None,
            run: Handler::Async(|cx, call| {
                Box::pin(async move {
                    ASKED.fetch_add(1, Ordering::SeqCst);
                    give(cx, call, &SLOW)
                })
            }),
        }],
    ),
    giving("shared/{name}", &[Endpoint::read("Get a user.", &[], count_up)]),
    Route {
        path: "users",
        help: "Who there is.",
        endpoints: &[Endpoint::list("List.", |cx, call| {
            Ok(Outcome::reply(Reply::keys(cx.list(&record::name("user", "")?, call)?)))
        })],
        ..Route::BASE
    },
    Route {
        path: "fault",
        help: "What is said instead of taking back.",
        endpoints: &[
            Endpoint::write("Set.", &[TEXT.spec()], |_, call| {
                let text = call.get(&TEXT).unwrap_or_default();
                Ok(Outcome::done(vec![Write::put(record::name("fault", "")?, record::encode(1, &text)?)]))
            }),
            Endpoint::delete("Mend.", |_, _| {
                Ok(Outcome::done(vec![Write::delete(record::name("fault", "")?)]))
            }),
        ],
        ..Route::BASE
    },
];

const fn giving(path: &'static str, endpoints: &'static [Endpoint<Handler>]) -> Route<Handler> {
    Route { path, params: &[NAME], help: "A user.", endpoints, ..Route::BASE }
}

#[derive(Default, Serialize, Deserialize)]
struct Role {
    ttl: i64,
    max_ttl: i64,
    renewable: bool,
}

fn write_role(_: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let role = Role {
        ttl: call.get(&TTL).map_or(0, Seconds::secs),
        max_ttl: call.get(&MAX_TTL).map_or(0, Seconds::secs),
        renewable: call.get(&RENEWABLE).unwrap_or(true),
    };
    Ok(Outcome::done(vec![Write::put(record::name("role", call.param("name"))?, record::encode(1, &role)?)]))
}

fn role(cx: &Cx, name: &str) -> Result<Role, Refusal> {
    let role = cx.get(&record::name("role", name)?)?;
    role.map_or_else(|| Err(Refusal::bad_request("no such role")), |entry| record::decode(1, &entry))
}

fn user(id: &str) -> Result<Name, Refusal> {
    record::name("user", id)
}

fn wish(cx: &Cx, call: &Call, kind: &SecretKind) -> Result<LeaseWish, Refusal> {
    let Role { ttl, max_ttl, renewable } = role(cx, call.param("name"))?;
    let wish = LeaseWish::of(kind).lasting(ttl, max_ttl).with("role", call.param("name"));
    Ok(LeaseWish { renewable, ..wish })
}

fn give(cx: &Cx, call: &Call, kind: &SecretKind) -> Result<Outcome, Refusal> {
    let wish = wish(cx, call, kind)?;
    let id = cx.random::<8>()?.map(|byte| format!("{byte:02x}")).concat();
    let write = Write::put(user(&id)?, record::encode(1, &id)?).if_unchanged(None);
    let outcome = Outcome::new(Reply::data(json!({ "user": id })), vec![write]);
    Ok(outcome.leased(wish.with("user", id)))
}

fn check(cx: &Cx) -> Result<(), Refusal> {
    match cx.get(&record::name("fault", "")?)? {
        None => Ok(()),
        Some(entry) => Err(Refusal::bad_request(record::decode::<String>(1, &entry)?)),
    }
}

fn renew(cx: &Cx, lease: &Leased) -> Result<Renewal, Refusal> {
    let Role { ttl, max_ttl, .. } = role(cx, lease.text("role"))?;
    Ok(Renewal { ttl, max_ttl, writes: Vec::new() })
}

fn remove(cx: &Cx, lease: &Leased) -> Result<Vec<Write>, Refusal> {
    check(cx)?;
    Ok(vec![Write::delete(user(lease.text("user"))?)])
}

fn counter(cx: &Cx, by: i64) -> Result<(i64, Write), Refusal> {
    let name = record::name("counter", "")?;
    let seen = cx.get(&name)?;
    let count = seen.as_ref().map_or(Ok(0), |entry| record::decode::<i64>(1, entry))? + by;
    Ok((count, Write::put(name, record::encode(1, &count)?).if_unchanged(seen.as_ref())))
}

fn count_up(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (count, write) = counter(cx, 1)?;
    let outcome = Outcome::new(Reply::data(json!({ "count": count })), vec![write]);
    Ok(outcome.leased(wish(cx, call, &SHARED)?))
}

fn count_down(cx: &Cx, _: &Leased) -> Result<Vec<Write>, Refusal> {
    check(cx)?;
    Ok(vec![counter(cx, -1)?.1])
}
