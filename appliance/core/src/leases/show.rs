//! Leases as they are shown.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_barrier::{Name, Reader};
use strongroom_types::reply::Logical;
use strongroom_types::{Refusal, Reply};

use super::record::{self, Found, LeaseId, LeaseRecord};
use super::routes::{PREFIX, TYPE, lease_id, no_lease, reader};
use crate::fault::{barrier, damaged};
use crate::perform::{Scene, Work};
use crate::tokens::TokenRecord;

/// Most irrevocable leases that are shown unless somebody wants all.
const MOST: usize = 10_000;

/// One lease. What has ended is none any more, unless it could not be taken back.
pub fn lookup(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let id = lease_id(scene)?;
    let tokens = scene.active.tokens.view.at(scene.snapshot.clone());
    if let Some(known) = scene.active.tokens.find_by_lease(&tokens, &id, scene.now)? {
        return Ok(Work::reply(Reply::data(of_token(scene, &id, &known.record))));
    }
    let found = LeaseId::parse(&id).map(|id| record::find(&reader(scene), &id)).transpose()?.flatten();
    match found {
        Some(found) if is_shown(scene, &found)? => Ok(Work::reply(Reply::data(of_secret(scene, &found)))),
        _ => Err(no_lease("invalid lease")),
    }
}

fn is_shown(scene: &Scene<'_>, found: &Found) -> Result<bool, Refusal> {
    let record = &found.record;
    if record.failures > 0 {
        return Ok(true);
    }
    let tokens = scene.active.tokens.view.at(scene.snapshot.clone());
    let has_token = match &record.token {
        Some(key) => scene.active.tokens.find_by_key(&tokens, key.clone(), scene.now)?.is_some(),
        None => true,
    };
    let is_over = record.is_over(&scene.active.clock, scene.now)?;
    Ok(has_token && !is_over && scene.active.mounts.load().by_id(record.mount).is_some())
}

fn of_token(scene: &Scene<'_>, id: &str, record: &TokenRecord) -> Value {
    json!({
        "expire_time": record.expires.map(|end| end.to_string()),
        "id": id,
        "issue_time": record.created.to_string(),
        "last_renewal": record.last_renewal.map(|when| when.to_string()),
        "path": record.path,
        "renewable": record.renewable,
        "ttl": record.ttl(scene.now),
    })
}

fn of_secret(scene: &Scene<'_>, found: &Found) -> Value {
    let LeaseRecord { expires, issued, last_renewal, renewable, ended, error, failures, .. } = &found.record;
    let mut shown = json!({
        "expire_time": expires.to_string(),
        "id": found.id.as_str(),
        "issue_time": issued.to_string(),
        "last_renewal": last_renewal.map(|when| when.to_string()),
        "path": found.id.path(),
        "renewable": *renewable && !ended,
        "ttl": if *ended { 0 } else { found.record.ttl(scene.now) },
    });
    if let (Some(shown), true) = (shown.as_object_mut(), *failures > 0) {
        shown.insert("revoke_error".into(), error.as_str().into());
    }
    shown
}

/// The names directly below a path: of tokens below `auth/`, of secrets elsewhere.
pub fn list(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let path = call.param(PREFIX.name);
    let (after, limit) = (call.after.as_deref(), call.limit);
    let tokens = scene.active.tokens.view.at(scene.snapshot.clone());
    let mut names = scene.active.tokens.lease_names(&tokens, path, after, limit)?;
    if let Ok(parent) = Name::below(record::LEASE, path) {
        names.extend(reader(scene).list(&parent, after, limit).map_err(barrier)?);
    }
    names.sort_unstable();
    names.dedup();
    names.truncate(limit.unwrap_or(usize::MAX));
    Ok(Work::reply(Reply::keys(names)))
}

// === irrevocable ones ===

/// How many could not be taken back, for each mount's accessor.
pub fn count(scene: &Scene<'_>) -> Result<Work, Refusal> {
    check_type(scene)?;
    let (mut counts, mut all) = (BTreeMap::<String, u64>::new(), 0);
    each_irrevocable(scene, &mut |found| {
        *counts.entry(accessor(scene, &found.record)).or_default() += 1;
        all += 1;
    })?;
    Ok(Work::reply(Reply::data(json!({ "lease_count": all, "counts": counts }))))
}

/// Those that could not be taken back, with what their engines said last.
pub fn irrevocable(scene: &Scene<'_>) -> Result<Work, Refusal> {
    check_type(scene)?;
    let limit =
        scene.request.head.query.iter().find(|(key, _)| key == "limit").map(|(_, value)| value.as_str());
    let most = match limit {
        None | Some("") => MOST,
        Some("none") => usize::MAX,
        Some(number) => {
            number.parse().map_err(|_| Refusal::bad_request("'limit' must be a number, or 'none'"))?
        }
    };
    let mut all = Vec::new();
    each_irrevocable(scene, &mut |found| all.push(found))?;
    let count = all.len();
    all.sort_by(|one, other| {
        let key = |found: &Found| (found.record.expires, found.id.as_str().to_owned());
        key(one).cmp(&key(other))
    });
    let shown: Vec<Value> = all
        .iter()
        .take(most)
        .map(|found| {
            json!({
                "lease_id": found.id.as_str(),
                "mount_id": accessor(scene, &found.record),
                "error": found.record.error,
            })
        })
        .collect();
    let mut reply =
        Logical { data: Some(json!({ "lease_count": count, "leases": shown })), ..Logical::default() };
    if count > most {
        reply.warnings.push(
            "Command halted because many irrevocable leases were found. To emit the entire list, re-run the command \
             with limit=none."
                .to_owned(),
        );
    }
    Ok(Work::reply(Reply::Logical(Box::new(reply))))
}

fn check_type(scene: &Scene<'_>) -> Result<(), Refusal> {
    match scene.request.stage.call.get(&TYPE).as_deref() {
        Some(kind) if kind.eq_ignore_ascii_case("irrevocable") => Ok(()),
        _ => Err(Refusal::bad_request(
            "'type' must be 'irrevocable': no others are counted or listed as a whole",
        )),
    }
}

fn each_irrevocable(scene: &Scene<'_>, visit: &mut dyn FnMut(Found)) -> Result<(), Refusal> {
    let reader: Reader = reader(scene);
    let mut ids = Vec::new();
    let parent = Name::new([record::IRREVOCABLE]).map_err(damaged)?;
    let names = &mut |rest: &[String]| {
        ids.extend(rest.first().and_then(|id| LeaseId::parse(id)));
        true
    };
    reader.walk(&parent, names).map_err(barrier)?;
    for id in ids {
        if let Some(found) = record::find(&reader, &id)? {
            visit(found);
        }
    }
    Ok(())
}

/// The accessor of the mount that gave it; its id where the mount is gone.
fn accessor(scene: &Scene<'_>, record: &LeaseRecord) -> String {
    let mounts = scene.active.mounts.load();
    mounts.by_id(record.mount).map_or_else(|| record.mount.to_string(), |mount| mount.record.accessor.clone())
}
