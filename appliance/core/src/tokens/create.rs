//! `auth/token/create`, `create-orphan` and `create/<role>`.

use serde_json::Value;
use strongroom_engine::{Field, FieldSpec, Seconds};
use strongroom_types::cidr::narrowed;
use strongroom_types::{JsonMap, Refusal, Secret};

use super::grant::{self, child_policies};
use super::renew::capped;
use super::role::{self, RoleRecord, glob_matches};
use super::role_routes::ROLE;
use super::routes::{asker, auth_reply, in_view, own, reader, seconds};
use super::{Known, ROOT, Wish, record_name};
use crate::metrics::births::Birth;
use crate::perform::{After, Scene, Work};

const ID: Field<String> = Field::new("id", "The token itself, instead of a random one; needs sudo.");
pub(super) const POLICIES: Field<Vec<String>> =
    Field::new("policies", "The policies; the maker's own by default.");
const META: Field<JsonMap> = Field::new("meta", "Text by text, shown in look-ups and in the audit log.");
const NO_PARENT: Field<bool> = Field::new("no_parent", "Whether it outlives its maker; needs sudo.");
pub(super) const NO_DEFAULT: Field<bool> =
    Field::new("no_default_policy", "Whether the default policy is left out.");
const RENEWABLE: Field<bool> = Field::new("renewable", "Whether it may be renewed; true by default.");
const TTL: Field<Seconds> = Field::new("ttl", "How long it lives.");
const LEASE: Field<Seconds> = Field::new("lease", "The older name of 'ttl'.");
const TYPE: Field<String> = Field::new("type", "service or batch.");
const MAX_TTL: Field<Seconds> =
    Field::new("explicit_max_ttl", "How long it lives at most, whatever is renewed.");
const DISPLAY_NAME: Field<String> = Field::new("display_name", "For people.");
const NUM_USES: Field<i64> = Field::new("num_uses", "How often it may be used; 0 is unlimited.");
const PERIOD: Field<Seconds> = Field::new("period", "What each renewal gives; needs sudo.");
const ALIAS: Field<String> = Field::new("entity_alias", "Only with a role that allows it.");

pub(super) const CREATE: &[FieldSpec] = &[
    ID.spec(),
    POLICIES.spec(),
    META.spec(),
    NO_PARENT.spec(),
    NO_DEFAULT.spec(),
    RENEWABLE.spec(),
    TTL.spec(),
    LEASE.spec(),
    TYPE.spec(),
    MAX_TTL.spec(),
    DISPLAY_NAME.spec(),
    NUM_USES.spec(),
    PERIOD.spec(),
    ALIAS.spec(),
];

/// How a token is made.
struct Way {
    orphan: bool,
    /// Its name and what it says.
    role: Option<(String, RoleRecord)>,
}

pub(super) fn create(scene: &Scene<'_>) -> Result<Work, Refusal> {
    make(scene, Way { orphan: false, role: None })
}

pub(super) fn create_orphan(scene: &Scene<'_>) -> Result<Work, Refusal> {
    make(scene, Way { orphan: true, role: None })
}

pub(super) fn create_by_role(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let name = scene.request.stage.call.param(ROLE.name);
    let found = role::find(&reader(scene), name)?;
    let (role, _) = found.ok_or_else(|| Refusal::bad_request("unknown role"))?;
    make(scene, Way { orphan: role.orphan, role: Some((name.to_owned(), role)) })
}

