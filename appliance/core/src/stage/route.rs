//! Which engine, which of its routes, which endpoint.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;
use strongroom_engine::route::find;
use strongroom_engine::{Endpoint, Handler, Route, Table, openapi};
use strongroom_policy::AclPath;
use strongroom_types::request::{BodySource, Head};
use strongroom_types::{ApiPath, Operation, Received, Refusal, Request};

use super::proof::Proof;
use crate::active::Active;
use crate::mounts::Mount;
use crate::perform::Run;
use crate::{sys, tokens};

/// A request that knows where it goes.
pub struct Routed {
    /// The way to the body.
    pub body: Box<dyn BodySource>,
    /// Who answers.
    pub target: Target,
    /// The values of the path's parameters, canonical.
    pub params: Params,
    /// The path as access lists see it: with a trailing slash on lists.
    pub acl_path: CanonicalPath,
    _proof: Proof,
}

/// Who answers.
pub enum Target {
    /// A mounted engine.
    Engine {
        /// The mount.
        mount: Arc<Mount>,
        /// Its route.
        route: &'static Route<Handler>,
        /// What is asked of it.
        endpoint: &'static Endpoint<Handler>,
    },
    /// Core itself: `sys/` and `auth/token/`.
    System {
        /// Its route.
        route: &'static Route<Run>,
        /// What is asked of it.
        endpoint: &'static Endpoint<Run>,
    },
    /// What is known of the path, for people. Needs a token, and no policy beyond one that shows the mount.
    Help {
        /// The answer.
        body: Box<Value>,
        /// With its trailing slash; empty for core's own paths, which everybody knows.
        mount: String,
    },
    /// Nobody. Said only to those who are allowed to ask: otherwise the answer would tell what is mounted.
    Nowhere(Refusal),
}

/// Finds the target. What does not exist is no error yet.
pub fn route(active: &Active, request: Request<Received>) -> Result<Request<Routed>, Refusal> {
    let head = &request.head;
    let path = head.path.as_str();
    let is_list = matches!(head.operation, Operation::List | Operation::Scan);
    let Located { target, params, path, folded, is_open } = if !head.namespace.is_empty() {
        nowhere(path, no_handler(&format!("{}/{path}", head.namespace)))
    } else if head.path.has_trailing_slash() && !is_list && head.operation != Operation::Help {
        // The access list tells `a/` from `a`: what it allows must not be answered with the other one.
        nowhere(path, Refusal::not_found())
    } else {
        locate(active, path, head.operation)
    };
    if let (Target::Nowhere(refusal), true) = (&target, is_open) {
        // Whoever has no token may ask there, and is told how not to.
        return Err(refusal.clone());
    }
    let text = if is_list || head.path.has_trailing_slash() { format!("{path}/") } else { path.into_owned() };
    let acl_path = CanonicalPath { text, folded };
    Ok(request.advance(|received| Routed {
        body: received.body,
        target,
        params,
        acl_path,
        _proof: Proof::checked(),
    }))
}

/// What is wrong with a path whatever it leads to, and whoever asks. Said to whoever has no token at once, to others when
/// it is known what the answer costs them.
pub fn misspelt(head: &Head) -> Option<Refusal> {
    if head.path.has_encoded_slash() {
        return Some(Refusal::bad_request("an encoded slash is not allowed in this path"));
    }
    let writes = head.path.has_trailing_slash() && head.operation.is_write();
    writes.then(|| Refusal::bad_request("cannot write to a path ending in '/'"))
}

/// `path` as access lists see it when it is asked for: with its parameters as its route has them.
pub fn acl_path(active: &Active, path: &ApiPath) -> CanonicalPath {
    let Located { path: canonical, folded, .. } = locate(active, path.as_str(), Operation::Read);
    let mut text = canonical.into_owned();
    if path.has_trailing_slash() {
        text.push('/');
    }
    CanonicalPath { text, folded }
}

/// `path`, the whole of one or its beginning, which may end in a `*`, with its parameters as its route has them.
pub fn canonical_beginning(active: &Active, path: &str) -> String {
    fn along<H>(tables: &[Table<H>], path: &str) -> Option<String> {
        tables.iter().flat_map(|table| table.iter()).find_map(|route| route.canonical_beginning(path))
    }
    let mounts = active.mounts.load();
    let found = match own_tables(path) {
        Some((_, tables, rest)) => Some((rest, along(tables, rest))),
        None => mounts.find(path).map(|(mount, rest)| (rest, along(&[mount.routes], rest))),
    };
    let canonical = found.and_then(|(rest, along)| Some(format!("{}{}", path.strip_suffix(rest)?, along?)));
    canonical.unwrap_or_else(|| path.to_owned())
}

/// A path as access lists see it, kept with the request.
#[derive(Clone)]
pub struct CanonicalPath {
    text: String,
    folded: Vec<usize>,
}

impl CanonicalPath {
    /// What access lists are asked.
    pub fn asked(&self) -> AclPath<'_> {
        AclPath { text: &self.text, folded: &self.folded }
    }

    /// Without the slash at its end.
    pub fn bare(&self) -> &str {
        self.text.trim_end_matches('/')
    }
}

type Params = Vec<(&'static str, String)>;

struct Located<'p> {
    target: Target,
    params: Params,
    /// The path with its parameters in their canonical form.
    path: Cow<'p, str>,
    /// Which segments of it are parameters that are the same in any case.
    folded: Vec<usize>,
    /// Whether the path's route needs no token.
    is_open: bool,
}

