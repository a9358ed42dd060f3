//! What every engine must pass.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use strongroom_types::Operation;

use super::{Answer, Mount};
use crate::route::find;
use crate::{Body, Endpoint, Engine, FieldSpec, Handler, Kind, Param, Route};

/// What of an engine is to be checked.
pub struct Suite {
    /// The engine.
    pub engine: &'static Engine,
    /// The options of the mount.
    pub options: &'static [(&'static str, &'static str)],
    /// Writes a few things, so that there is something to list, read and delete.
    pub fill: fn(&Mount),
    /// Paths that, once filled, list at least three names.
    pub lists: &'static [&'static str],
}

impl Suite {
    /// Checks everything.
    pub fn run(&self) {
        let routes =
            (self.engine.routes)(&Mount::new(self.engine, self.options).cx().mount.options).expect("routes");
        assert!(!self.engine.help.is_empty(), "the engine has no help");
        self.every_route_is_found_by_its_own_path(routes);
        for route in routes {
            declared(route);
            for endpoint in route.endpoints {
                whole(route, endpoint);
            }
        }
        self.no_body_does_harm(routes);
        self.what_is_leased_can_be_taken_back();
        self.lists_are_in_order_and_come_in_pages();
    }

    fn every_route_is_found_by_its_own_path(&self, routes: &'static [Route<Handler>]) {
        let mut seen = BTreeSet::new();
        for route in routes {
            assert!(seen.insert(route.path), "the route {:?} is there twice", route.path);
            let path = sample(route, "sample/deep");
            let (found, values) = find(routes, &path).unwrap_or_else(|| panic!("no route for {path}"));
            assert_eq!(found.path, route.path, "an earlier route answers {path}");
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            let declared: Vec<&str> = route.params.iter().map(|param| param.name).collect();
            assert_eq!(names, declared, "the parameters of {:?}", route.path);
        }
    }

    /// Each field of each endpoint gets each kind of JSON, on a mount with and without content: never a fault, never a
    /// panic.
    fn no_body_does_harm(&self, routes: &'static [Route<Handler>]) {
        for (route, endpoint) in
            routes.iter().flat_map(|route| route.endpoints.iter().map(move |e| (route, e)))
        {
            let empty = Mount::new(self.engine, self.options);
            let filled = Mount::new(self.engine, self.options);
            (self.fill)(&filled);
            let (method, content_type) = spoken(endpoint);
            for tail in ["a", "sample/deep", "a/b", "%C3%A9t%C3%A9", "1"] {
                let path = sample(route, tail);
                for body in bodies(endpoint.fields) {
                    for mount in [&empty, &filled] {
                        let answer = match endpoint.body {
                            Body::None => mount.send(method, &format!("{path}{}", query(&body)), None, None),
                            _ => mount.send(method, &path, content_type, Some(&body)),
                        };
                        harmless(&answer);
                    }
                }
            }
        }
    }

    /// Each kind of secret has a name of its own, and each lease that `fill` makes is renewed, revoked, and revoked again
    /// by whoever could not know: that is no error.
    fn what_is_leased_can_be_taken_back(&self) {
        let mut names = BTreeSet::new();
        for kind in self.engine.secrets {
            assert!(
                !kind.name.is_empty() && names.insert(kind.name),
                "a kind of secret has no name of its own"
            );
        }
        let mount = Mount::new(self.engine, self.options);
        (self.fill)(&mount);
        for id in mount.leases() {
            if mount.is_renewable(&id) {
                mount.renew(&id, 60).status(200);
            }
            mount.revoke(&id).status(204);
            mount.revoke(&id).status(204);
        }
    }

    fn lists_are_in_order_and_come_in_pages(&self) {
        let mount = Mount::new(self.engine, self.options);
        (self.fill)(&mount);
        for path in self.lists {
            for method in ["LIST", "SCAN"] {
                let ask = |query: &str| mount.send(method, &format!("{path}{query}"), None, None);
                if ask("").status == 405 {
                    continue;
                }
                let all = ask("").status(200).keys();
                assert!(all.len() >= 3, "{method} {path} gives too little: {all:?}");
                assert!(all.is_sorted(), "{method} {path} is not in order: {all:?}");
                for limit in [1, 2, all.len()] {
                    let (mut got, mut after) = (Vec::new(), String::new());
                    loop {
                        let page = ask(&format!("?limit={limit}&after={}", after.replace('/', "%2F")));
                        if page.status == 404 {
                            break;
                        }
                        let keys = page.status(200).keys();
                        assert!(
                            (1..=limit).contains(&keys.len()),
                            "{method} {path}: a page of {}",
                            keys.len()
                        );
                        after.clone_from(keys.last().expect("a name"));
                        got.extend(keys);
                        assert!(got.len() <= all.len(), "{method} {path} does not end: {got:?}");
                    }
                    assert_eq!(got, all, "{method} {path} in pages of {limit}");
                }
                assert_eq!(
                    ask("?after=%F4%8F%BF%BF").status,
                    404,
                    "{method} {path}: after the last there is nothing"
                );
            }
        }
    }
}

