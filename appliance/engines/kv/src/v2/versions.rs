//! `delete`, `undelete`, `destroy`: what happens to versions that are there.

use strongroom_engine::{Call, Cx, Field, FieldSpec, Outcome, Refusal, Write};
use strongroom_types::Timestamp;

use super::config::Config;
use super::key::{Found, Version, delete_version};

const VERSIONS: Field<Vec<i64>> = Field::new("versions", "The numbers of the versions.");

/// The body of all three.
pub const FIELDS: &[FieldSpec] = &[VERSIONS.required().spec()];

pub(super) fn delete_newest(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let Some(found) = Found::load(cx, call.param("path"))? else { return Ok(Outcome::done(Vec::new())) };
    let newest = found.key.current;
    take_away(found, &[newest], |version| mark_deleted(version, cx.now))
}

pub(super) fn delete(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let numbers = numbers(call, "No version number provided")?;
    let Some(found) = Found::load(cx, call.param("path"))? else { return Ok(Outcome::done(Vec::new())) };
    take_away(found, &numbers, |version| mark_deleted(version, cx.now))
}

/// A version that comes back lives as long as a new one.
pub(super) fn undelete(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let numbers = numbers(call, "No version number provided")?;
    let Some(found) = Found::load(cx, call.param("path"))? else { return Ok(Outcome::done(Vec::new())) };
    let (config, _) = Config::load(cx)?;
    let deletion_time = config.deletion_time(found.key.delete_after, cx.now);
    change(found, &numbers, |version| {
        let changes = !version.destroyed && version.deleted.is_some();
        if changes {
            version.deleted = deletion_time;
        }
        changes
    })
}

pub(super) fn destroy(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let numbers = numbers(call, "no version number provided")?;
    let path = call.param("path");
    let Some(found) = Found::load(cx, path)? else { return Ok(Outcome::done(Vec::new())) };
    let doomed = numbers.iter().filter(|number| found.key.versions.get(number).is_some_and(|v| !v.destroyed));
    let deletes: Vec<Write> = doomed.map(|number| delete_version(path, *number)).collect::<Result<_, _>>()?;
    let mut outcome = take_away(found, &numbers, |version| !std::mem::replace(&mut version.destroyed, true))?;
    outcome.writes.extend(deletes);
    Ok(outcome)
}

/// The numbers that are given; those that no version can have are left out.
fn numbers(call: &Call, none: &'static str) -> Result<Vec<u64>, Refusal> {
    let given = call.get(&VERSIONS).unwrap_or_default();
    if given.is_empty() {
        return Err(Refusal::bad_request(none));
    }
    Ok(given.into_iter().filter_map(|number| u64::try_from(number).ok()).collect())
}

fn mark_deleted(version: &mut Version, now: Timestamp) -> bool {
    let changes = version.is_readable(now);
    if changes {
        version.deleted = Some(now);
    }
    changes
}

/// The same as [`change`], for what a full disk must not keep anybody from.
fn take_away(
    found: Found<'_>,
    numbers: &[u64],
    from: impl FnMut(&mut Version) -> bool,
) -> Result<Outcome, Refusal> {
    let outcome = change(found, numbers, from)?;
    Ok(Outcome { writes: outcome.writes.into_iter().map(Write::frees).collect(), ..outcome })
}

/// Changes those of the versions that exist by `to`, which tells whether it has changed anything.
fn change(
    mut found: Found<'_>,
    numbers: &[u64],
    mut to: impl FnMut(&mut Version) -> bool,
) -> Result<Outcome, Refusal> {
    let mut changed = false;
    for number in numbers {
        if let Some(version) = found.key.versions.get_mut(number) {
            changed |= to(version);
        }
    }
    Ok(Outcome::done(if changed { found.save()? } else { Vec::new() }))
}
