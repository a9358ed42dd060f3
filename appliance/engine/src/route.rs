//! Static route tables: an engine's or `sys/`'s whole surface, as data.

use std::borrow::Cow;

use strongroom_types::{JsonMap, Operation, Refusal, Reply};

use crate::{Call, Cx, FieldSpec};

/// One path of a mount and what can be done there. `H` is how its endpoints run: [`Handler`](crate::Handler) for engines; core
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
    /// What stands in for a token where none is needed, in a few words. A login says nothing: its proof does.
    pub instead: &'static str,
    /// Whether the capability `sudo` is needed beside the operation's own.
    pub sudo: bool,
    /// Whether something is there: tells create from update. Without it every write is an update.
    pub exists: Option<Exists>,
    /// Whether something is changed here and answered in a form of its own, which cannot be wrapped: who wishes that is
    /// refused before anything happens.
    pub own_form: bool,
    /// What can be done.
    pub endpoints: &'static [Endpoint<H>],
}

/// Whether something is there already.
pub type Exists = fn(&Cx, &Call) -> Result<bool, Refusal>;

/// The values of a path's parameters, canonical, in order.
pub type Params = Vec<(&'static str, String)>;

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

impl ParamKind {
    /// `raw` as everybody sees it.
    pub fn canonical(self, raw: &str) -> String {
        match self {
            Self::Exact => raw.to_owned(),
            Self::Folded => raw.to_lowercase(),
        }
    }
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

impl<H> Route<H> {
    /// A route with nothing special; use with struct update syntax.
    pub const BASE: Self = Self {
        path: "",
        params: &[],
        help: "",
        unauthenticated: false,
        instead: "",
        sudo: false,
        exists: None,
        own_form: false,
        endpoints: &[],
    };

    /// The endpoint for `operation`: a create is served by update.
    pub fn endpoint(&self, operation: Operation) -> Option<&Endpoint<H>> {
        let wanted = if operation == Operation::Create { Operation::Update } else { operation };
        self.endpoints.iter().find(|e| e.operation == wanted)
    }

    /// The values of the path's parameters if `path` (canonical, without leading or trailing slash) matches.
    pub fn matches(&self, path: &str) -> Option<Params> {
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

    /// `path`, which this route matched with `params`, with each parameter in its canonical form: what access lists are asked
    /// about. With the text as it came, `deny` on `roles/admin` would not hold for `roles/ADMIN` (CVE-2026-89322).
    pub fn canonical<'p>(&self, path: &'p str, params: &Params) -> Cow<'p, str> {
        if self.params.iter().all(|param| param.kind == ParamKind::Exact) {
            return Cow::Borrowed(path);
        }
        let mut values = params.iter().map(|(_, value)| value.as_str());
        let parts =
            self.path.split('/').map(|part| if part.starts_with('{') { values.next() } else { Some(part) });
        Cow::Owned(parts.flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))
    }

    /// Which segments of [`Route::canonical`]'s path are parameters in lower case, counted from 0: a policy may write
    /// them in any.
    pub fn folded(&self, params: &Params) -> Vec<usize> {
        let mut folded = Vec::new();
        if self.params.iter().all(|param| param.kind == ParamKind::Exact) {
            return folded;
        }
        let (mut values, mut at) = (params.iter(), 0);
        for part in self.path.split('/') {
            let value = part.starts_with('{').then(|| values.next()).flatten();
            let count =
                value.map_or(1, |(_, value)| value.split('/').filter(|part| !part.is_empty()).count());
            if value.is_some_and(|(name, _)| self.kind_of(name) == ParamKind::Folded) {
                folded.extend(at..at + count);
            }
            at += count;
        }
        folded
    }

    /// `path` with each parameter in its canonical form, if it goes the way of this route: it may end before the route does,
    /// and in a `*` that stands for anything.
    pub fn canonical_beginning(&self, path: &str) -> Option<String> {
        let (text, star) = path.strip_suffix('*').map_or((path, ""), |text| (text, "*"));
        let (mut rest, mut parts) = (Some(text), self.path.split('/'));
        let mut canonical: Vec<String> = Vec::new();
        while let Some(left) = rest {
            let part = parts.next()?;
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            if let Some(name) =
                name.and_then(|name| name.strip_suffix("*?").or_else(|| name.strip_suffix('*')))
            {
                canonical.push(self.kind_of(name).canonical(left));
                break;
            }
            let (segment, after) =
                left.split_once('/').map_or((left, None), |(segment, after)| (segment, Some(after)));
            let goes_on = after.is_none() && !star.is_empty();
            match name {
                Some(name) => canonical.push(self.kind_of(name).canonical(segment)),
                None if segment == part || goes_on && part.starts_with(segment) => {
                    canonical.push(segment.into())
                }
                None => return None,
            }
            rest = after;
        }
        Some(canonical.join("/") + star)
    }

    /// `reply` with the warnings that `given` (the body's keys; on reads, the query's) deserves: keys that no endpoint
    /// of this route declares, and keys that the path has already given. Only an answer with a body can carry them;
    /// a 204 stays one. Core calls this once, after the handler.
    pub fn warn_about(&self, given: &JsonMap, reply: Reply) -> Reply {
        let mut declared = self.endpoints.iter().flat_map(|endpoint| endpoint.fields);
        if !matches!(reply, Reply::Logical(_)) || given.is_empty() || declared.any(FieldSpec::is_rest) {
            return reply;
        }
        let in_path = |key: &str| self.params.iter().any(|param| param.name == key);
        let is_known = |key: &str| {
            let fields = self.endpoints.iter().flat_map(|endpoint| endpoint.fields);
            in_path(key) || fields.into_iter().any(|field| field.name == key)
        };
        let keys = |wanted: &dyn Fn(&str) -> bool| {
            given.keys().map(String::as_str).filter(|key| wanted(key)).collect::<Vec<_>>().join(" ")
        };
        let warn = |reply: Reply, text: &str, keys: String| {
            if keys.is_empty() { reply } else { reply.with_warning(format!("{text}: [{keys}]")) }
        };
        let reply = warn(reply, UNRECOGNIZED, keys(&|key| !is_known(key)));
        warn(reply, REPLACED, keys(&|key| in_path(key)))
    }

    fn value(&self, name: &'static str, raw: &str) -> (&'static str, String) {
        (name, self.kind_of(name).canonical(raw))
    }

    fn kind_of(&self, name: &str) -> ParamKind {
        self.params.iter().find(|p| p.name == name).map_or(ParamKind::Exact, |p| p.kind)
    }
}