fn locate<'p>(active: &Active, path: &'p str, operation: Operation) -> Located<'p> {
    if operation == Operation::Help
        && let Some(target) = help_of_root(active, path)
    {
        return Located { target, is_open: false, ..nowhere(path, Refusal::not_found()) };
    }
    if let Some((prefix, tables, rest)) = own_tables(path) {
        let Some((route, params)) = tables.iter().find_map(|table| find(table, rest)) else {
            return nowhere(path, unsupported_path());
        };
        let (path, folded) = canonical(path, rest, route, &params);
        let target = match route.endpoint(operation) {
            None if operation == Operation::Help => help(active, prefix, "", route),
            None => Target::Nowhere(Refusal::unsupported()),
            Some(endpoint) => Target::System { route, endpoint },
        };
        return Located { target, params, path, folded, is_open: route.unauthenticated };
    }
    let mounts = active.mounts.load();
    let Some((mount, rest)) = mounts.find(path) else { return nowhere(path, no_handler(path)) };
    let Some((route, params)) = find(mount.routes, rest) else { return nowhere(path, unsupported_path()) };
    let (path, folded) = canonical(path, rest, route, &params);
    let target = match route.endpoint(operation) {
        None if operation == Operation::Help => {
            let at = &mount.record.path;
            help(active, at.trim_end_matches('/'), at, route)
        }
        None => Target::Nowhere(Refusal::unsupported()),
        Some(endpoint) => Target::Engine { mount: mount.clone(), route, endpoint },
    };
    Located { target, params, path, folded, is_open: route.unauthenticated }
}

/// `path`, of which `route` has matched `rest`, in its one canonical form, and which segments were made so.
fn canonical<'p, H>(
    path: &'p str,
    rest: &'p str,
    route: &Route<H>,
    params: &Params,
) -> (Cow<'p, str>, Vec<usize>) {
    match (route.canonical(rest, params), path.strip_suffix(rest)) {
        (Cow::Owned(rest), Some(prefix)) => {
            let before = prefix.matches('/').count();
            let folded = route.folded(params).into_iter().map(|at| before + at).collect();
            (Cow::Owned(format!("{prefix}{rest}")), folded)
        }
        _ => (Cow::Borrowed(path), Vec::new()),
    }
}

/// Core's own tables for `path`: their prefix, and what follows it.
fn own_tables(path: &str) -> Option<(&'static str, &'static [Table<Run>], &str)> {
    let below = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix('/');
    below("sys")
        .map(|rest| ("sys", sys::TABLES, rest))
        .or_else(|| below("auth/token").map(|rest| ("auth/token", tokens::routes::TABLES, rest)))
}

fn help<H>(active: &Active, prefix: &str, mount: &str, route: &'static Route<H>) -> Target {
    let body = openapi::help(prefix, "Strongroom", &active.settings.version, route);
    Target::Help { body: Box::new(body), mount: mount.to_owned() }
}

/// What is known of all that is mounted at `path`.
fn help_of_root(active: &Active, path: &str) -> Option<Target> {
    const SYSTEM: &str = "The system backend: the seal, mounts, policies, and what else the server is told.";
    const TOKENS: &str = "The token backend: making, looking up, renewing and revoking tokens.";
    let version = &active.settings.version;
    let (body, mount) = match path {
        "sys" => (openapi::help_of_root(path, "Strongroom", version, SYSTEM, sys::TABLES), ""),
        "auth/token" => {
            (openapi::help_of_root(path, "Strongroom", version, TOKENS, tokens::routes::TABLES), "")
        }
        _ => {
            let mounts = active.mounts.load();
            let mount = mounts.at(&format!("{path}/"))?;
            let body = openapi::help_of_root(path, "Strongroom", version, mount.engine.help, &[mount.routes]);
            return Some(Target::Help { body: Box::new(body), mount: mount.record.path.clone() });
        }
    };
    Some(Target::Help { body: Box::new(body), mount: mount.to_owned() })
}

fn unsupported_path() -> Refusal {
    Refusal::new(strongroom_types::error::Kind::NotFound, "1 error occurred:\n\t* unsupported path\n\n")
}

fn nowhere(path: &str, refusal: Refusal) -> Located<'_> {
    Located {
        target: Target::Nowhere(refusal),
        params: Vec::new(),
        path: Cow::Borrowed(path),
        folded: Vec::new(),
        is_open: false,
    }
}

fn no_handler(path: &str) -> Refusal {
    let text = format!("no handler for route \"{path}\". route entry not found.");
    Refusal::new(strongroom_types::error::Kind::NotFound, text)
}

impl Target {
    /// Whether a token is not needed.
    pub fn unauthenticated(&self) -> bool {
        match self {
            Self::Engine { route, .. } => route.unauthenticated,
            Self::System { route, .. } => route.unauthenticated,
            Self::Help { .. } | Self::Nowhere(_) => false,
        }
    }

    /// Whether the capability `sudo` is needed as well.
    pub fn sudo(&self) -> bool {
        match self {
            Self::Engine { route, .. } => route.sudo,
            Self::System { route, .. } => route.sudo,
            Self::Help { .. } | Self::Nowhere(_) => false,
        }
    }
}
