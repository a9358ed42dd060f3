//! `auth/token/create` and `create-orphan`.

use serde_json::Value;
use strongroom_engine::{Field, FieldSpec, Seconds};
use strongroom_policy::PolicyName;
use strongroom_types::{JsonMap, Refusal, Secret};

use super::renew::capped;
use super::routes::{auth_reply, has_sudo, in_view, own, reader, seconds};
use super::{Known, ROOT, TokenRecord, Wish, name};
use crate::perform::{Scene, Work};

const ID: Field<String> = Field::new("id", "The token itself, instead of a random one; needs sudo.");
const POLICIES: Field<Vec<String>> = Field::new("policies", "The policies; the maker's own by default.");
const META: Field<JsonMap> = Field::new("meta", "Text by text, shown in look-ups and in the audit log.");
const NO_PARENT: Field<bool> = Field::new("no_parent", "Whether it outlives its maker; needs sudo.");
const NO_DEFAULT: Field<bool> = Field::new("no_default_policy", "Whether the default policy is left out.");
const RENEWABLE: Field<bool> = Field::new("renewable", "Whether it may be renewed; true by default.");
const TTL: Field<Seconds> = Field::new("ttl", "How long it lives.");
const LEASE: Field<Seconds> = Field::new("lease", "The older name of 'ttl'.");
const TYPE: Field<String> = Field::new("type", "service.");
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

pub(super) fn create(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let orphan = scene.request.stage.call.get(&NO_PARENT).unwrap_or_default();
    if orphan && !has_sudo(scene)? {
        return Err(Refusal::bad_request("root or sudo privileges required to create orphan token"));
    }
    make(scene, orphan)
}

pub(super) fn create_orphan(scene: &Scene<'_>) -> Result<Work, Refusal> {
    make(scene, true)
}

fn make(scene: &Scene<'_>, orphan: bool) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    // It may have been revoked while this request waited for its turn.
    let parent = &own(scene)?;
    let sudo = has_sudo(scene)?;
    if parent.record.num_uses > 0 {
        return Err(Refusal::bad_request("restricted use token cannot generate child tokens"));
    }
    match call.get(&TYPE).as_deref() {
        None | Some("" | "default" | "service") => {}
        Some("batch") => return Err(Refusal::bad_request("batch tokens are not available")),
        Some(_) => return Err(Refusal::bad_request("invalid 'type' value")),
    }
    if call.get(&ALIAS).is_some_and(|alias| !alias.is_empty()) {
        return Err(Refusal::bad_request("'entity_alias' is only allowed in combination with token role"));
    }
    let period = seconds(call.get(&PERIOD), "period")?;
    if period > 0 && !sudo {
        return Err(Refusal::bad_request("root or sudo privileges required to create periodic token"));
    }
    let policies = child_policies(scene, &parent.record, sudo)?;
    let is_root = policies.iter().any(|policy| policy == ROOT);
    let (ttl, warnings) = first_ttl(scene, parent, is_root, period)?;
    let id = chosen_id(scene, sudo)?;
    let display_name = match call.get(&DISPLAY_NAME).filter(|name| !name.is_empty()) {
        Some(name) => format!("token-{}", sanitised(&name)),
        None => "token".into(),
    };
    let wish = Wish {
        id,
        policies,
        path: scene.request.head.path.as_str().to_owned(),
        meta: call.get(&META).map(texts).transpose()?,
        display_name,
        ttl,
        explicit_max_ttl: seconds(call.get(&MAX_TTL), "explicit_max_ttl")?,
        period,
        num_uses: u64::try_from(call.get(&NUM_USES).unwrap_or(0))
            .map_err(|_| Refusal::bad_request("number of uses cannot be negative"))?,
        renewable: call.get(&RENEWABLE).unwrap_or(true) && ttl > 0,
        parent: (!orphan).then(|| parent.key.clone()),
    };
    let active = scene.active;
    let minted = active.tokens.mint(wish, active.entropy.as_ref(), scene.now)?;
    let writes = in_view(scene, minted.writes);
    Ok(Work { writes, ..Work::reply(auth_reply(minted.auth, warnings)) })
}

/// The canonical policies of a child: its own wish within what its maker may give.
fn child_policies(scene: &Scene<'_>, parent: &TokenRecord, sudo: bool) -> Result<Vec<String>, Refusal> {
    let call = &scene.request.stage.call;
    let wished = call.get(&POLICIES).unwrap_or_default();
    let mut policies = Vec::new();
    for wish in &wished {
        let canonical = PolicyName::parse(wish).map_err(|error| Refusal::bad_request(error.to_string()))?;
        policies.push(canonical.as_str().to_owned());
    }
    if policies.is_empty() {
        policies.clone_from(&parent.policies);
    }
    if call.get(&NO_DEFAULT).unwrap_or_default() {
        policies.retain(|policy| policy != "default" || wished.iter().any(|wish| wish == "default"));
    } else if !policies.iter().any(|policy| policy == ROOT) {
        policies.push("default".into());
    }
    policies.sort();
    policies.dedup();
    if policies.iter().any(|policy| policy == "response-wrapping") {
        return Err(Refusal::bad_request("cannot assign policy \"response-wrapping\""));
    }
    if policies.iter().any(|policy| policy == ROOT) {
        if !parent.is_root() {
            return Err(Refusal::bad_request(
                "root tokens may not be created without parent token being root",
            ));
        }
        policies = vec![ROOT.to_owned()];
    }
    let held = |policy: &String| policy == "default" || parent.policies.contains(policy);
    if !sudo && !policies.iter().all(held) {
        return Err(Refusal::bad_request("child policies must be subset of parent"));
    }
    Ok(policies)
}

/// How long a new token lives, and what to warn of.
fn first_ttl(
    scene: &Scene<'_>,
    parent: &Known,
    is_root: bool,
    period: i64,
) -> Result<(i64, Vec<String>), Refusal> {
    let call = &scene.request.stage.call;
    let wished = seconds(call.get(&TTL).or_else(|| call.get(&LEASE)), "ttl")?;
    let explicit = seconds(call.get(&MAX_TTL), "explicit_max_ttl")?;
    let settings = &scene.active.settings;
    if is_root && wished == 0 && period == 0 && explicit == 0 {
        if parent.record.expires.is_some() {
            return Err(Refusal::bad_request("expiring root tokens cannot create non-expiring root tokens"));
        }
        return Ok((0, Vec::new()));
    }
    let base = if period > 0 {
        period
    } else if wished > 0 {
        wished
    } else {
        settings.default_lease_ttl
    };
    let max = if explicit > 0 { explicit.min(settings.max_lease_ttl) } else { settings.max_lease_ttl };
    Ok(capped(base, max))
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
    let at = name(&["id", &scene.active.tokens.key(&id)])?;
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