const UNRECOGNIZED: &str = "Endpoint ignored these unrecognized parameters";
const REPLACED: &str = "Endpoint replaced the value of these parameters with the values captured from the \
                        endpoint's path";

/// The route of `table` for `path`, and its parameters. Earlier routes win: literal ones stand first.
pub fn find<'t, H>(table: &'t [Route<H>], path: &str) -> Option<(&'t Route<H>, Params)> {
    table.iter().find_map(|route| Some((route, route.matches(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PATH: Param = Param { name: "path", help: "", kind: ParamKind::Exact };
    const NAME: Param = Param { name: "name", help: "", kind: ParamKind::Folded };

    const KNOWN: crate::Field<i64> = crate::Field::new("known", "");
    const WRITE: Endpoint<()> = Endpoint {
        operation: Operation::Update,
        summary: "",
        fields: &[KNOWN.spec()],
        body: Body::Json,
        run: (),
    };
    const ANY: Endpoint<()> = Endpoint { fields: &[FieldSpec::REST], ..WRITE };

    fn warnings(
        endpoints: &'static [Endpoint<()>],
        given: serde_json::Value,
        reply: Reply,
    ) -> Option<Vec<String>> {
        let route = Route { endpoints, ..route("data/{path*}") };
        match route.warn_about(given.as_object().unwrap(), reply) {
            Reply::Logical(logical) => Some(logical.warnings),
            _ => None,
        }
    }

    #[test]
    fn keys_that_do_nothing_are_warned_about() {
        let reply = || Reply::data(json!({}));
        let given = || json!({"b": 1, "a": 1, "known": 1, "path": "x"});
        assert_eq!(
            warnings(&[WRITE], given(), reply()).unwrap(),
            [
                "Endpoint ignored these unrecognized parameters: [a b]",
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [path]",
            ]
        );
        assert!(warnings(&[WRITE], json!({"known": 1}), reply()).unwrap().is_empty());
        assert!(warnings(&[WRITE, ANY], given(), reply()).unwrap().is_empty());
        assert_eq!(warnings(&[WRITE], given(), Reply::Empty), None);
    }

    fn route(path: &'static str) -> Route<()> {
        Route { path, params: &[PATH, NAME], ..Route::BASE }
    }

    #[test]
    fn cve_2026_89322_access_lists_see_the_canonical_path() {
        let canonical = |pattern, path: &str| {
            let route = route(pattern);
            let params = route.matches(path).unwrap();
            route.canonical(path, &params).into_owned()
        };
        assert_eq!(canonical("roles/{name}", "roles/AdMin"), "roles/admin");
        assert_eq!(canonical("roles/{name}/id", "roles/ADMIN/id"), "roles/admin/id");
        assert_eq!(canonical("roles/{name}/{path*}", "roles/ADMIN/A/b"), "roles/admin/A/b");
        assert_eq!(canonical("roles/{name}/{path*}/tune", "roles/A/B/c/tune"), "roles/a/B/c/tune");
        assert_eq!(canonical("roles/{name}/{path*?}", "roles/A"), "roles/a");
    }

    #[test]
    fn the_beginning_of_a_path_is_canonical_too() {
        let canonical = |pattern, path: &str| route(pattern).canonical_beginning(path);
        for (pattern, path, wanted) in [
            ("roles/{name}/id", "roles/AdMin/id", "roles/admin/id"),
            ("roles/{name}/id", "roles/AdMin", "roles/admin"),
            ("roles/{name}/id", "roles/Ad*", "roles/ad*"),
            ("roles/{name}/id", "roles/AdMin/*", "roles/admin/*"),
            ("roles/{name}/id", "roles/AdMin/i*", "roles/admin/i*"),
            ("roles/{name}/id", "ro*", "ro*"),
            ("roles/{name}/{path*}", "roles/A/B/C*", "roles/a/B/C*"),
            ("data/{path*}", "data/A/*", "data/A/*"),
        ] {
            assert_eq!(canonical(pattern, path).as_deref(), Some(wanted), "{path}");
        }
        for path in ["Roles/a", "roles/a/ID", "roles/a/x*", "roles/a/id/b", "other"] {
            assert_eq!(canonical("roles/{name}/id", path), None, "{path}");
        }
    }

    #[test]
    fn cve_2026_89322_access_lists_know_which_names_are_the_same_in_any_case() {
        let folded = |pattern, path: &str| {
            let route = route(pattern);
            route.folded(&route.matches(path).unwrap())
        };
        assert_eq!(folded("roles/{name}", "roles/AdMin"), [1]);
        assert_eq!(folded("roles/{name}/id", "roles/ADMIN/id"), [1]);
        assert_eq!(folded("{name*}/tune", "A/b/tune"), [0, 1]);
        assert_eq!(folded("roles/{path*?}", "roles"), [0; 0]);
        assert_eq!(folded("data/{path*}", "data/A"), [0; 0]);
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
        assert_eq!(
            route("mounts/{path*}/tune").matches("mounts/a/b/tune"),
            Some(vec![("path", "a/b".into())])
        );
        assert_eq!(route("mounts/{path*}/tune").matches("mounts/tune"), None);
        assert_eq!(route("mounts/{path*}/tune").matches("mounts/a/b"), None);
        assert_eq!(route("config").matches("config"), Some(vec![]));
        assert_eq!(route("").matches(""), Some(vec![]));
        assert_eq!(route("").matches("x"), None);
    }
}
