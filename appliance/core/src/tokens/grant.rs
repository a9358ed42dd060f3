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
    match role.filter(|role| role.speaks_of_policies()) {
        Some(role) => of_role(parent, role, wished, without_default),
        None => {
            let without_default = without_default || role.is_some_and(|role| role.no_default_policy);
            of_parent(parent, wished, without_default, sudo)
        }
    }
}

/// Without a role that says otherwise: no more than the parent has. Whoever has `sudo` may give anything but root.
fn of_parent(
    parent: &TokenRecord,
    wished: Vec<String>,
    without_default: bool,
    sudo: bool,
) -> Result<Vec<String>, Refusal> {
    let mut policies = if wished.is_empty() { parent.policies.clone() } else { wished.clone() };
    if without_default {
        policies.retain(|policy| policy != DEFAULT || wished.contains(policy));
    } else if !policies.iter().any(|policy| policy == ROOT) {
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
    let held = |policy: &String| policy == DEFAULT || parent.policies.contains(policy);
    if !sudo && !policies.iter().all(held) {
        return Err(Refusal::bad_request("child policies must be subset of parent"));
    }
    Ok(policies)
}

/// By a role that says which policies its tokens may hold: those, whatever the maker has. Never root, not even for
/// root: a role is what others may use.
fn of_role(
    parent: &TokenRecord,
    role: &RoleRecord,
    wished: Vec<String>,
    without_default: bool,
) -> Result<Vec<String>, Refusal> {
    let adds_default = !without_default && !role.no_default_policy && !role.disallows(DEFAULT);
    let given = |mut policies: Vec<String>| {
        if adds_default {
            policies.push(DEFAULT.into());
        }
        sorted(policies)
    };
    let allowed = given(role.allowed_policies.clone());
    let policies = match (wished.is_empty(), role.has_allowed()) {
        (false, _) => given(wished),
        (true, true) => allowed.clone(),
        (true, false) => given(parent.policies.clone()),
    };
    if policies.iter().any(|policy| policy == ROOT) {
        return Err(Refusal::bad_request("a role with policies of its own never gives the policy \"root\""));
    }
    if role.has_allowed() && !policies.iter().all(|policy| allowed.contains(policy) || role.allows(policy)) {
        return Err(Refusal::bad_request("token policies must be subset of the role's allowed policies"));
    }
    if policies.iter().any(|policy| role.disallows(policy)) {
        return Err(Refusal::bad_request("the role disallows one of the token's policies"));
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
