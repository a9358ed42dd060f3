//! The OpenAPI document, from the route tables.
//!
//! It has the shape that generators and consoles of Vault read: a path's parameters in braces, an `operationId` for
//! each operation, `x-vault-sudo`, `x-vault-unauthenticated` and `x-vault-createSupported` beside them. LIST and SCAN
//! are no methods of OpenAPI: they are GET with the query `list=true` or `scan=true`.

use serde_json::{Value, json};
use strongroom_types::{JsonMap, Operation};

use crate::{Endpoint, FieldSpec, Kind, Route};

/// The paths of `table`, which is served below `prefix` (without slashes at its ends).
pub fn paths<H>(prefix: &str, table: &[Route<H>]) -> Value {
    table.iter().map(|route| (shown_path(prefix, route), item(prefix, route))).collect::<JsonMap>().into()
}

/// The same, with the last part of `prefix` as a parameter: `auth/{userpass_mount_path}`, so that a client made from the
/// document serves any mount of this kind.
pub fn generic_paths<H>(prefix: &str, table: &[Route<H>]) -> Value {
    let (before, last) = prefix.rsplit_once('/').map_or(("", prefix), |(before, last)| (before, last));
    let name =
        format!("{}_mount_path", last.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase());
    let shown = if before.is_empty() { format!("{{{name}}}") } else { format!("{before}/{{{name}}}") };
    let mut mount = parameter("path", &name, "Where it is mounted.");
    if let Some(schema) = mount.get_mut("schema").and_then(Value::as_object_mut) {
        schema.insert("default".into(), last.into());
    }
    let item = |route: &Route<H>| {
        let mut item = item(prefix, route);
        if let Some(item) = item.as_object_mut() {
            let parameters = item.entry("parameters").or_insert_with(|| json!([]));
            if let Some(parameters) = parameters.as_array_mut() {
                parameters.push(mount.clone());
            }
        }
        (shown_path(&shown, route), item)
    };
    table.iter().map(item).collect::<JsonMap>().into()
}

/// A whole document; `items` are what [`paths`] made. Where two of them know one path, the first counts.
pub fn document(title: &str, version: &str, items: Vec<Value>) -> Value {
    let mut all = JsonMap::new();
    for paths in items {
        let Value::Object(paths) = paths else { continue };
        for (path, item) in paths {
            all.entry(path).or_insert(item);
        }
    }
    json!({
        "openapi": "3.0.2",
        "info": { "title": title, "description": "Every path starts with /v1.", "version": version },
        "paths": all,
        "components": { "schemas": {} },
    })
}

/// What `?help=1` answers on a path that `route` serves.
pub fn help<H>(prefix: &str, title: &str, version: &str, route: &Route<H>) -> Value {
    let summaries = route.endpoints.iter().map(|endpoint| {
        let (operation, summary) = (endpoint.operation.name(), endpoint.summary);
        let fields = endpoint.fields.iter().map(|field| format!("\n        {}: {}", field.name, field.help));
        format!("\n\n    {operation}: {summary}{}", fields.collect::<String>())
    });
    let text = format!("{}\n\n{}{}", shown_path(prefix, route), route.help, summaries.collect::<String>());
    let paths = paths(prefix, std::slice::from_ref(route));
    json!({ "help": text, "openapi": document(title, version, vec![paths]) })
}

/// What `?help=1` answers where an engine is mounted: what it is, and each of its paths.
pub fn help_of_root<H>(
    prefix: &str,
    title: &str,
    version: &str,
    about: &str,
    tables: &[&[Route<H>]],
) -> Value {
    let routes = || tables.iter().copied().flatten();
    let lines =
        routes().map(|route| format!("\n    {}\n        {}\n", shown_path(prefix, route), route.help));
    let text = format!("{about}\n\nPaths:\n{}", lines.collect::<String>());
    let items = tables.iter().map(|table| paths(prefix, table)).collect();
    json!({ "help": text, "openapi": document(title, version, items) })
}

/// `/secret/data/{path}`.
fn shown_path<H>(prefix: &str, route: &Route<H>) -> String {
    format!("/{prefix}/{}", route.path.replace("*?}", "}").replace("*}", "}"))
}

