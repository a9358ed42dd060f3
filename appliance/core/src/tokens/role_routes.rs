//! `auth/token/roles`.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route, Seconds};
use strongroom_types::{Operation, Refusal, Reply, cidr};

use super::role::{RoleRecord, TokenType, find, is_name, is_suffix, lasting, name_of, name_of_all, refused};
use super::routes::{in_view, reader, seconds};
use crate::fault::{barrier, damaged};
use crate::perform::{Run, Scene, SystemHandler, Work};

type Texts = Field<Vec<String>>;

const ALLOWED: Texts =
    Field::new("allowed_policies", "What its tokens may hold, instead of the maker's own.");
const DISALLOWED: Texts = Field::new("disallowed_policies", "What its tokens never hold.");
const ALLOWED_GLOB: Texts = Field::new("allowed_policies_glob", "The same; * stands for any text.");
const DISALLOWED_GLOB: Texts = Field::new("disallowed_policies_glob", "The same; * stands for any text.");
const ORPHAN: Field<bool> = Field::new("orphan", "Whether its tokens have no parent.");
const RENEWABLE: Field<bool> = Field::new("renewable", "Whether its tokens may be renewed; true by default.");
const SUFFIX: Field<String> = Field::new("path_suffix", "Ends the path that its tokens are made at.");
const ALIASES: Texts = Field::new("allowed_entity_aliases", "The aliases a token may be made for.");
const BOUND: Texts = Field::new("token_bound_cidrs", "The networks that its tokens may be used from.");
const OLD_BOUND: Texts = Field::new("bound_cidrs", "The older name of 'token_bound_cidrs'.");
const MAX_TTL: Field<Seconds> = Field::new("token_explicit_max_ttl", "How long its tokens live at most.");
const OLD_MAX_TTL: Field<Seconds> =
    Field::new("explicit_max_ttl", "The older name of 'token_explicit_max_ttl'.");
const PERIOD: Field<Seconds> = Field::new("token_period", "What each renewal gives.");
const OLD_PERIOD: Field<Seconds> = Field::new("period", "The older name of 'token_period'.");
const NO_DEFAULT: Field<bool> =
    Field::new("token_no_default_policy", "Whether the default policy is left out.");
const NUM_USES: Field<i64> =
    Field::new("token_num_uses", "How often its tokens may be used; 0 is unlimited.");
const TYPE: Field<String> = Field::new("token_type", "service, batch, default-service or default-batch.");

const FIELDS: &[FieldSpec] = &[
    ALLOWED.spec(),
    DISALLOWED.spec(),
    ALLOWED_GLOB.spec(),
    DISALLOWED_GLOB.spec(),
    ORPHAN.spec(),
    RENEWABLE.spec(),
    SUFFIX.spec(),
    ALIASES.spec(),
    BOUND.spec(),
    OLD_BOUND.spec(),
    MAX_TTL.spec(),
    OLD_MAX_TTL.spec(),
    PERIOD.spec(),
    OLD_PERIOD.spec(),
    NO_DEFAULT.spec(),
    NUM_USES.spec(),
    TYPE.spec(),
];

/// The name of a role in a path.
pub(super) const ROLE: Param =
    Param { name: "role_name", help: "The name of the role.", kind: ParamKind::Exact };

/// The routes of this file.
pub(super) const ROUTES: &[Route<Run>] = &[
    Route {
        path: "roles",
        help: "All roles.",
        endpoints: &[Endpoint { run: Run::Blocking(list), ..on(Operation::List, "List the roles.", list) }],
        ..Route::BASE
    },
    Route {
        path: "roles/{role_name}",
        params: &[ROLE],
        help: "What the tokens of a role may be.",
        endpoints: &[
            on(Operation::Read, "Read the role.", read),
            Endpoint {
                operation: Operation::Update,
                summary: "Make or change the role.",
                fields: FIELDS,
                body: Body::Json,
                run: Run::Free(write),
            },
            on(Operation::Delete, "Remove the role.", remove),
        ],
        ..Route::BASE
    },
];

const fn on(operation: Operation, summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation, summary, fields: &[], body: Body::None, run: Run::Free(run) }
}

fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let names = reader(scene).list(&name_of_all()?, call.after.as_deref(), call.limit).map_err(barrier)?;
    Ok(Work::reply(Reply::keys(names)))
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param(ROLE.name);
    let (role, _) = find(&reader(scene), name)?.ok_or_else(Refusal::not_found)?;
    Ok(Work::reply(Reply::data(shown(name, &role))))
}

