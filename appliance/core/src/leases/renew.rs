//! A lease lives longer.

use std::sync::Arc;

use strongroom_engine::Seconds;
use strongroom_engine::lease::Terms;
use strongroom_types::reply::{LeaseReply, Logical};
use strongroom_types::{BoxFuture, Refusal, Reply};

use super::issue::granted;
use super::record::{self, Found, LeaseRecord};
use super::routes::{INCREMENT, lease_id, no_lease, reader};
use crate::mounts::Mount;
use crate::perform::{Scene, Work, cx};

/// Asks the engine, whose answer is read anew each time, and commits both changes together.
pub fn renew<'a>(scene: &'a Scene<'a>) -> BoxFuture<'a, Result<Work, Refusal>> {
    Box::pin(async move {
        let id = lease_id(scene)?;
        let active = scene.active;
        let tokens = active.tokens.view.at(scene.snapshot.clone());
        if active.tokens.find_by_lease(&tokens, &id, scene.now)?.is_some() {
            return Err(Refusal::bad_request("tokens cannot be renewed through this endpoint"));
        }
        let id = record::LeaseId::parse(&id).ok_or_else(not_found)?;
        let found = record::find(&reader(scene), &id)?.ok_or_else(not_found)?;
        let mount = check(scene, &found)?;
        let handler = mount.engine.secret(&found.record.kind).and_then(|kind| kind.renew.as_ref());
        let handler = handler.ok_or_else(not_renewable)?;
        let increment = scene.request.stage.call.get(&INCREMENT).map_or(0, Seconds::secs);
        if increment < 0 {
            return Err(Refusal::bad_request("'increment' cannot be negative"));
        }
        let cx = cx(active, &mount, None, scene.snapshot.clone());
        let begun = active.clock.reading();
        let renewal = handler.run(&cx, &found.leased(increment)).await;
        active.measure(&active.metrics.lease_renew, begun);
        let renewal = renewal?;
        let lived = scene.now.secs().saturating_sub(found.record.issued.secs());
        let terms = Terms { wished: increment, ttl: renewal.ttl, max_ttl: renewal.max_ttl, lived };
        let (duration, warnings) = granted(&mount.info, terms, found.record.latest, scene.now)
            .ok_or_else(|| Refusal::bad_request("past the max TTL, cannot renew"))?;
        let record = LeaseRecord {
            expires: scene.now.plus_secs(duration),
            last_renewal: Some(scene.now),
            era: active.clock.era(),
            ..found.record.clone()
        };
        let own = found.change(&record)?.into_iter().map(|write| (active.leases.view.clone(), write));
        let of_engine = renewal.writes.into_iter().map(|write| (mount.view.clone(), write));
        let lease = LeaseReply { id: id.as_str().to_owned(), duration, renewable: true };
        let reply = Logical { lease: Some(lease), warnings, ..Logical::default() };
        Ok(Work { writes: of_engine.chain(own).collect(), ..Work::reply(Reply::Logical(Box::new(reply))) })
    })
}

/// Whether the lease may live longer; and the mount that gave it. Nothing here depends on what a sweep has removed.
fn check(scene: &Scene<'_>, found: &Found) -> Result<Arc<Mount>, Refusal> {
    let active = scene.active;
    let record = &found.record;
    if record.ended {
        return Err(not_found());
    }
    if record.is_over(&active.clock, scene.now)? {
        return Err(Refusal::bad_request("lease expired"));
    }
    if !record.renewable {
        return Err(not_renewable());
    }
    if let Some(key) = &record.token {
        let tokens = active.tokens.view.at(scene.snapshot.clone());
        active.tokens.find_by_key(&tokens, key.clone(), scene.now)?.ok_or_else(not_found)?;
    }
    let mounts = active.mounts.load();
    let mount = mounts.by_id(record.mount).filter(|mount| found.id.as_str().starts_with(&mount.record.path));
    mount.cloned().ok_or_else(not_found)
}

fn not_found() -> Refusal {
    no_lease("lease not found")
}

fn not_renewable() -> Refusal {
    Refusal::bad_request("lease is not renewable")
}
