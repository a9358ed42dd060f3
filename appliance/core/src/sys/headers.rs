//! `sys/config/ui/headers` and `sys/config/auditing/request-headers`: headers that the console answers with, and those
//! of requests that the audit log shows.

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::{JsonMap, Operation, Refusal, Reply};

use super::at_top;
use super::endpoint::{alone, look, remove};
use crate::perform::{After, Run, Scene, Work};
use crate::rules::{AuditHeaders, Setting, UiHeaders};

const HEADER: Param =
    Param { name: "header", help: "The header's name; in any case.", kind: ParamKind::Folded };
const VALUES: Field<Vec<String>> = Field::new("values", "One line of the header each.");
const MULTIVALUE: Field<bool> = Field::new("multivalue", "Whether all values are shown, and not the first.");
const HMAC: Field<bool> = Field::new("hmac", "Whether the log shows a hash instead of the value.");

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "config/ui/headers",
        help: "The headers that the console answers with.",
        sudo: true,
        endpoints: &[Endpoint {
            operation: Operation::List,
            summary: "List their names.",
            fields: &[],
            body: Body::None,
            run: Run::Blocking(list_ui),
        }],
        ..Route::BASE
    },
    Route {
        path: "config/ui/headers/{header}",
        params: &[HEADER],
        help: "A header that the console answers with.",
        sudo: true,
        endpoints: &[
            Endpoint { fields: &[MULTIVALUE.spec()], ..look("Read it.", read_ui) },
            alone("Set it.", UI, write_ui),
            remove("Remove it.", remove_ui),
        ],
        ..Route::BASE
    },
    Route {
        path: "config/auditing/request-headers",
        help: "The headers of requests that the audit log shows.",
        sudo: true,
        endpoints: &[look("Read which.", read_all_audited)],
        ..Route::BASE
    },
    Route {
        path: "config/auditing/request-headers/{header}",
        params: &[HEADER],
        help: "A header of requests that the audit log shows.",
        sudo: true,
        endpoints: &[
            look("Read whether it is hashed.", read_audited),
            alone("Show it.", AUDITED, write_audited),
            remove("Show it no longer.", remove_audited),
        ],
        ..Route::BASE
    },
];

const UI: &[FieldSpec] = &[VALUES.spec(), MULTIVALUE.spec()];
const AUDITED: &[FieldSpec] = &[HMAC.spec()];

/// Whether `text` can be the name of a header.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(fits)
}

/// `x-custom` as people write it: `X-Custom`.
fn title(name: &str) -> String {
    let words = name.split('-').map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => format!("{}{rest}", first.to_ascii_uppercase()),
        None => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("-")
}

fn given(scene: &Scene<'_>) -> Result<String, Refusal> {
    let name = scene.request.stage.call.param(HEADER.name);
    match is_name(name) {
        true => Ok(name.to_owned()),
        false => Err(Refusal::bad_request("this is no name of a header")),
    }
}

// === of the console's answers ===

/// Headers that frame an answer, or that the server alone decides on.
const TAKEN: [&str; 10] = [
    "connection",
    "content-length",
    "content-encoding",
    "date",
    "keep-alive",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn stored_ui(scene: &Scene<'_>) -> Result<UiHeaders, Refusal> {
    Ok(UiHeaders::load(&scene.active.system.at(scene.snapshot.clone()))?.unwrap_or_default())
}

fn list_ui(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let names = stored_ui(scene)?.headers.into_keys().collect();
    Ok(Work::reply(Reply::keys(names)))
}

fn read_ui(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let values = stored_ui(scene)?.headers.remove(&title(&given(scene)?)).ok_or_else(Refusal::not_found)?;
    let shown = match scene.request.stage.call.get(&MULTIVALUE) {
        Some(true) => json!({ "values": values }),
        _ => json!({ "value": values.first() }),
    };
    Ok(Work::reply(Reply::data(shown)))
}

fn write_ui(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = given(scene)?;
    if name.starts_with("x-vault-") {
        return Err(Refusal::bad_request("X-Vault headers cannot be set"));
    }
    if TAKEN.contains(&name.as_str()) {
        return Err(Refusal::bad_request("this header is the server's own and cannot be set"));
    }
    let values = scene.request.stage.call.get(&VALUES).unwrap_or_default();
    if values.is_empty() {
        return Err(Refusal::bad_request("'values' must have at least one"));
    }
    if !values.iter().all(|value| value.len() <= 4096 && value.bytes().all(|b| (b' '..=b'~').contains(&b))) {
        return Err(Refusal::bad_request("'values' may hold printable ASCII only, at most 4096 bytes each"));
    }
    let mut record = stored_ui(scene)?;
    if record.headers.len() >= 64 {
        return Err(Refusal::bad_request("there are 64 headers already"));
    }
    record.headers.insert(title(&name), values);
    let mut work = Work::done(vec![put(scene, &record)?]).then([After::Rules]);
    // As it was recorded: an envelope without data.
    work.reply = Reply::Logical(Box::default());
    Ok(work)
}

fn remove_ui(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let mut record = stored_ui(scene)?;
    match record.headers.remove(&title(&given(scene)?)) {
        None => Ok(Work::reply(Reply::Empty)),
        Some(_) => Ok(Work::done(vec![put(scene, &record)?]).then([After::Rules])),
    }
}

fn put<S: Setting>(
    scene: &Scene<'_>,
    record: &S,
) -> Result<(strongroom_barrier::View, strongroom_barrier::Write), Refusal> {
    let system = &scene.active.system;
    record.write(system, &system.at(scene.snapshot.clone()))
}

// === of requests, in the audit log ===

/// Headers whose values are secrets: the log has the token's hash anyway.
const SECRET: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "x-vault-token", "x-vault-unlock-key"];

fn stored_audited(scene: &Scene<'_>) -> Result<AuditHeaders, Refusal> {
    Ok(AuditHeaders::load(&scene.active.system.at(scene.snapshot.clone()))?.unwrap_or_default())
}

fn read_all_audited(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let headers = stored_audited(scene)?.headers.into_iter();
    let headers: JsonMap = headers.map(|(name, hmac)| (name, json!({ "hmac": hmac }))).collect();
    Ok(Work::reply(at_top(json!({ "headers": headers }))))
}

fn read_audited(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = given(scene)?;
    let hmac = stored_audited(scene)?.headers.get(&name).copied();
    let hmac = hmac.ok_or_else(|| Refusal::bad_request("Could not find header in config"))?;
    let shown: JsonMap = [(title(&name), json!({ "hmac": hmac }))].into_iter().collect();
    Ok(Work::reply(at_top(Value::from(shown))))
}

fn write_audited(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = given(scene)?;
    if SECRET.contains(&name.as_str()) {
        return Err(Refusal::bad_request("this header holds a secret and is never written to the log"));
    }
    let mut record = stored_audited(scene)?;
    if record.headers.len() >= 64 {
        return Err(Refusal::bad_request("there are 64 headers already"));
    }
    record.headers.insert(name, scene.request.stage.call.get(&HMAC).unwrap_or_default());
    Ok(Work::done(vec![put(scene, &record)?]).then([After::Rules]))
}

fn remove_audited(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let mut record = stored_audited(scene)?;
    match record.headers.remove(&given(scene)?) {
        None => Ok(Work::reply(Reply::Empty)),
        Some(_) => Ok(Work::done(vec![put(scene, &record)?]).then([After::Rules])),
    }
}