fn make(scene: &Scene<'_>, way: Way) -> Result<Work, Refusal> {
    if asker(scene)?.known.record.batch {
        return Err(Refusal::bad_request("batch tokens cannot create more tokens"));
    }
    // It may have been revoked while this request waited for its turn.
    let parent = &own(scene)?;
    let sudo = scene.request.stage.has_sudo(scene.now);
    if parent.record.num_uses > 0 {
        return Err(Refusal::bad_request("restricted use token cannot generate child tokens"));
    }
    let call = &scene.request.stage.call;
    let no_parent = call.get(&NO_PARENT).unwrap_or_default();
    if no_parent && !way.orphan && !sudo {
        return Err(Refusal::bad_request("root or sudo privileges required to create orphan token"));
    }
    let role = way.role.as_ref().map(|(_, role)| role);
    check_alias(scene, role)?;
    let policies = child_policies(scene, &parent.record, role, sudo)?;
    let times = times(scene, parent, role, &policies, sudo)?;
    let num_uses = num_uses(scene, role)?;
    let batch = is_batch(scene, role)?;
    if batch {
        check_batch(&policies, &times, num_uses)?;
    }
    let id = chosen_id(scene, sudo)?;
    if batch && id.is_some() {
        return Err(Refusal::bad_request("the id of a batch token cannot be chosen"));
    }
    let bound_cidrs = narrowed(&parent.record.bound_cidrs, role.map_or(&[], |role| &role.bound_cidrs));
    let bound_cidrs = bound_cidrs.ok_or_else(|| {
        Refusal::bad_request("the role's networks and those of the caller's token have nothing in common")
    })?;
    let display_name = match call.get(&DISPLAY_NAME).filter(|name| !name.is_empty()) {
        Some(name) => format!("token-{}", sanitised(&name)),
        None => "token".into(),
    };
    let is_orphan = way.orphan || no_parent;
    if !is_orphan {
        scene.active.tokens.check_generation(&reader(scene), &parent.record, scene.now)?;
    }
    let may_renew = call.get(&RENEWABLE).unwrap_or(true) && role.is_none_or(|role| role.renewable);
    let path = match &way.role {
        Some((name, role)) => role.path(name),
        None => scene.request.head.path.as_str().to_owned(),
    };
    let mut warnings = times.warnings;
    warnings.extend(grant::missing(scene, &policies));
    let wish = Wish {
        id,
        policies,
        path,
        meta: call.get(&META).map(texts).transpose()?,
        display_name,
        ttl: times.ttl,
        explicit_max_ttl: times.explicit_max,
        period: times.period,
        num_uses,
        renewable: may_renew && times.ttl > 0 && !batch,
        parent: (!is_orphan).then(|| parent.key.clone()),
        bound_cidrs,
        role: way.role.map(|(name, _)| name).unwrap_or_default(),
        batch,
        login_role: String::new(),
        login: None,
    };
    let active = scene.active;
    // Only what ends by itself is a lease.
    let is_lease = times.ttl > 0 && !batch;
    let seat = if is_lease { active.seat(&wish.path, "")? } else { None };
    let begun = active.clock.reading();
    let minted = active.tokens.mint(wish, active.entropy.as_ref(), scene.now)?;
    active.measure(&active.metrics.token_create, begun);
    let born = After::Born(Birth::new("token", times.ttl, batch));
    let writes = in_view(scene, minted.writes);
    Ok(Work { writes, seat, ..Work::reply(auth_reply(minted.auth, warnings)) }.then([born]))
}

fn is_batch(scene: &Scene<'_>, role: Option<&RoleRecord>) -> Result<bool, Refusal> {
    let wished = match scene.request.stage.call.get(&TYPE).as_deref() {
        None | Some("" | "default") => None,
        Some("service") => Some(false),
        Some("batch") => Some(true),
        Some(_) => return Err(Refusal::bad_request("invalid 'type' value")),
    };
    Ok(role.map_or(wished.unwrap_or(false), |role| role.token_type.is_batch(wished)))
}

/// What cannot be written again can neither be counted nor prolonged, and one that cannot be revoked must end.
fn check_batch(policies: &[String], times: &Times, num_uses: u64) -> Result<(), Refusal> {
    let refused = |what: &'static str| Err(Refusal::bad_request(what));
    if policies.iter().any(|policy| policy == ROOT) {
        return refused("batch tokens cannot be root tokens");
    }
    if times.period > 0 {
        return refused("batch tokens cannot have a period");
    }
    if times.explicit_max > 0 {
        return refused("batch tokens cannot have an explicit maximum: their 'ttl' is one");
    }
    if num_uses > 0 {
        return refused("batch tokens cannot have a limited number of uses");
    }
    Ok(())
}

