//! `sys/`: the system's own paths, one file per group. Each declares its routes as an engine does.

mod audit;
mod auth;
mod capabilities;
mod clock;
mod cors;
mod counters;
mod endpoint;
mod generate_root;
mod headers;
mod host;
mod internal;
mod kept_shares;
mod locked_users;
pub mod loggers;
pub mod metrics;
pub mod monitor;
mod mounts;
mod node;
mod password_policies;
mod plugins;
mod policies;
mod quotas;
mod rekey;
pub mod remount;
pub mod rotate;
mod seal;
mod state;
mod tools;
mod tune;

use serde_json::{Value, json};
use strongroom_engine::{Param, ParamKind, Table};
use strongroom_types::error::Kind;
use strongroom_types::{Refusal, Reply};

use crate::perform::Run;

/// All routes below `sys/`; earlier ones win.
pub const TABLES: &[Table<Run>] = &[
    tune::ROUTES,
    mounts::ROUTES,
    remount::ROUTES,
    auth::ROUTES,
    policies::ROUTES,
    password_policies::ROUTES,
    capabilities::ROUTES,
    internal::ROUTES,
    locked_users::ROUTES,
    audit::ROUTES,
    seal::ROUTES,
    clock::ROUTES,
    cors::ROUTES,
    headers::ROUTES,
    loggers::ROUTES,
    monitor::ROUTES,
    quotas::ROUTES,
    quotas::rate_limit::ROUTES,
    quotas::lease_count::ROUTES,
    plugins::ROUTES,
    state::ROUTES,
    counters::ROUTES,
    host::ROUTES,
    metrics::ROUTES,
    rotate::ROUTES,
    rekey::ROUTES,
    kept_shares::ROUTES,
    generate_root::ROUTES,
    tools::ROUTES,
    node::ROUTES,
    crate::wrapping::routes::ROUTES,
    crate::leases::routes::ROUTES,
];

/// The path of a mount.
const PATH: Param = Param { name: "path", help: "The path of the mount.", kind: ParamKind::Exact };
/// The name of something whose names are in lower case.
const NAME: Param =
    Param { name: "name", help: "The name; upper case is taken as lower case.", kind: ParamKind::Folded };

/// An answer whose data stands at the top level as well.
fn at_top(data: Value) -> Reply {
    Reply::data_at_top(data)
}

/// 400 in the form that clients of old servers see for errors inside.
fn one_error(text: &str) -> Refusal {
    Refusal::new(Kind::BadRequest, format!("1 error occurred:\n\t* {text}\n\n"))
}

/// `{"keys": …, other: …}` for lists that old clients read under another name.
fn names(names: &[String], other: &str) -> Value {
    json!({ "keys": names, other: names })
}