/// A path that `route` is for.
fn sample(route: &Route<Handler>, tail: &str) -> String {
    let segment = |part: &str| match part {
        part if part.ends_with("*}") || part.ends_with("*?}") => tail.to_owned(),
        part if part.starts_with('{') => "sample".to_owned(),
        part => part.to_owned(),
    };
    route.path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Everything has help, every name is declared once and means one thing.
fn declared(route: &Route<Handler>) {
    let path = route.path;
    assert!(!route.help.is_empty(), "{path:?} has no help");
    assert!(!route.endpoints.is_empty(), "{path:?} can do nothing");
    assert!(!(route.unauthenticated && route.sudo), "{path:?} asks nobody for sudo");
    for Param { name, help, .. } in route.params {
        assert!(!help.is_empty(), "the parameter {name} of {path:?} has no help");
    }
    let mut kinds: Vec<(&str, Kind)> = Vec::new();
    for field in route.endpoints.iter().flat_map(|endpoint| endpoint.fields) {
        assert!(!field.help.is_empty(), "the field {} of {path:?} has no help", field.name);
        let known = kinds.iter().find(|(name, _)| *name == field.name).map(|(_, kind)| *kind);
        assert!(known.is_none_or(|kind| kind == field.kind), "{} of {path:?} has two types", field.name);
        kinds.push((field.name, field.kind));
    }
}

fn whole(route: &Route<Handler>, endpoint: &Endpoint<Handler>) {
    let name = format!("{} of {:?}", endpoint.operation.name(), route.path);
    assert!(!endpoint.summary.is_empty(), "{name} has no summary");
    let same = route.endpoints.iter().filter(|other| other.operation == endpoint.operation);
    assert_eq!(same.count(), 1, "{name} is there twice");
    let names: BTreeSet<&str> = endpoint.fields.iter().map(|field| field.name).collect();
    assert_eq!(names.len(), endpoint.fields.len(), "{name} declares a field twice");
    let bodies: &[Body] = match endpoint.operation {
        Operation::Read | Operation::List | Operation::Scan => &[Body::None],
        Operation::Delete => &[Body::None, Body::Json],
        Operation::Update => &[Body::None, Body::Json],
        Operation::Patch => &[Body::MergePatch],
        other => panic!("{name}: no endpoint is for {other:?}"),
    };
    assert!(bodies.contains(&endpoint.body), "{name} expects the wrong kind of body");
}

fn spoken(endpoint: &Endpoint<Handler>) -> (&'static str, Option<&'static str>) {
    match endpoint.operation {
        Operation::List => ("LIST", None),
        Operation::Scan => ("SCAN", None),
        Operation::Update | Operation::Create => ("POST", None),
        Operation::Patch => ("PATCH", Some(super::MERGE_PATCH)),
        Operation::Delete => ("DELETE", None),
        _ => ("GET", None),
    }
}

/// Bodies of every kind, as text.
fn bodies(fields: &[FieldSpec]) -> Vec<String> {
    let deep = (0..60).fold(json!({}), |inner, _| json!({ "k": inner }));
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(i64::MAX),
        json!(u64::MAX),
        serde_json::from_str("1e300").unwrap(),
        json!(""),
        json!("x"),
        json!("1h"),
        json!("true"),
        json!("\u{0}\u{7f}é\u{10ffff}"),
        json!("9".repeat(400)),
        json!([]),
        json!([1, "2", null, {}, []]),
        json!({}),
        json!({ "cas": "x", "": null, "k": [1], "n": -1 }),
        json!({ "k".repeat(200): "v".repeat(700) }),
        deep,
    ];
    let mut bodies: Vec<String> =
        ["", "{", "[]", "null", "7", "\"x\"", "{}", "{\"a\":1,\"a\":2}"].map(str::to_owned).into();
    let all =
        |value: &Value| -> Value { fields.iter().map(|f| (f.name.to_owned(), value.clone())).collect() };
    bodies.extend(values.iter().map(|value| all(value).to_string()));
    for (field, value) in fields.iter().flat_map(|field| values.iter().map(move |value| (field, value))) {
        bodies.push(json!({ field.name: value }).to_string());
    }
    bodies
}

/// The body's keys as a query.
fn query(body: &str) -> String {
    let Ok(Value::Object(body)) = serde_json::from_str(body) else { return String::new() };
    let pairs = body.iter().filter_map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-.*_".contains(c));
        (plain(key) && plain(&value)).then(|| format!("{key}={value}"))
    });
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn harmless(answer: &Answer) {
    let is_fine = matches!(answer.status, 200 | 202 | 204 | 400 | 403 | 404 | 405 | 412 | 413 | 429);
    assert!(is_fine, "{}: {} {:?}", answer.request, answer.status, answer.cause);
}