fn shown(name: &str, role: &RoleRecord) -> Value {
    let old = |set_by_old_name: bool, value: i64| if set_by_old_name { value } else { 0 };
    let mut data = json!({
        "allowed_entity_aliases": role.allowed_entity_aliases,
        "allowed_policies": role.allowed_policies,
        "allowed_policies_glob": role.allowed_policies_glob,
        "disallowed_policies": role.disallowed_policies,
        "disallowed_policies_glob": role.disallowed_policies_glob,
        "explicit_max_ttl": old(role.explicit_max_ttl_by_old_name, role.explicit_max_ttl),
        "name": name,
        "orphan": role.orphan,
        "path_suffix": role.path_suffix,
        "period": old(role.period_by_old_name, role.period),
        "renewable": role.renewable,
        "token_explicit_max_ttl": role.explicit_max_ttl,
        "token_no_default_policy": role.no_default_policy,
        "token_num_uses": role.num_uses,
        "token_period": role.period,
        "token_type": role.token_type.name(),
    });
    if let (Some(data), false) = (data.as_object_mut(), role.bound_cidrs.is_empty()) {
        data.insert("token_bound_cidrs".into(), json!(role.bound_cidrs));
    }
    data
}

fn write(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let name = call.param(ROLE.name);
    if !is_name(name) {
        return Err(Refusal::bad_request(
            "a role's name begins and ends with a letter, a digit or '_', and has no more than these, '-' and '.'",
        ));
    }
    let seen = find(&reader(scene), name)?;
    let (mut role, seen) = match seen {
        Some((role, seen)) => (role, Some(seen)),
        None => (RoleRecord::new(), None),
    };
    take_policies(scene, &mut role)?;
    take_times(scene, &mut role)?;
    // A list that is null is emptied, as clients expect.
    if let Some(aliases) = call.setting(&ALIASES) {
        role.allowed_entity_aliases = (!aliases.is_empty()).then_some(aliases);
    }
    if let Some(given) = call.setting(&BOUND).or_else(|| call.setting(&OLD_BOUND)) {
        role.bound_cidrs = cidr::parse_all(BOUND.spec().name, &given)?;
    }
    if let Some(suffix) = call.get(&SUFFIX) {
        if !is_suffix(&suffix) {
            return Err(Refusal::bad_request("'path_suffix' must be plain segments of a path"));
        }
        role.path_suffix = suffix;
    }
    if let Some(text) = call.get(&TYPE) {
        role.token_type =
            TokenType::parse(&text).ok_or_else(|| Refusal::bad_request("invalid value for 'token_type'"))?;
    }
    role.orphan = call.get(&ORPHAN).unwrap_or(role.orphan);
    role.renewable = call.get(&RENEWABLE).unwrap_or(role.renewable);
    role.no_default_policy = call.get(&NO_DEFAULT).unwrap_or(role.no_default_policy);
    if let Some(uses) = call.get(&NUM_USES) {
        role.num_uses =
            u64::try_from(uses).map_err(|_| Refusal::bad_request("'token_num_uses' cannot be negative"))?;
    }
    role.check()?;
    let body = serde_json::to_vec(&role).map_err(damaged)?;
    let write = Write::put(name_of(name)?, body).if_unchanged(seen.as_ref());
    Ok(Work::done(in_view(scene, vec![write])))
}

fn take_policies(scene: &Scene<'_>, role: &mut RoleRecord) -> Result<(), Refusal> {
    let call = &scene.request.stage.call;
    if let Some(given) = call.setting(&ALLOWED) {
        role.allowed_policies = lasting(&given)?;
    }
    if let Some(given) = call.setting(&DISALLOWED) {
        role.disallowed_policies = refused(&given)?;
    }
    if let Some(given) = call.setting(&ALLOWED_GLOB) {
        role.allowed_policies_glob = lasting(&given)?;
    }
    if let Some(given) = call.setting(&DISALLOWED_GLOB) {
        role.disallowed_policies_glob = refused(&given)?;
    }
    Ok(())
}

fn take_times(scene: &Scene<'_>, role: &mut RoleRecord) -> Result<(), Refusal> {
    let call = &scene.request.stage.call;
    let either = |new: &Field<Seconds>, old: &Field<Seconds>| match (call.get(new), call.get(old)) {
        (Some(given), _) => seconds(Some(given), new.spec().name).map(|secs| Some((secs, false))),
        (None, Some(given)) => seconds(Some(given), old.spec().name).map(|secs| Some((secs, true))),
        (None, None) => Ok(None),
    };
    if let Some(period) = either(&PERIOD, &OLD_PERIOD)? {
        (role.period, role.period_by_old_name) = period;
    }
    if let Some(max) = either(&MAX_TTL, &OLD_MAX_TTL)? {
        (role.explicit_max_ttl, role.explicit_max_ttl_by_old_name) = max;
    }
    Ok(())
}

fn remove(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param(ROLE.name);
    match find(&reader(scene), name)? {
        Some(_) => Ok(Work::done(in_view(scene, vec![Write::delete(name_of(name)?)]))),
        None => Ok(Work::reply(Reply::Empty)),
    }
}