fn item<H>(prefix: &str, route: &Route<H>) -> Value {
    let mut item = JsonMap::new();
    item.insert("description".into(), route.help.into());
    if !route.params.is_empty() {
        item.insert(
            "parameters".into(),
            route.params.iter().map(|p| parameter("path", p.name, p.help)).collect(),
        );
    }
    let flags = [
        ("x-vault-sudo", route.sudo),
        ("x-vault-unauthenticated", route.unauthenticated),
        ("x-vault-createSupported", route.exists.is_some()),
    ];
    item.extend(flags.iter().filter(|(_, set)| *set).map(|(name, _)| ((*name).to_owned(), true.into())));
    let endpoint = |operation| route.endpoints.iter().find(|e| e.operation == operation);
    if let Some(get) = get(prefix, route) {
        item.insert("get".into(), get);
    }
    let changes = [(Operation::Update, "post"), (Operation::Patch, "patch"), (Operation::Delete, "delete")];
    for (operation, method) in changes {
        if let Some(endpoint) = endpoint(operation) {
            item.insert(method.into(), change(prefix, route, endpoint));
        }
    }
    Value::Object(item)
}

/// Read, list and scan, which are one operation of OpenAPI. The query `list` is demanded where nothing can be read.
fn get<H>(prefix: &str, route: &Route<H>) -> Option<Value> {
    let find = |operation| route.endpoints.iter().find(|e| e.operation == operation);
    let (read, list, scan) = (find(Operation::Read), find(Operation::List), find(Operation::Scan));
    let main = read.or(list).or(scan)?;
    let fields = read.into_iter().flat_map(|endpoint| endpoint.fields).map(|field| {
        json!({ "name": field.name, "in": "query", "description": field.help, "schema": schema(field) })
    });
    let word = |name: &str, help: &str| match read {
        Some(_) => {
            json!({ "name": name, "in": "query", "description": help, "schema": { "type": "string" } })
        }
        None => json!({
            "name": name, "in": "query", "description": help, "required": true,
            "schema": { "type": "string", "enum": ["true"] },
        }),
    };
    let words = [
        (list, "list", "Lists the names when it is 'true'."),
        (scan, "scan", "Lists all names below when it is 'true'."),
    ];
    let words =
        words.into_iter().filter(|(endpoint, ..)| endpoint.is_some()).map(|(_, name, help)| word(name, help));
    let parameters: Vec<Value> = fields.chain(words).collect();
    let mut operation = operation(prefix, route, main);
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    operation.insert("responses".into(), json!({ "200": { "description": "OK" } }));
    Some(Value::Object(operation))
}

fn change<H>(prefix: &str, route: &Route<H>, endpoint: &Endpoint<H>) -> Value {
    let mut operation = operation(prefix, route, endpoint);
    let content_type = match endpoint.body {
        crate::Body::None => None,
        crate::Body::Json => Some("application/json"),
        crate::Body::MergePatch => Some("application/merge-patch+json"),
    };
    if let Some(content_type) = content_type.filter(|_| !endpoint.fields.is_empty()) {
        let declared = endpoint.fields.iter().filter(|field| !field.is_rest());
        let properties: JsonMap = declared.map(|field| (field.name.to_owned(), property(field))).collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if let Some(schema) =
            schema.as_object_mut().filter(|_| endpoint.fields.iter().any(FieldSpec::is_rest))
        {
            schema.insert("additionalProperties".into(), true.into());
        }
        let required: Vec<&str> =
            endpoint.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        if let Some(schema) = schema.as_object_mut().filter(|_| !required.is_empty()) {
            schema.insert("required".into(), required.into());
        }
        operation.insert("requestBody".into(), json!({ "content": { content_type: { "schema": schema } } }));
    }
    let (status, words) =
        if endpoint.operation == Operation::Delete { ("204", "empty body") } else { ("200", "OK") };
    operation.insert("responses".into(), json!({ status: { "description": words } }));
    Value::Object(operation)
}

fn operation<H>(prefix: &str, route: &Route<H>, endpoint: &Endpoint<H>) -> JsonMap {
    let verb = match endpoint.operation {
        Operation::Create | Operation::Update => "write",
        other => other.name(),
    };
    let words = [prefix, verb, route.path].join("-");
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let tag = prefix.split('/').next().unwrap_or_default();
    let mut operation = JsonMap::new();
    operation.insert("summary".into(), endpoint.summary.into());
    operation.insert("operationId".into(), words.collect::<Vec<_>>().join("-").into());
    operation.insert("tags".into(), json!([tag]));
    operation
}

fn parameter(place: &str, name: &str, help: &str) -> Value {
    json!({ "name": name, "in": place, "description": help, "required": true, "schema": { "type": "string" } })
}

