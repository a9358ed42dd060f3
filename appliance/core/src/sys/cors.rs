//! `sys/config/cors`: which pages of other origins may use this API from a browser. Without a word here none may.

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route};
use strongroom_types::{Operation, Refusal, Reply};

use super::endpoint::{alone, look};
use super::{at_top, headers, one_error};
use crate::perform::{After, Run, Scene, Work};
use crate::rules::{CorsRecord, Setting};

type Texts = Field<Vec<String>>;

const ENABLE: Field<bool> = Field::new("enable", "false takes the permission away; anything else gives it.");
const ORIGINS: Texts = Field::new("allowed_origins", "Origins of pages, or '*' alone for every one.");
const HEADERS: Texts = Field::new("allowed_headers", "Headers beyond those that the API reads itself.");
const CREDENTIALS: Field<bool> =
    Field::new("allow_credentials", "Whether cookies may be sent; nothing here reads any.");
const FIELDS: &[FieldSpec] = &[ENABLE.spec(), ORIGINS.spec(), HEADERS.spec(), CREDENTIALS.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "config/cors",
    help: "Which pages of other origins may use this API from a browser.",
    sudo: true,
    endpoints: &[
        look("Read which.", read),
        alone("Say which.", FIELDS, write),
        Endpoint {
            operation: Operation::Delete,
            summary: "None any more.",
            fields: &[],
            body: Body::None,
            run: Run::Alone(remove),
        },
    ],
    ..Route::BASE
}];

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let rules = scene.active.rules.load();
    let shown: Value = match &rules.cors {
        None => json!({ "enabled": false }),
        Some(cors) => json!({
            "enabled": true,
            "allowed_origins": cors.origins,
            "allowed_headers": cors.headers,
            "allow_credentials": cors.allow_credentials,
        }),
    };
    Ok(Work::reply(at_top(shown)))
}

fn write(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    if call.get(&ENABLE) == Some(false) {
        return remove(scene);
    }
    let origins = call.get(&ORIGINS).unwrap_or_default();
    if origins.is_empty() {
        return Err(one_error("at least one origin or the wildcard must be provided"));
    }
    let allow_credentials = call.get(&CREDENTIALS).unwrap_or_default();
    if origins.iter().any(|origin| origin == "*") {
        if origins.len() > 1 {
            return Err(one_error("to allow all origins the '*' must be the only value for allowed_origins"));
        }
        if allow_credentials {
            return Err(one_error("every origin and credentials exclude each other: name the origins"));
        }
    } else if let Some(wrong) = origins.iter().position(|origin| !is_origin(origin)) {
        let wrong = wrong + 1;
        return Err(one_error(&format!(
            "value {wrong} of allowed_origins is no origin: write scheme, host and port as browsers send them, \
             https://example.com:8443"
        )));
    }
    let own = call.get(&HEADERS).unwrap_or_default();
    if !own.iter().all(|name| headers::is_name(name)) {
        return Err(one_error("a value of allowed_headers is no name of a header"));
    }
    let record = CorsRecord { v: 1, origins, headers: own, allow_credentials };
    let system = &scene.active.system;
    let write = record.write(system, &system.at(scene.snapshot.clone()))?;
    Ok(Work::done(vec![write]).then([After::Rules]))
}

/// What a browser may send as `Origin`: no path, no user, no upper case, and never `null`, which any sandbox sends.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| is_letter(b) || b"+-.".contains(&b));
    scheme_fits && !host.is_empty() && host.bytes().all(|b| is_letter(b) || b".-:[]_".contains(&b))
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let removed = CorsRecord::remove(&scene.active.system)?;
    Ok(Work { reply: Reply::Empty, ..Work::done(vec![removed]) }.then([After::Rules]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_may_send_is_an_origin() {
        for origin in ["https://a.example", "http://127.0.0.1:8080", "https://[::1]:1", "app://x"] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "null",
            "a.example",
            "https://",
            "https://a/",
            "https://A.example",
            "https://u@a",
            "://a",
            "https://*.a",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}
