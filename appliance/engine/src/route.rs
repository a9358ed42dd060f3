//! Static route tables: an engine's or `sys/`'s whole surface, as data.

use strongroom_types::{BoxFuture, Operation, Refusal, Reply};

use crate::{Call, Cx, FieldSpec, Write};

/// One path of a mount and what can be done there. `H` is how its endpoints run: [`Handler`] for engines; core
/// has one of its own for `sys/`.
pub struct Route<H: 'static> {
    /// The path below the mount: segments are literal, `{name}` (exactly one segment) or, last, `{name*}` (one
    /// segment or more; literal segments may follow); `{name*?}` may also match nothing. Examples: `data/{path*}`,
    /// `mounts/{path*}/tune`.
    pub path: &'static str,
    /// The path's parameters, in order.
    pub params: &'static [Param],
    /// For people: what is behind the path.
    pub help: &'static str,
    /// Whether a token is not needed.
    pub unauthenticated: bool,
    /// Whether the capability `sudo` is needed beside the operation's own.
    pub sudo: bool,
    /// Whether something is there: tells create from update. Without it every write is an update.
    pub exists: Option<fn(&Cx, &Call) -> Result<bool, Refusal>>,
    /// What can be done.
    pub endpoints: &'static [Endpoint<H>],
}

/// A route table.
pub type Table<H> = &'static [Route<H>];

/// A parameter of a path.
pub struct Param {
    /// As in the path.
    pub name: &'static str,
    /// For people.
    pub help: &'static str,
    /// How its name is made canonical.
    pub kind: ParamKind,
}

/// How a path parameter is made canonical, once, before anyone sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// As it came.
    Exact,
    /// In lower case.
    Folded,
}

/// One operation on a route.
pub struct Endpoint<H: 'static> {
    /// Which. `Update` also serves `Create`.
    pub operation: Operation,
    /// For people, one line.
    pub summary: &'static str,
    /// What the body (or, on reads, the query) may hold.
    pub fields: &'static [FieldSpec],
    /// What kind of body.
    pub body: Body,
    /// How it runs.
    pub run: H,
}

/// What an endpoint expects as its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Ignored, not read.
    None,
    /// A JSON object, whose declared fields are converted and checked; at most the listener's limit.
    Json,
    /// The same, as a merge patch (RFC 7396): the content type must say so.
    MergePatch,
}

/// Where a handler runs.
#[derive(Clone, Copy)]
pub enum Handler {
    /// On the request's own task: point reads and small writes, microseconds.
    Inline(fn(&Cx, &Call) -> Result<Outcome, Refusal>),
    /// On the blocking pool: scans, long lists.
    Blocking(fn(&Cx, &Call) -> Result<Outcome, Refusal>),
    /// Waits for something: a device, the network.
    Async(for<'a> fn(&'a Cx, &'a Call) -> BoxFuture<'a, Result<Outcome, Refusal>>),
}

/// What a handler wants done. The pipeline commits `writes`, and what core adds, in one batch, and only then
/// sends the reply; on a conflict the handler runs again on a newer snapshot.
pub struct Outcome {
    /// The answer.
    pub reply: Reply,
    /// Changes to this mount's records.
    pub writes: Vec<Write>,
}

impl Outcome {
    /// An answer that changes nothing.
    pub fn reply(reply: Reply) -> Self {
        Self { reply, writes: Vec::new() }
    }

    /// 204 after `writes`.
    pub fn done(writes: Vec<Write>) -> Self {
        Self { reply: Reply::Empty, writes }
    }
}

impl<H> Route<H> {
    /// A route with nothing special; use with struct update syntax.
    pub const BASE: Self = Self {
        path: "",
        params: &[],
        help: "",
        unauthenticated: false,
        sudo: false,
        exists: None,
        endpoints: &[],
    };

    /// The endpoint for `operation`: a create is served by update.
    pub fn endpoint(&self, operation: Operation) -> Option<&Endpoint<H>> {
        let wanted = if operation == Operation::Create { Operation::Update } else { operation };
        self.endpoints.iter().find(|e| e.operation == wanted)
    }

    /// The values of the path's parameters if `path` (canonical, without leading or trailing slash) matches.
    pub fn matches(&self, path: &str) -> Option<Vec<(&'static str, String)>> {
        let mut values = Vec::new();
        let mut rest = path;
        let mut pattern = self.path;
        while !pattern.is_empty() {
            let (part, following) = pattern.split_once('/').unwrap_or((pattern, ""));
            pattern = following;
            if let Some(name) = part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                if let Some(name) = name.strip_suffix("*?") {
                    values.push(self.value(name, std::mem::take(&mut rest)));
                    continue;
                }
                if let Some(name) = name.strip_suffix('*') {
                    let value = match following {
                        "" => rest,
                        literal => rest.strip_suffix(literal)?.strip_suffix('/')?,
                    };
                    if value.is_empty() {
                        return None;
                    }
                    values.push(self.value(name, value));
                    return Some(values);
                }
                let (value, after) = rest.split_once('/').unwrap_or((rest, ""));
                if value.is_empty() {
                    return None;
                }
                values.push(self.value(name, value));
                rest = after;
            } else {
                let (segment, after) = rest.split_once('/').unwrap_or((rest, ""));
                if segment != part {
                    return None;
                }
                rest = after;
            }
        }
        rest.is_empty().then_some(values)
    }

    fn value(&self, name: &'static str, raw: &str) -> (&'static str, String) {
        let kind = self.params.iter().find(|p| p.name == name).map_or(ParamKind::Exact, |p| p.kind);
        match kind {
            ParamKind::Exact => (name, raw.to_owned()),
            ParamKind::Folded => (name, raw.to_lowercase()),
        }
    }
}

/// The route of `table` for `path`, and its parameters. Earlier routes win: literal ones stand first.
pub fn find<'t, H>(table: &'t [Route<H>], path: &str) -> Option<(&'t Route<H>, Vec<(&'static str, String)>)> {
    table.iter().find_map(|route| Some((route, route.matches(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: Param = Param { name: "path", help: "", kind: ParamKind::Exact };
    const NAME: Param = Param { name: "name", help: "", kind: ParamKind::Folded };

    fn route(path: &'static str) -> Route<()> {
        Route { path, params: &[PATH, NAME], ..Route::BASE }
    }

    #[test]
    fn paths_match_by_segment() {
        assert_eq!(route("data/{path*}").matches("data/a/b"), Some(vec![("path", "a/b".into())]));
        assert_eq!(route("data/{path*}").matches("data"), None);
        assert_eq!(route("data/{path*}").matches("database/a"), None);
        assert_eq!(route("metadata/{path*?}").matches("metadata"), Some(vec![("path", String::new())]));
        assert_eq!(route("roles/{name}").matches("roles/AdMin"), Some(vec![("name", "admin".into())]));
        assert_eq!(route("roles/{name}").matches("roles/a/b"), None);
        assert_eq!(route("roles/{name}/id").matches("roles/a/id"), Some(vec![("name", "a".into())]));
        assert_eq!(route("mounts/{path*}/tune").matches("mounts/a/b/tune"), Some(vec![("path", "a/b".into())]));
        assert_eq!(route("mounts/{path*}/tune").matches("mounts/tune"), None);
        assert_eq!(route("mounts/{path*}/tune").matches("mounts/a/b"), None);
        assert_eq!(route("config").matches("config"), Some(vec![]));
        assert_eq!(route("").matches(""), Some(vec![]));
        assert_eq!(route("").matches("x"), None);
    }
}
