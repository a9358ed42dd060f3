//! `sys/policies/acl` and the older `sys/policy`.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Route, Seconds};
use strongroom_policy::{Policy, PolicyName};
use strongroom_types::{Operation, Refusal, Reply, Timestamp};

use super::{NAME, names};
use crate::fault::{barrier, damaged};
use crate::perform::{After, Run, Scene, SystemHandler, Work};
use crate::policies::{PolicyRecord, name_of, record};
use crate::tokens::ROOT;

const POLICY: Field<String> = Field::new("policy", "The policy, in HCL or JSON, plain or in base64.");
const RULES: Field<String> = Field::new("rules", "The older name of 'policy', on sys/policy only.");
const CAS: Field<i64> =
    Field::new("cas", "The version that this one is to follow; 0 if there is to be none.");
const CAS_REQUIRED: Field<bool> = Field::new("cas_required", "Whether 'cas' has to be given from now on.");
const TTL: Field<Seconds> = Field::new("ttl", "How long the policy counts, from now on.");
const EXPIRATION: Field<String> =
    Field::new("expiration", "From when on it counts for nobody, as 2030-01-01T00:00:00Z.");
const FIELDS: &[FieldSpec] =
    &[POLICY.required().spec(), RULES.spec(), CAS.spec(), CAS_REQUIRED.spec(), TTL.spec(), EXPIRATION.spec()];
const OLD_FIELDS: &[FieldSpec] =
    &[POLICY.spec(), RULES.spec(), CAS.spec(), CAS_REQUIRED.spec(), TTL.spec(), EXPIRATION.spec()];

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "policies/acl",
        help: "All policies.",
        endpoints: &[scan(Operation::List, list), scan(Operation::Read, list)],
        ..Route::BASE
    },
    Route {
        path: "policies/acl/{name}",
        params: &[NAME],
        help: "One policy.",
        endpoints: &[
            on(Operation::Read, "Read the policy.", read),
            write_of(FIELDS, write),
            remove_of(remove),
        ],
        ..Route::BASE
    },
    Route {
        path: "policy",
        help: "All policies, as older clients ask.",
        endpoints: &[scan(Operation::Read, list_legacy), scan(Operation::List, list_legacy)],
        ..Route::BASE
    },
    Route {
        path: "policy/{name}",
        params: &[NAME],
        help: "One policy, as older clients ask.",
        endpoints: &[
            on(Operation::Read, "Read the policy.", read_legacy),
            write_of(OLD_FIELDS, write_legacy),
            remove_of(remove),
        ],
        ..Route::BASE
    },
];

const fn on(operation: Operation, summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation, summary, fields: &[], body: Body::None, run: Run::Free(run) }
}

const fn scan(operation: Operation, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { run: Run::Blocking(run), ..on(operation, "List the policies.", run) }
}

const fn write_of(fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    let summary = "Make or replace the policy.";
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Alone(run) }
}

const fn remove_of(run: SystemHandler) -> Endpoint<Run> {
    let summary = "Remove the policy.";
    Endpoint { operation: Operation::Delete, summary, fields: &[], body: Body::None, run: Run::Alone(run) }
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::keys(scene.active.policies.names())))
}

fn list_legacy(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data_at_top(names(&scene.active.policies.names(), "policies"))))
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data(show(scene, "policy")?)))
}

fn read_legacy(scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data_at_top(show(scene, "rules")?)))
}

/// A policy, its text under `text_key`.
fn show(scene: &Scene<'_>, text_key: &str) -> Result<Value, Refusal> {
    let name = given_name(scene)?;
    if name == ROOT {
        return Ok(json!({ "name": name, text_key: "" }));
    }
    let held = find(scene, &name)?.ok_or_else(Refusal::not_found)?;
    let mut shown = json!({
        "name": name,
        text_key: held.text,
        "version": held.version,
        "modified": held.modified.to_string(),
        "cas_required": held.cas_required,
        // Templates never let a value bring wildcards or slashes with it.
        "allow_wildcards_in_identity_templates": false,
        "allow_slashes_in_identity_templates": false,
    });
    if let (Some(shown), Some(end)) = (shown.as_object_mut(), held.expiration) {
        shown.insert("expiration".into(), end.to_string().into());
    }
    Ok(shown)
}

fn write(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let text = scene.request.stage.call.get(&POLICY).filter(|text| !text.is_empty());
    store(scene, text)
}