fn property(field: &FieldSpec) -> Value {
    let mut schema = schema(field);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".into(), field.help.into());
    }
    schema
}

fn schema(field: &FieldSpec) -> Value {
    match field.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Int => json!({ "type": "integer" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Map => json!({ "type": "object", "format": "map" }),
        Kind::KvPairs => json!({ "type": "object", "format": "kvpairs" }),
        Kind::Seconds => json!({ "type": "integer", "format": "seconds" }),
        Kind::TextList => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::IntList => json!({ "type": "array", "items": { "type": "integer" } }),
        Kind::Any => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, Field, Param, ParamKind};

    const VERSION: Field<i64> = Field::new("version", "Which version.");
    const DATA: Field<JsonMap> = Field::new("data", "The secret.");
    const PATH: Param = Param { name: "path", help: "Where.", kind: ParamKind::Exact };

    const fn on(operation: Operation, fields: &'static [FieldSpec], body: Body) -> Endpoint<()> {
        Endpoint { operation, summary: "What it does.", fields, body, run: () }
    }

    const TABLE: &[Route<()>] = &[
        Route {
            path: "metadata",
            help: "Names.",
            endpoints: &[on(Operation::List, &[], Body::None)],
            ..Route::BASE
        },
        Route {
            path: "data/{path*}",
            params: &[PATH],
            help: "A secret.",
            sudo: true,
            endpoints: &[
                on(Operation::Read, &[VERSION.spec()], Body::None),
                on(Operation::List, &[], Body::None),
                on(Operation::Update, &[DATA.spec(), FieldSpec::REST], Body::Json),
                on(Operation::Delete, &[], Body::None),
            ],
            ..Route::BASE
        },
    ];

    #[test]
    fn a_table_is_shown_as_vault_shows_it() {
        let paths = paths("secret", TABLE);
        let data = &paths["/secret/data/{path}"];
        assert_eq!(data["x-vault-sudo"], true);
        assert_eq!(data.get("x-vault-unauthenticated"), None);
        assert_eq!(data["parameters"][0]["in"], "path");
        assert_eq!(data["get"]["operationId"], "secret-read-data-path");
        assert_eq!(data["get"]["parameters"][0]["schema"]["type"], "integer");
        assert_eq!(data["get"]["parameters"][1].get("required"), None);
        let schema = &data["post"]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["properties"]["data"]["format"], "map");
        assert_eq!(schema["properties"].get("*"), None);
        assert_eq!(schema["additionalProperties"], true);
        assert_eq!(data["delete"]["responses"]["204"]["description"], "empty body");
        let names = &paths["/secret/metadata"]["get"]["parameters"];
        assert_eq!(
            names,
            &json!([{
                "name": "list", "in": "query", "description": "Lists the names when it is 'true'.", "required": true,
                "schema": { "type": "string", "enum": ["true"] },
            }])
        );
    }

    #[test]
    fn a_mount_may_be_shown_as_a_parameter() {
        let paths = generic_paths("auth/my-users", TABLE);
        let data = &paths["/auth/{my_users_mount_path}/data/{path}"]["parameters"];
        assert_eq!((&data[0]["name"], &data[1]["name"]), (&json!("path"), &json!("my_users_mount_path")));
        assert_eq!(data[1]["schema"]["default"], "my-users");
        let names = &generic_paths("kv", TABLE)["/{kv_mount_path}/metadata"];
        assert_eq!(names["parameters"][0]["name"], "kv_mount_path");
        assert_eq!(names["get"]["operationId"], "kv-list-metadata");
    }

    #[test]
    fn documents_are_put_together_from_many_tables() {
        let document =
            document("Strongroom", "1.20.0", vec![paths("a", TABLE), paths("b", TABLE), Value::Null]);
        assert_eq!(document["openapi"], "3.0.2");
        assert_eq!(document["info"]["version"], "1.20.0");
        assert_eq!(document["paths"].as_object().unwrap().len(), 4);
    }

    #[test]
    fn help_names_what_can_be_done() {
        let help = help("secret", "Strongroom", "1.20.0", &TABLE[1]);
        let text = help["help"].as_str().unwrap();
        assert!(text.starts_with("/secret/data/{path}\n\nA secret."));
        assert!(text.contains("read: What it does.\n        version: Which version."));
        assert_eq!(help["openapi"]["paths"].as_object().unwrap().len(), 1);
    }
}
