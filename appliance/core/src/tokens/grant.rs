//! The policies that a token may give to its children.

use strongroom_policy::PolicyName;
use strongroom_policy::builtin::DEFAULT;
use strongroom_types::Refusal;

use super::create::{NO_DEFAULT, POLICIES};
use super::role::RoleRecord;
use super::{ROOT, TokenRecord};
use crate::perform::Scene;

/// The canonical policies of a child: its own wish within what its maker, or the role, may give.
pub(super) fn child_policies(
    scene: &Scene<'_>,
    parent: &TokenRecord,
    role: Option<&RoleRecord>,
    sudo: bool,
) -> Result<Vec<String>, Refusal> {
    let call = &scene.request.stage.call;
    let mut wished = Vec::new();
    for wish in call.get(&POLICIES).unwrap_or_default() {
        // Before anything is compared: no spelling of a name passes for another one.
        let canonical = PolicyName::parse(&wish).and_then(|name| name.check_assign().map(|()| name));
        let canonical = canonical.map_err(|error| Refusal::bad_request(error.to_string()))?;
        wished.push(canonical.as_str().to_owned());
    }
    let without_default = call.get(&NO_DEFAULT).unwrap_or_default();
    let without_default =
        without_default || role.is_some_and(|role| role.no_default_policy || role.disallows(DEFAULT));
    let policies = match role.filter(|role| role.has_allowed()) {
        Some(role) => of_role(role, wished, without_default)?,
        None => of_parent(parent, wished, without_default, sudo)?,
    };
    let Some(role) = role.filter(|role| role.speaks_of_policies()) else { return Ok(policies) };
    // Not even for root: a role is what others may use.
    if policies.iter().any(|policy| policy == ROOT) {
        return Err(Refusal::bad_request("a role with policies of its own never gives the policy \"root\""));
    }
    if policies.iter().any(|policy| role.disallows(policy)) {
        return Err(Refusal::bad_request("the role disallows one of the token's policies"));
    }
    Ok(policies)
}

/// Without a role that says what is allowed: no more than the parent has, the default policy neither, which is added only
/// to the children of those that have it. Whoever has `sudo` may give anything but root.
fn of_parent(
    parent: &TokenRecord,
    wished: Vec<String>,
    without_default: bool,
    sudo: bool,
) -> Result<Vec<String>, Refusal> {
    let holds = |policy: &str| sudo || parent.policies.iter().any(|held| held == policy);
    let mut policies = if wished.is_empty() { parent.policies.clone() } else { wished.clone() };
    if without_default {
        policies.retain(|policy| policy != DEFAULT || wished.contains(policy));
    } else if holds(DEFAULT) && !policies.iter().any(|policy| policy == ROOT) {
        policies.push(DEFAULT.into());
    }
    let policies = sorted(policies);
    if policies.iter().any(|policy| policy == ROOT) {
        if !parent.is_root() {
            return Err(Refusal::bad_request(
                "root tokens may not be created without parent token being root",
            ));
        }
        return Ok(vec![ROOT.to_owned()]);
    }
    if !policies.iter().all(|policy| holds(policy)) {
        return Err(Refusal::bad_request("child policies must be subset of parent"));
    }
    Ok(policies)
}

/// By a role that says which policies its tokens may hold: those, whatever the maker has.
fn of_role(role: &RoleRecord, wished: Vec<String>, without_default: bool) -> Result<Vec<String>, Refusal> {
    let given = |mut policies: Vec<String>| {
        if !without_default {
            policies.push(DEFAULT.into());
        }
        sorted(policies)
    };
    let allowed = given(role.allowed_policies.clone());
    let policies = if wished.is_empty() { allowed.clone() } else { given(wished) };
    if !policies.iter().all(|policy| allowed.contains(policy) || role.allows(policy)) {
        return Err(Refusal::bad_request("token policies must be subset of the role's allowed policies"));
    }
    Ok(policies)
}

/// A warning for each policy that is not there: it allows nothing.
pub(super) fn missing(scene: &Scene<'_>, policies: &[String]) -> Vec<String> {
    let missing = policies.iter().filter(|policy| !scene.active.policies.has(policy));
    missing.map(|policy| format!("Policy \"{policy}\" does not exist")).collect()
}

fn sorted(mut policies: Vec<String>) -> Vec<String> {
    policies.sort();
    policies.dedup();
    policies
}
