//! Which bcrypt hashes from elsewhere a mount has: by what they cost, each until its first login.
//!
//! A bcrypt hash costs other work than one of ours. So that a refused login does not tell by it who has one, each refused
//! login of a mount that has any does the work of both kinds ([`Hash::fill_up`]): once Argon2id, and as much of bcrypt as
//! the most costly of them asks for.

use strongroom_engine::{Cx, Name, Refusal, Write};

use crate::hash::Hash;

const FOREIGN: &str = "foreign";

/// Where it stands that the user has a bcrypt hash of this cost.
fn name_of(cost: u32, user: &str) -> Result<Name, Refusal> {
    Name::new([FOREIGN, &format!("{cost:02}"), user]).map_err(Refusal::fault)
}

/// What has to be written when the user's hash `before` gives way to `after`.
pub fn changed(user: &str, before: Option<&Hash>, after: Option<&Hash>) -> Result<Vec<Write>, Refusal> {
    let (before, after) = (before.and_then(Hash::bcrypt_cost), after.and_then(Hash::bcrypt_cost));
    let mut writes = Vec::new();
    if before != after {
        writes.extend(before.map(|cost| name_of(cost, user)).transpose()?.map(Write::delete));
        writes
            .extend(after.map(|cost| name_of(cost, user)).transpose()?.map(|at| Write::put(at, Vec::new())));
    }
    Ok(writes)
}

/// The highest cost that a hash of the mount has; `None` if all are ours.
pub fn highest_cost(cx: &Cx) -> Result<Option<u32>, Refusal> {
    let all = Name::new([FOREIGN]).map_err(Refusal::fault)?;
    let costs = cx.view.list(&all, None, None).map_err(Refusal::fault)?;
    Ok(costs.iter().filter_map(|cost| cost.trim_end_matches('/').parse().ok()).max())
}
