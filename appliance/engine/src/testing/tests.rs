//! The suite itself: a toy engine passes, broken ones do not.

use serde_json::json;
use strongroom_types::{Refusal, Reply};

use super::Mount;
use super::conformance::Suite;
use crate::{
    Call, Cx, Endpoint, Engine, Field, FieldSpec, Handler, MountOptions, Outcome, Param, ParamKind, Route,
    Table, Write, record,
};

const COUNT: Field<i64> = Field::new("count", "How much to add.");
const FIELDS: &[FieldSpec] = &[COUNT.spec()];
const NAME: Param = Param { name: "name", help: "Which counter.", kind: ParamKind::Folded };

const LIST: Route<Handler> = Route {
    path: "counter",
    help: "All counters.",
    endpoints: &[Endpoint::list("List the counters.", list)],
    ..Route::BASE
};
const ONE: Route<Handler> = Route {
    path: "counter/{name}",
    params: &[NAME],
    help: "A counter.",
    endpoints: &[Endpoint::read("Read it.", &[], read), Endpoint::write("Add to it.", FIELDS, add)],
    ..Route::BASE
};

fn name(call: &Call) -> Result<crate::Name, Refusal> {
    record::name("counter", call.param("name"))
}

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&name(call)?)?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(json!({ "count": record::decode::<i64>(1, &entry)? }))))
}

fn add(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let seen = cx.get(&name(call)?)?;
    let before: i64 = seen.as_ref().map(|entry| record::decode(1, entry)).transpose()?.unwrap_or_default();
    let after = before.saturating_add(call.get(&COUNT).unwrap_or(1));
    let write = Write::put(name(call)?, record::encode(1, &after)?).if_unchanged(seen.as_ref());
    Ok(Outcome::done(vec![write]))
}

fn list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(cx.list(&name(call)?, call)?)))
}

fn sound(_: &MountOptions) -> Result<Table<Handler>, Refusal> {
    const TABLE: Table<Handler> = &[LIST, ONE];
    Ok(TABLE)
}

fn run(routes: fn(&MountOptions) -> Result<Table<Handler>, Refusal>) {
    let engine = Box::leak(Box::new(Engine { kind: "counter", help: "Counts.", routes, ..Engine::BASE }));
    let fill = |mount: &Mount| {
        for name in ["B", "a", "c", "b"] {
            mount.post(&format!("counter/{name}"), json!({"count": 2})).status(204);
        }
    };
    Suite { engine, options: &[], fill, lists: &["counter"] }.run();
}

#[test]
fn a_sound_engine_passes() {
    run(sound);
    let engine =
        Box::leak(Box::new(Engine { kind: "counter", help: "Counts.", routes: sound, ..Engine::BASE }));
    let mount = Mount::new(engine, &[]);
    mount.post("counter/A", json!({"count": "2"})).status(204);
    mount.post("counter/a", json!({})).status(204);
    assert_eq!(mount.get("counter/a?x=1").status(200).at("data.count"), 3);
    assert_eq!(mount.get("counter/a?x=1").text(), "Endpoint ignored these unrecognized parameters: [x]");
    mount.post("counter/a", json!({"count": "x"})).status(400);
    mount.post("counter/a/", json!({})).status(400);
    mount.send("PATCH", "counter/a", None, None).status(405);
    mount.get("none").status(404);
}

/// Two writers of one record: the second runs again on what the first has left.
#[test]
fn of_two_writers_one_waits_for_the_other() {
    let engine =
        Box::leak(Box::new(Engine { kind: "counter", help: "Counts.", routes: sound, ..Engine::BASE }));
    let mount = Mount::new(engine, &[]);
    let first = mount.handle("POST", "counter/a", None).unwrap();
    mount.post("counter/a", json!({})).status(204);
    assert!(mount.commit(&first).is_err());
    assert_eq!(mount.get("counter/a").at("data.count"), 1);
}

macro_rules! broken {
    ($($name:ident: $message:literal, $table:expr;)*) => {$(
        #[test]
        #[should_panic(expected = $message)]
        fn $name() {
            run(|_| {
                const TABLE: Table<Handler> = $table;
                Ok(TABLE)
            });
        }
    )*};
}

const ANY: Route<Handler> = Route {
    path: "{name*}",
    params: &[NAME],
    help: "Anything.",
    endpoints: &[Endpoint::read("Read it.", &[], read)],
    ..Route::BASE
};

fn faulty(_: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    Err(Refusal::fault("a bug"))
}

fn moody(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    static CALLS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let calls = CALLS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let _ = cx;
    Ok(Outcome::done(vec![Write::put(name(call)?, record::encode(1, &calls)?)]))
}

fn half(_: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let reply = Reply::Raw { status: 404, content_type: "", body: Vec::new() };
    Ok(Outcome::new(reply, vec![Write::put(name(call)?, record::encode(1, &1)?)]))
}

fn jumbled(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let mut names = cx.list(&name(call)?, call)?;
    names.reverse();
    Ok(Outcome::reply(Reply::keys(names)))
}

broken! {
    a_shadowed_route: "an earlier route answers", &[ANY, ONE];
    a_route_that_is_there_twice: "is there twice", &[LIST, ONE, ONE];
    an_undeclared_parameter: "the parameters of", &[LIST, Route { params: &[], ..ONE }];
    a_route_without_help: "has no help", &[LIST, Route { help: "", ..ONE }];
    an_endpoint_without_summary: "has no summary",
        &[LIST, Route { endpoints: &[Endpoint::read("", &[], read)], ..ONE }];
    a_field_that_is_declared_twice: "declares a field twice",
        &[LIST, Route { endpoints: &[Endpoint::write("Add.", &[COUNT.spec(), COUNT.spec()], add)], ..ONE }];
    a_handler_with_a_fault: "500",
        &[LIST, Route { endpoints: &[Endpoint::write("Add.", FIELDS, faulty)], ..ONE }];
    a_handler_that_remembers: "is not a function of what it is lent",
        &[LIST, Route { endpoints: &[Endpoint::write("Add.", FIELDS, moody)], ..ONE }];
    a_refusal_that_writes: "with 1 writes",
        &[LIST, Route { endpoints: &[Endpoint::write("Add.", FIELDS, half)], ..ONE }];
    a_list_out_of_order: "is not in order",
        &[Route { endpoints: &[Endpoint::list("List.", jumbled)], ..LIST }, ONE];
}