fn write_legacy(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let text = call.get(&POLICY).filter(|text| !text.is_empty());
    let old = call.get(&RULES).filter(|text| !text.is_empty());
    let is_old = text.is_none() && old.is_some();
    let mut work = store(scene, text.or(old))?;
    if is_old {
        work.reply = work.reply.with_warning("'rules' is deprecated, please use 'policy' instead");
    }
    Ok(work)
}

fn store(scene: &Scene<'_>, text: Option<String>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let text = text.ok_or_else(|| Refusal::bad_request("'policy' parameter not supplied or empty"))?;
    let name = given_name(scene)?;
    PolicyName::parse(&name).and_then(|name| name.check_update()).map_err(refused)?;
    let text =
        match data_encoding::BASE64.decode(text.as_bytes()).ok().and_then(|b| String::from_utf8(b).ok()) {
            Some(decoded) => decoded,
            None => text,
        };
    Policy::parse(&name, &text)
        .map_err(|error| Refusal::bad_request(format!("failed to parse policy: {error}")))?;
    let held = find(scene, &name)?;
    let version = held.as_ref().map_or(0, |held| held.version);
    let cas_required = held.as_ref().is_some_and(|held| held.cas_required);
    match call.get(&CAS) {
        // As in KV: 0 is for what was never there, -1 for not asking.
        Some(-1) | None if cas_required => {
            return Err(Refusal::bad_request("check-and-set parameter required for this call"));
        }
        Some(cas) if cas != -1 && u64::try_from(cas).ok() != Some(version) => {
            return Err(Refusal::bad_request("check-and-set parameter did not match the current version"));
        }
        _ => {}
    }
    let cas_required = call.get(&CAS_REQUIRED).unwrap_or(cas_required);
    let (version, expiration) = (version + 1, expiration(scene)?);
    let body = PolicyRecord { text, version, cas_required, expiration, ..PolicyRecord::first(scene.now) };
    let body = serde_json::to_vec(&body).map_err(damaged)?;
    let at = name_of(&name)?;
    let seen = scene.active.system.at(scene.snapshot.clone()).get(&at).map_err(barrier)?;
    Ok(change(scene, name, Write::put(at, body).if_unchanged(seen.as_ref())))
}

/// When the policy is to end, if it is. One that has ended is listed until it is removed, and allows and denies nothing.
fn expiration(scene: &Scene<'_>) -> Result<Option<Timestamp>, Refusal> {
    let call = &scene.request.stage.call;
    let ttl = call.get(&TTL).map(|ttl| ttl.nanos).filter(|nanos| *nanos != 0);
    let end = call.get(&EXPIRATION).filter(|end| !end.is_empty());
    let end = match (ttl, end) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad_request("'ttl' and 'expiration' cannot both be given"));
        }
        (None, None) => return Ok(None),
        (Some(nanos), None) => Timestamp::from_nanos(scene.now.nanos().saturating_add(nanos)),
        (None, Some(text)) => Timestamp::parse(&text)
            .ok_or_else(|| Refusal::bad_request("'expiration' is not a time such as 2030-01-01T00:00:00Z"))?,
    };
    if end <= scene.now {
        return Err(Refusal::bad_request("the policy would have ended already"));
    }
    Ok(Some(end))
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = given_name(scene)?;
    PolicyName::parse(&name).and_then(|name| name.check_delete()).map_err(refused)?;
    let write = Write::delete(name_of(&name)?);
    Ok(change(scene, name, write))
}

fn refused(error: strongroom_policy::NameError) -> Refusal {
    Refusal::bad_request(error.to_string())
}

fn change(scene: &Scene<'_>, name: String, write: Write) -> Work {
    Work::done(vec![(scene.active.system.clone(), write)]).then([After::Policy(name)])
}

fn find(scene: &Scene<'_>, name: &str) -> Result<Option<PolicyRecord>, Refusal> {
    record(&scene.active.system.at(scene.snapshot.clone()), name)
}

/// The name in the path. One that is not canonical yet is refused: access lists were asked about the path as it is,
/// and a name that is trimmed only now would get past a `deny` on the trimmed one.
fn given_name(scene: &Scene<'_>) -> Result<String, Refusal> {
    let given = scene.request.stage.call.param("name");
    let name = PolicyName::parse(given).map_err(|error| Refusal::bad_request(error.to_string()))?;
    if name.as_str() != given {
        return Err(Refusal::bad_request("the policy's name begins or ends with white space"));
    }
    Ok(given.to_owned())
}
