//! Single settings of a role, each at a path of its own: read, write, and delete, which takes it back.

use serde_json::Value;
use strongroom_engine::auth::{
    TOKEN_BOUND_CIDRS, TOKEN_MAX_TTL, TOKEN_NUM_USES, TOKEN_PERIOD, TOKEN_POLICIES, TOKEN_TTL,
};
use strongroom_engine::{Call, Cx, Endpoint, FieldSpec, Handler, JsonMap, Outcome, Refusal, Reply, Route};
use strongroom_types::Secret;

use crate::ROLE;
use crate::role::{self, BIND, BOUND, OLD_BOUND, OLD_PERIOD, OLD_POLICIES, TTL, USES};

/// A route for `path`, which shows and changes `fields`.
macro_rules! setting {
    ($path:literal, $help:literal, $fields:expr) => {
        Route {
            path: concat!("role/{role_name}/", $path),
            params: &[ROLE],
            help: $help,
            endpoints: &[
                Endpoint::read("Read the setting.", &[], |cx, call| read(cx, call, $fields)),
                Endpoint::write("Change the setting.", $fields, |cx, call| {
                    let given = |field: &&FieldSpec| call.fields.contains_key(field.name);
                    if !$fields.iter().any(|field| given(&field)) {
                        return Err(Refusal::bad_request("the setting's value is missing"));
                    }
                    change(cx, call, only(call, $fields))
                }),
                Endpoint::delete("Take the setting back to its default.", |cx, call| {
                    change(cx, call, cleared(call, $fields))
                }),
            ],
            ..Route::BASE
        }
    };
}

/// The routes of this file.
pub const ROUTES: [Route<Handler>; 12] = [
    setting!("policies", "The policies of tokens.", &[TOKEN_POLICIES.spec(), OLD_POLICIES.spec()]),
    setting!("bind-secret-id", "Whether a secret-id is needed.", &[BIND.spec()]),
    setting!("bound-cidr-list", "The networks to log in from.", &[OLD_BOUND.spec()]),
    setting!("secret-id-bound-cidrs", "The networks to log in from.", &[BOUND.spec()]),
    setting!("token-bound-cidrs", "The networks to use tokens from.", &[TOKEN_BOUND_CIDRS.spec()]),
    setting!("period", "The period of tokens.", &[TOKEN_PERIOD.spec(), OLD_PERIOD.spec()]),
    setting!("secret-id-num-uses", "How often a secret-id can be used.", &[USES.spec()]),
    setting!("secret-id-ttl", "How long a secret-id can be used.", &[TTL.spec()]),
    setting!("token-num-uses", "How often a token can be used.", &[TOKEN_NUM_USES.spec()]),
    setting!("token-ttl", "How long a token lives at first.", &[TOKEN_TTL.spec()]),
    setting!("token-max-ttl", "How long a token lives at most.", &[TOKEN_MAX_TTL.spec()]),
    Route {
        path: "role/{role_name}/local-secret-ids",
        params: &[ROLE],
        help: "Whether secret-ids stay on this cluster.",
        endpoints: &[Endpoint::read("Read the setting.", &[], |cx, call| {
            read(cx, call, &[role::LOCAL.spec()])
        })],
        ..Route::BASE
    },
];

fn read(cx: &Cx, call: &Call, fields: &[FieldSpec]) -> Result<Outcome, Refusal> {
    let (role, _) = role::find(cx, call)?.ok_or_else(Refusal::not_found)?;
    let mut shown = role.shown();
    let bound = shown.get(BOUND.spec().name).cloned().unwrap_or_default();
    shown.insert(OLD_BOUND.spec().name.to_owned(), bound);
    shown.retain(|name, _| fields.iter().any(|field| field.name == name));
    Ok(Outcome::reply(Reply::data(shown.into())))
}

fn change(cx: &Cx, call: &Call, asked: Call) -> Result<Outcome, Refusal> {
    let (mut role, entry) = role::required(cx, call)?;
    role.take(&asked)?;
    Ok(Outcome::done(role::put(cx, &role, Some(&entry), Some(&role.role_id))?))
}

/// `call` with these fields alone: of others the same route says nothing.
fn only(call: &Call, fields: &[FieldSpec]) -> Call {
    let is_ours = |name: &String| fields.iter().any(|field| field.name == name.as_str());
    let own = |map: &JsonMap| -> JsonMap {
        map.iter()
            .filter(|(name, _)| is_ours(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    asked(call, own(&call.fields), JsonMap::new())
}

/// `call` as if it said null for each of these fields.
fn cleared(call: &Call, fields: &[FieldSpec]) -> Call {
    let nulls = fields.iter().map(|field| (field.name.to_owned(), Value::Null)).collect();
    asked(call, JsonMap::new(), nulls)
}

fn asked(call: &Call, fields: JsonMap, body: JsonMap) -> Call {
    Call {
        operation: call.operation,
        params: call.params.clone(),
        fields,
        raw: Secret::from(Value::from(body).to_string()),
        after: None,
        limit: None,
    }
}
