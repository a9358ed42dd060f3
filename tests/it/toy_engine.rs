//! The engine of ARCHITECTURE.md's "How to add an engine", as it stands there: it compiles, and passes the suite of every
//! engine.

use serde_json::json;
use strongroom_engine::testing::Mount;
use strongroom_engine::testing::conformance::Suite;
use strongroom_engine::{
    Call, Cx, Endpoint, Engine, Handler, Outcome, Param, ParamKind, Refusal, Reply, Route, Table, Write,
    record,
};
use strongroom_tests::repository;

/// Counts how often each name was asked for.
pub static ENGINE: Engine =
    Engine { kind: "counter", help: "Counts.", routes: |_| Ok(ROUTES), ..Engine::BASE };

const NAME: Param = Param { name: "name", help: "What is counted.", kind: ParamKind::Folded };

const ROUTES: Table<Handler> = &[Route {
    path: "count/{name}",
    params: &[NAME],
    help: "A counter.",
    endpoints: &[Endpoint::write("Count one more.", &[], count)],
    ..Route::BASE
}];

fn count(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let name = record::name("count", call.param("name"))?;
    let seen = cx.get(&name)?;
    let next: u64 = seen.as_ref().map_or(Ok(0), |entry| record::decode(1, entry))? + 1;
    let write = Write::put(name, record::encode(1, &next)?).if_unchanged(seen.as_ref());
    Ok(Outcome::new(Reply::data(json!({ "count": next })), vec![write]))
}

#[test]
fn it_counts_and_passes_the_suite_of_every_engine() {
    let mount = Mount::new(&ENGINE, &[]);
    assert_eq!(mount.post("count/Visits", json!({})).status(200).at("data.count"), 1);
    assert_eq!(mount.post("count/visits", json!({})).status(200).at("data.count"), 2);
    mount.get("count/visits").status(405);
    let fill = |mount: &Mount| _ = mount.post("count/a", json!({})).status(200);
    Suite { engine: &ENGINE, options: &[], fill, lists: &[] }.run();
}

#[test]
fn it_is_the_one_that_the_documentation_shows() {
    let page = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let shown = page.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    let here = include_str!("toy_engine.rs");
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        assert!(here.contains(line), "not here: {line}");
    }
}
