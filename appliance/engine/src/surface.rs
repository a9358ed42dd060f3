//! What can be asked, route by route and operation by operation, and what decides whether it may be: for
//! `strongroom routes`, and for tests that go over everything there is.

use strongroom_types::Operation;

use crate::{Body, Endpoint, FieldSpec, Handler, Param, Route};

/// One operation on one route.
#[derive(Clone)]
pub struct Entry {
    /// Where its table is served, without slashes at its ends: `sys`, `auth/token`.
    pub prefix: String,
    /// Below the prefix, as in the table: `data/{path*}`.
    pub path: &'static str,
    /// The path's parameters.
    pub params: &'static [Param],
    /// What is asked.
    pub operation: Operation,
    /// For people, one line.
    pub summary: &'static str,
    /// What the body, or the query, may hold.
    pub fields: &'static [FieldSpec],
    /// What kind of body.
    pub body: Body,
    /// Whether a write that makes something is told from one that changes it.
    pub tells_create: bool,
    /// What decides.
    pub rule: Rule,
}

/// What decides whether somebody may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The access list of the token: the operation's capability on the path.
    AccessList,
    /// The same, and the capability `sudo`.
    Sudo,
    /// No token is needed; these words say what stands in for it.
    Instead(&'static str),
    /// No token is needed, and the table says of nothing that it stands in for it.
    Missing,
}

/// What a login is asked for instead of a token.
const LOGIN: &str = "what is sent proves who asks";

impl Rule {
    /// Whether a token is not needed.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Instead(_) | Self::Missing)
    }

    fn of<H>(route: &Route<H>, is_login: bool) -> Self {
        match (route.unauthenticated, route.sudo) {
            (false, true) => Self::Sudo,
            (false, false) => Self::AccessList,
            (true, _) if is_login => Self::Instead(LOGIN),
            (true, _) if route.instead.is_empty() => Self::Missing,
            (true, _) => Self::Instead(route.instead),
        }
    }
}

impl Entry {
    /// `/sys/mounts/{path}`.
    pub fn shown_path(&self) -> String {
        format!("/{}/{}", self.prefix, self.path.replace("*?}", "}").replace("*}", "}"))
    }

    /// As clients send it.
    pub fn method(&self) -> &'static str {
        match self.operation {
            Operation::Read | Operation::Help => "GET",
            Operation::List => "LIST",
            Operation::Scan => "SCAN",
            Operation::Create | Operation::Update => "POST",
            Operation::Patch => "PATCH",
            Operation::Delete => "DELETE",
            Operation::Head => "HEAD",
        }
    }
}

/// The entries of one of core's own tables, none of which logs anybody in.
pub fn of_core<H>(prefix: &str, table: &'static [Route<H>]) -> Vec<Entry> {
    entries(prefix, table, |_| false)
}

/// The entries of an engine's or an auth method's table.
pub fn of_engine(prefix: &str, table: &'static [Route<Handler>]) -> Vec<Entry> {
    entries(prefix, table, |run| matches!(run, Handler::Login(_) | Handler::SlowLogin(_)))
}

fn entries<H>(prefix: &str, table: &'static [Route<H>], is_login: fn(&H) -> bool) -> Vec<Entry> {
    let of_endpoint = |route: &'static Route<H>, endpoint: &'static Endpoint<H>| Entry {
        prefix: prefix.to_owned(),
        path: route.path,
        params: route.params,
        operation: endpoint.operation,
        summary: endpoint.summary,
        fields: endpoint.fields,
        body: endpoint.body,
        tells_create: route.exists.is_some(),
        rule: Rule::of(route, is_login(&endpoint.run)),
    };
    table
        .iter()
        .flat_map(|route| route.endpoints.iter().map(move |endpoint| of_endpoint(route, endpoint)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Login, NoLogin, Refusal};

    const fn route(unauthenticated: bool, sudo: bool, instead: &'static str) -> Route<Handler> {
        const LOG_IN: Endpoint<Handler> =
            Endpoint::login("", &[], |_, _| -> Result<Login, NoLogin> { Err(Refusal::denied().into()) });
        const READ: Endpoint<Handler> = Endpoint::read("", &[], |_, _| Err(Refusal::denied()));
        Route { path: "a/{b*?}", unauthenticated, sudo, instead, endpoints: &[LOG_IN, READ], ..Route::BASE }
    }

    const TABLE: &[Route<Handler>] =
        &[route(false, false, ""), route(false, true, ""), route(true, false, ""), route(true, false, "why")];

    #[test]
    fn what_is_open_says_why_or_is_seen_to_say_nothing() {
        let entries = of_engine("auth/x", TABLE);
        let rules: Vec<Rule> = entries.iter().map(|entry| entry.rule).collect();
        assert_eq!(
            rules,
            [
                Rule::AccessList,
                Rule::AccessList,
                Rule::Sudo,
                Rule::Sudo,
                Rule::Instead(LOGIN),
                Rule::Missing,
                Rule::Instead(LOGIN),
                Rule::Instead("why"),
            ]
        );
        assert_eq!(entries[0].shown_path(), "/auth/x/a/{b}");
        assert_eq!((entries[0].method(), entries[1].method()), ("POST", "GET"));
        assert!(!rules[0].is_open() && !rules[2].is_open() && rules[4].is_open() && rules[5].is_open());
        // Core's own tables log nobody in.
        assert!(of_core("sys", TABLE).iter().skip(4).take(2).all(|entry| entry.rule == Rule::Missing));
    }
}
