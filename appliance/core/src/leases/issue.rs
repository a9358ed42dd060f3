//! A lease is made.

use std::sync::Arc;

use strongroom_engine::lease::Terms;
use strongroom_engine::{LeaseWish, MountInfo};
use strongroom_types::reply::LeaseReply;
use strongroom_types::{Refusal, Reply, Request, Timestamp};
use tokio::sync::OwnedRwLockReadGuard;

use super::record::{self, LeaseId, LeaseRecord};
use crate::active::Active;
use crate::fault::damaged;
use crate::mounts::Mount;
use crate::order::{Rank, Ranked, ranked};
use crate::perform::Work;
use crate::stage::{Asker, Authorized};
use crate::tokens::{base62, capped};

/// Characters of an id that nobody guesses: 142 bits.
const RANDOM: usize = 24;

/// The lock on which tokens there are, as whoever makes a lease holds it: from the last look at its token and its mount until
/// the commit, so that neither ends meanwhile.
pub struct Held(#[allow(dead_code)] Ranked<OwnedRwLockReadGuard<()>>); // held, never looked at

/// Adds to `work` the lease that its handler asks for.
///
/// The engine may have taken its time. So it is looked once more whether the token and the mount are there, and whoever
/// would end them waits until the lease is stored: else nobody would know that it has to end with them.
pub async fn issued(
    active: &Arc<Active>,
    request: &Request<Authorized>,
    mount: &Mount,
    wish: LeaseWish,
    mut work: Work,
) -> Result<Work, Refusal> {
    let begun = active.clock.reading();
    let kind = mount.engine.secret(wish.kind);
    let kind = kind.ok_or_else(|| damaged(format_args!("the engine declares no secret {:?}", wish.kind)))?;
    if work.seat.is_none() {
        work.seat = active.seat(request.stage.path(), "")?;
    }
    let held = Held(ranked(Rank::Family, active.tokens.family.clone().read_owned()).await);
    let asker = request.stage.asker.as_ref();
    asker.map(|asker| asker.again(active, &active.snapshot()?)).transpose()?;
    if active.mounts.load().by_id(mount.record.id).is_none() {
        return Err(Refusal::bad_request("the mount is gone: nothing is leased"));
    }
    let now = active.now();
    active.clock.check(now)?;
    let (token, latest) = asker.map(owner).unwrap_or_default();
    let (duration, warnings) = seconds(&mount.info, &wish, latest, now)?;
    let renewable = wish.renewable && kind.renew.is_some();
    let id = LeaseId::new(request.stage.path(), &base62(active.entropy.as_ref(), RANDOM)?)?;
    let record = LeaseRecord {
        v: 1,
        kind: kind.name.to_owned(),
        mount: mount.record.id,
        data: wish.data,
        token,
        issued: now,
        expires: now.plus_secs(duration),
        latest,
        renewable,
        last_renewal: None,
        ended: false,
        failures: 0,
        retry: None,
        era: active.clock.era(),
        error: String::new(),
    };
    let Reply::Logical(reply) = &mut work.reply else {
        return Err(damaged("an answer of this form cannot name a lease"));
    };
    reply.lease = Some(LeaseReply { id: id.as_str().to_owned(), duration, renewable });
    reply.warnings.extend(warnings);
    let writes = record::make(&id, &record)?;
    work.writes.extend(writes.into_iter().map(|write| (active.leases.view.clone(), write)));
    if asker.is_some_and(|asker| asker.known.record.num_uses == 1) {
        // It is stored all the same, and ends with the token: its engine may have told somebody else of it already.
        work.withheld = Some(Refusal::bad_request(
            "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
        ));
    }
    work.held = Some(held);
    active.measure(&active.metrics.lease_register, begun);
    Ok(work)
}

/// What the lease ends with: the token; of a batch token, which is stored nowhere, its parent and its time.
fn owner(asker: &Asker) -> (Option<String>, Option<Timestamp>) {
    let record = &asker.known.record;
    match record.batch {
        true => (record.parent.clone(), record.expires),
        false => (Some(asker.known.key.clone()), None),
    }
}

fn seconds(
    mount: &MountInfo,
    wish: &LeaseWish,
    latest: Option<Timestamp>,
    now: Timestamp,
) -> Result<(i64, Vec<String>), Refusal> {
    let terms = Terms { wished: 0, ttl: wish.ttl, max_ttl: wish.max_ttl, lived: 0 };
    granted(mount, terms, latest, now)
        .ok_or_else(|| Refusal::bad_request("the token ends too soon for what is leased here"))
}

/// How long a lease lives from now on, and what to warn of; `None` if it can live no longer.
pub fn granted(
    mount: &MountInfo,
    terms: Terms,
    latest: Option<Timestamp>,
    now: Timestamp,
) -> Option<(i64, Vec<String>)> {
    let left = latest.map_or(i64::MAX, |latest| (latest.nanos() - now.nanos()).div_euclid(1_000_000_000));
    let most = terms.most(mount).min(left);
    (most > 0).then(|| capped(terms.wish(mount), most))
}
