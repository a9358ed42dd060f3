//! `auth/token/renew`, `renew-self` and `renew-accessor`.

use strongroom_barrier::Write;
use strongroom_types::time::format_duration;
use strongroom_types::{Refusal, Secret};

use super::create::least;
use super::routes::{
    INCREMENT, auth_reply, by_accessor, find, given_token, in_view, one_error, own, reader, seconds,
};
use super::tree::due;
use super::{Known, record_name, role};
use crate::fault::damaged;
use crate::logins;
use crate::perform::{Scene, Work};

pub(super) fn renew(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let token = given_token(scene)?;
    let known = find(scene, &token)?.ok_or_else(|| Refusal::bad_request("token not found"))?;
    prolong(scene, &known, token)
}

pub(super) fn renew_self(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let token = scene.request.head.token.as_ref().ok_or_else(Refusal::denied)?;
    prolong(scene, own(scene)?.as_ref(), Secret::copy_of(token.expose()))
}

pub(super) fn renew_accessor(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let known = by_accessor(scene)?.ok_or_else(|| one_error("invalid accessor"))?;
    prolong(scene, &known, Secret::from(Vec::new()))
}

fn prolong(scene: &Scene<'_>, known: &Known, token: Secret) -> Result<Work, Refusal> {
    let begun = scene.active.clock.reading();
    let work = prolonged(scene, known, token);
    scene.active.measure(&scene.active.metrics.token_renew, begun);
    work
}

fn prolonged(scene: &Scene<'_>, known: &Known, token: Secret) -> Result<Work, Refusal> {
    if known.record.batch {
        return Err(Refusal::bad_request("batch tokens cannot be renewed"));
    }
    let mut record = known.record.clone();
    if !record.renewable || record.expires.is_none() {
        return Err(Refusal::bad_request("lease is not renewable"));
    }
    let mut longest = scene.active.settings.max_lease_ttl;
    let wished = seconds(scene.request.stage.call.get(&INCREMENT), "increment")?;
    let mut explicit = record.explicit_max_ttl;
    if !record.role.is_empty() {
        // What the role says now, not what it said when the token was made.
        let (role, _) = role::find(&reader(scene), &record.role)?.ok_or_else(|| {
            Refusal::bad_request("the token's role is gone: the token lives as long as it has, and no longer")
        })?;
        if record.period > 0 || role.period > 0 {
            record.period = role.period;
        }
        explicit = least(explicit, role.explicit_max_ttl);
    }
    if let Some(login) = record.login.clone() {
        // Whether they could still log in, and what as.
        let (token, most) = logins::asked_again(scene, &login, &record)?;
        if record.period > 0 || token.period > 0 {
            record.period = token.period;
        }
        longest = most;
    }
    let base = match (record.period, wished) {
        (0, 0) => record.last_ttl.unwrap_or(record.creation_ttl),
        (0, wished) => wished,
        (period, _) => period,
    };
    let lived = scene.now.secs() - record.created.secs();
    let most = match (record.period, explicit) {
        (0, 0) => longest - lived,
        (0, explicit) => explicit.min(longest) - lived,
        (_, 0) => longest,
        // What is set for the token and what the system allows both hold, whatever the period.
        (_, explicit) => explicit.min(lived + longest) - lived,
    };
    if most <= 0 {
        return Err(Refusal::bad_request("past the max TTL, cannot renew"));
    }
    let (ttl, mut warnings) = capped(base, most);
    if let (Some(text), true) = (warnings.first_mut(), explicit > 0) {
        // The limit is spoken of as it was set, not as what is left of it.
        let (wished, most) = (short(base), short(explicit));
        *text = format!(
            "TTL of \"{wished}\" exceeded the effective max_ttl of \"{most}\"; TTL value is capped accordingly"
        );
    }
    record.expires = Some(scene.now.plus_secs(ttl));
    record.last_renewal = Some(scene.now);
    record.last_ttl = Some(ttl);
    record.era = scene.active.clock.era();
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let mut writes = vec![Write::put(record_name(&known.key)?, body).if_unchanged(Some(known.stored()?))];
    let (old, new) = (due(&known.key, &known.record)?, due(&known.key, &record)?);
    if old != new {
        writes.extend(old.map(|(minute, name)| Write::delete(name).due(minute)));
        writes.extend(new.map(|(minute, name)| Write::put(name, Vec::new()).due(minute)));
    }
    let reply = auth_reply(record.auth(token, scene.now), warnings);
    Ok(Work { writes: in_view(scene, writes), ..Work::reply(reply) })
}

/// `ttl`, but at most `max`, and what to warn of.
pub fn capped(ttl: i64, max: i64) -> (i64, Vec<String>) {
    if ttl <= max {
        return (ttl, Vec::new());
    }
    let (wished, most) = (short(ttl), short(max));
    let text = format!(
        "TTL of \"{wished}\" exceeded the effective max_ttl of \"{most}\"; TTL value is capped accordingly"
    );
    (max, vec![text])
}

/// `5h0m0s` as `5h`: how these warnings write durations.
fn short(secs: i64) -> String {
    let text = format_duration(secs.saturating_mul(1_000_000_000));
    let text = text.strip_suffix("m0s").map_or(text.clone(), |minutes| format!("{minutes}m"));
    text.strip_suffix("h0m").map_or(text.clone(), |hours| format!("{hours}h"))
}