fn check_alias(scene: &Scene<'_>, role: Option<&RoleRecord>) -> Result<(), Refusal> {
    let Some(alias) = scene.request.stage.call.get(&ALIAS).filter(|alias| !alias.is_empty()) else {
        return Ok(());
    };
    let Some(role) = role else {
        return Err(Refusal::bad_request("'entity_alias' is only allowed in combination with token role"));
    };
    let alias = alias.to_lowercase();
    let allowed = role.allowed_entity_aliases.iter().flatten();
    match allowed.into_iter().any(|allowed| glob_matches(&allowed.to_lowercase(), &alias)) {
        true => Err(Refusal::bad_request("'entity_alias' is not available: there are no entities yet")),
        false => Err(Refusal::bad_request("invalid 'entity_alias' value: the role does not allow it")),
    }
}

fn num_uses(scene: &Scene<'_>, role: Option<&RoleRecord>) -> Result<u64, Refusal> {
    let wished = scene.request.stage.call.get(&NUM_USES).unwrap_or(0);
    let wished =
        u64::try_from(wished).map_err(|_| Refusal::bad_request("number of uses cannot be negative"))?;
    Ok(least(wished, role.map_or(0, |role| role.num_uses)))
}

/// The smaller of two limits, of which 0 is none.
pub fn least<T: Ord + Default>(one: T, other: T) -> T {
    match (one == T::default(), other == T::default()) {
        (true, _) => other,
        (_, true) => one,
        _ => one.min(other),
    }
}

/// How long a new token lives.
struct Times {
    /// Seconds; 0 is for ever.
    ttl: i64,
    /// What was wished; what the role says is asked again at each renewal.
    explicit_max: i64,
    period: i64,
    warnings: Vec<String>,
}

fn times(
    scene: &Scene<'_>,
    parent: &Known,
    role: Option<&RoleRecord>,
    policies: &[String],
    sudo: bool,
) -> Result<Times, Refusal> {
    let call = &scene.request.stage.call;
    let settings = &scene.active.settings;
    let wished_period = seconds(call.get(&PERIOD), "period")?;
    if wished_period > 0 && !sudo {
        return Err(Refusal::bad_request("root or sudo privileges required to create periodic token"));
    }
    let period = role.map(|role| role.period).filter(|period| *period > 0).unwrap_or(wished_period);
    let wished = seconds(call.get(&TTL).or_else(|| call.get(&LEASE)), "ttl")?;
    let explicit_max = seconds(call.get(&MAX_TTL), "explicit_max_ttl")?;
    let most = least(explicit_max, role.map_or(0, |role| role.explicit_max_ttl));
    let is_root = policies.iter().any(|policy| policy == ROOT);
    if is_root && wished == 0 && period == 0 && most == 0 {
        if parent.record.expires.is_some() {
            return Err(Refusal::bad_request("expiring root tokens cannot create non-expiring root tokens"));
        }
        return Ok(Times { ttl: 0, explicit_max, period, warnings: Vec::new() });
    }
    let base = match (period, wished) {
        (0, 0) => settings.default_lease_ttl,
        (0, wished) => wished,
        (period, _) => period,
    };
    let (ttl, warnings) = capped(base, least(most, settings.max_lease_ttl));
    Ok(Times { ttl, explicit_max, period, warnings })
}

/// A chosen id: only for those with sudo, and never one that looks like ours.
fn chosen_id(scene: &Scene<'_>, sudo: bool) -> Result<Option<Secret>, Refusal> {
    let Some(id) = scene.request.stage.call.get(&ID).filter(|id| !id.is_empty()) else { return Ok(None) };
    if !sudo {
        return Err(Refusal::bad_request("root or sudo privileges required to specify token id"));
    }
    super::check_chosen(&id)?;
    let id = Secret::from(id);
    // Also one that has expired and is not swept yet.
    let at = record_name(&scene.active.tokens.key(&id))?;
    if reader(scene).get(&at).map_err(crate::fault::barrier)?.is_some() {
        return Err(Refusal::bad_request("cannot create a token with a duplicate ID"));
    }
    Ok(Some(id))
}

fn sanitised(display_name: &str) -> String {
    let kept = display_name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    kept.take(256).collect()
}

fn texts(meta: JsonMap) -> Result<JsonMap, Refusal> {
    if meta.values().all(Value::is_string) {
        return Ok(meta);
    }
    Err(Refusal::bad_request("'meta' must be an object of strings"))
}
