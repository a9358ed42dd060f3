//! The table of verbs. One file or folder per family: it holds the family's entries of the table and their functions.

mod audit;
mod auth;
pub mod completion;
mod debug;
mod history;
mod kv;
mod lease;
mod logical;
mod login;
mod login_password;
mod monitor;
mod mounts;
mod namespace;
mod operator;
mod path_help;
mod policy;
mod policy_fmt;
mod secrets;
mod status;
mod token;
mod unwrap;
pub mod version;

use crate::args::{Flag, Kind};
use crate::client::FLAGS as HTTP;
use crate::show::{FIELD, FORMAT};
use crate::verb::{First, Table, Verb};

/// Every verb, in the order of the help.
pub static TABLE: Table = Table(&[
    status::VERBS,
    login::VERBS,
    logical::VERBS,
    unwrap::VERBS,
    path_help::VERBS,
    kv::VERBS,
    secrets::VERBS,
    policy::VERBS,
    token::VERBS,
    auth::VERBS,
    lease::VERBS,
    audit::VERBS,
    operator::VERBS,
    operator::raft::VERBS,
    namespace::VERBS,
    debug::VERBS,
    monitor::VERBS,
    completion::VERBS,
    version::VERBS,
    history::VERBS,
]);

/// What an entry of the table does not say.
const BASE: Verb = Verb {
    words: &[],
    about: "",
    takes: "",
    example: "",
    min: 0,
    max: Some(0),
    flags: &[HTTP, FORMAT],
    first: First::Other,
    raw: false,
    run: |_| Ok(0),
};

/// The flags of what lists names.
const PAGE: &[Flag] = &[
    Flag { names: &["after"], kind: Kind::Text, about: "Begin after this name" },
    Flag { names: &["limit"], kind: Kind::Number, about: "At most so many names" },
    DETAILED,
];

/// Asks for more columns.
const DETAILED: Flag =
    Flag { names: &["detailed"], kind: Kind::Bool, about: "Also what the server says about each name" };
