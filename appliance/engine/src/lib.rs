//! The contract between core and the engines: what an engine declares, what it is lent, what it returns.
//!
//! An engine is data and functions: an [`Engine`] names its kind and its static table of [`Route`]s; each
//! route's handler reads through the [`Cx`] it is lent and returns an [`Outcome`]. It never commits, never
//! sees core, never sees another mount. Core, the OpenAPI document, the CLI's help and the tests read the
//! same table.
//!
//! | module | holds |
//! |---|---|
//! | [`route`] | [`Route`], [`Endpoint`], [`Param`]: the table, and which of its routes a path means |
//! | [`handler`] | [`Handler`], [`Outcome`]: how an endpoint runs, and what comes of it |
//! | [`field`] | typed fields of a body or a query: declared once, converted and checked before a handler runs |
//! | [`cx`] | [`Cx`] and [`Call`]: what a handler is lent, what it is asked |
//! | [`auth`] | auth methods: engines whose routes log somebody in, and what the token is to be |
//! | [`lease`] | what is given out for a time: the kinds of an engine's secrets, how each is renewed and taken back |
//! | [`record`] | records as JSON behind one byte of shape |
//! | [`openapi`] | the OpenAPI document, from the tables |
//! | [`surface`] | every operation of the tables, and what decides whether somebody may |
//! | `testing` (feature `testing`) | a mount in memory, and the suite that every engine passes |
//!
//! # An engine in five steps
//!
//! KV version 1 (`appliance/engines/kv/src/v1.rs`) is these steps and nothing else.
//!
//! 1. A folder `appliance/engines/<name>` with a package `strongroom-engine-<name>` that depends on this crate and on
//!    `strongroom-types`. The binary's dependency on the folder makes it a member of the workspace.
//! 2. `pub static ENGINE: Engine`: the kind that `type` of `sys/mounts` names, a sentence of help, and `routes`, which
//!    checks a mount's options and chooses its table.
//! 3. The table: a [`Route`] for each path, literal ones first; for each operation an [`Endpoint`] with its fields. A
//!    path's parameters are canonical when a handler sees them, its fields are converted and checked. Where a write may
//!    create, `exists` tells create from update.
//! 4. The handlers: functions of [`Cx`] and [`Call`] to an [`Outcome`]. They read one snapshot, and return what is to be
//!    written; a write that depends on what was read says so by [`Write::if_unchanged`], and runs again if it no longer
//!    holds. What is given out for a time is asked to be leased ([`lease`]). How records look is drawn in the crate's documentation and pinned by a file in its tests.
//! 5. Tests by requests on `testing::Mount`, `testing::conformance::Suite` over the whole, and
//!    one line in the binary's `registry.rs`, below the dependency that cargo asks for.

pub mod auth;
pub mod cx;
pub mod field;
pub mod handler;
pub mod lease;
pub mod openapi;
pub mod record;
pub mod route;
pub mod surface;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use auth::{Knock, Login, Method, NoLogin, TokenWish};
pub use cx::{Call, Caller, Cx, MountInfo, MountOptions};
pub use field::{Field, FieldSpec, Kind, KvPairs, Seconds};
pub use handler::{Handler, LoginRun, Outcome, Run};
pub use lease::{LeaseHandler, LeaseWish, Leased, Renewal, SecretKind};
pub use route::{Body, Endpoint, Exists, Param, ParamKind, Params, Route, Table};

pub use strongroom_barrier::{Due, Entry, Minute, Name, Reader, Write};
pub use strongroom_types::{Entropy, JsonMap, Operation, Refusal, Reply};

/// An engine: one per kind, shared by all its mounts. It has no state of its own.
pub struct Engine {
    /// What `type` of `sys/mounts` names.
    pub kind: &'static str,
    /// One sentence for `path-help`.
    pub help: &'static str,
    /// Checks the options of a new mount and chooses the mount's routes: at each start and each tune.
    pub routes: fn(&MountOptions) -> Result<&'static [Route<Handler>], Refusal>,
    /// Called when a mount's options change from the first to the second; its writes are committed with the change.
    pub retune: Option<Retune>,
    /// The kinds of secrets that it leases: see [`lease`].
    pub secrets: &'static [SecretKind],
    /// Removes what has expired: see [`Sweep`].
    pub sweep: Option<Sweep>,
}

impl Engine {
    /// An engine without anything; use with struct update syntax.
    pub const BASE: Self =
        Self { kind: "", help: "", routes: |_| Ok(&[]), retune: None, secrets: &[], sweep: None };

    /// The kind of secret with this name.
    pub fn secret(&self, name: &str) -> Option<&'static SecretKind> {
        self.secrets.iter().find(|kind| kind.name == name)
    }
}

/// See [`Engine::retune`].
pub type Retune = fn(&Cx, &MountOptions, &MountOptions) -> Result<Outcome, Refusal>;

/// Removes a slice of what has expired, and is called again until there is nothing: now and then, for each mount. It only
/// tidies up: what has expired is refused at its use.
pub type Sweep = fn(&Cx) -> Result<Vec<Write>, Refusal>;
