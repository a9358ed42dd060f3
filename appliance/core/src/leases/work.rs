//! What is to end is brought to its end: by whoever waits for it, or beside the requests.

use std::sync::Arc;
use std::time::Duration;

use strongroom_barrier::{Due, Minute, Name};
use strongroom_types::Refusal;

use super::jobs;
use super::record::{self, LeaseId, LeaseRecord};
use super::revoke::{self, SLICE, Take, Tally, now_if};
use crate::active::Active;
use crate::commit::beside;
use crate::fault::{barrier, damaged};
use crate::log;
use crate::order::{Rank, ranked};
use crate::revocation::aside;
use crate::sweep::{Swept, or_warn};

/// Between two looks when nothing calls for one.
const PERIOD: Duration = Duration::from_secs(20);

/// What a request waits for after its commit.
pub enum Settle {
    /// The end of one lease.
    Lease(LeaseId),
    /// A job's.
    Job(Name),
}

/// Brings it to its end. Refused if an engine could not take back what it gave: it will be tried again.
pub async fn settled(active: &Arc<Active>, wait: Settle) -> Result<(), Refusal> {
    let tally = match wait {
        Settle::Lease(id) => revoke::revoke(active, vec![id], &|_: &LeaseRecord| Take::Now).await?,
        Settle::Job(name) => {
            active.leases.waited_for().insert(name.clone());
            let ended = jobs::to_its_end(active, &name).await;
            active.leases.waited_for().remove(&name);
            ended?
        }
    };
    match tally.error {
        None => Ok(()),
        Some(error) if tally.failed == 1 => {
            Err(Refusal::bad_request(format!("failed to revoke the lease, it is tried again: {error}")))
        }
        Some(error) => Err(Refusal::bad_request(format!(
            "failed to revoke {} of {} leases, they are tried again; the first: {error}",
            tally.failed,
            tally.failed + tally.done
        ))),
    }
}

/// Takes back what is due, for ever.
pub async fn run(active: &Arc<Active>) {
    loop {
        match look(active).await {
            Ok(Swept::All) => {
                tokio::select! {
                    () = active.leases.wake.notified() => {}
                    () = tokio::time::sleep(PERIOD) => {}
                }
            }
            Ok(Swept::Some) => tokio::task::yield_now().await,
            Err(cause) => {
                let why = cause.cause.as_deref().unwrap_or(&cause.message);
                log::warn(format_args!("no lease is taken back for a moment: {why}"));
                tokio::time::sleep(PERIOD).await;
            }
        }
    }
}

/// A slice of everything.
pub async fn look(active: &Arc<Active>) -> Result<Swept, Refusal> {
    let mut tally = Tally::default();
    let mut round = ranked(Rank::Round, active.leases.round.lock()).await;
    let jobs = jobs::next(active, &mut round, &mut tally).await?;
    drop(round);
    let due = due(active, &mut tally).await;
    let due = or_warn("leases that have ended cannot be taken back", due, Swept::All)?;
    if tally.done > 0 {
        log::info(format_args!("{} leases had ended and are taken back", tally.done));
    }
    active.metrics.expired_error.add_all(tally.failed);
    if tally.failed > 0 {
        log::warn(format_args!(
            "{} leases could not be taken back and are tried again: look them up for what their engines said",
            tally.failed
        ));
    }
    Ok(if jobs == Swept::All && due == Swept::All { Swept::All } else { Swept::Some })
}

/// Leases whose time is over, or that are to be tried again.
async fn due(active: &Arc<Active>, tally: &mut Tally) -> Result<Swept, Refusal> {
    // Not the floor: with a clock that was once far ahead, what is over by it alone may live on.
    let now = active.clock.reading();
    let found = aside(|| -> Result<_, Refusal> {
        let reader = active.leases.view.at(active.snapshot()?);
        let due = reader.due(Minute::of(now), None, SLICE).map_err(barrier)?;
        let swept = if due.len() < SLICE { Swept::All } else { Swept::Some };
        let (mut ids, mut stale) = (Vec::new(), Vec::new());
        for Due { minute, name } in due {
            let id = name.segments().first().and_then(|id| LeaseId::parse(id));
            let id = id.ok_or_else(|| damaged("a lease that is due has no id"))?;
            match record::find(&reader, &id) {
                Ok(Some(found)) if found.stands_under(minute) => ids.push(id),
                // Nobody says so any more.
                Ok(_) => stale.push(record::forget_due(&id, minute)?),
                // It is said of what is to be taken back, and keeps nothing else.
                Err(_) => ids.push(id),
            }
        }
        Ok((ids, stale, swept))
    });
    let (ids, stale, swept) = found?;
    beside(active, stale.iter().map(|write| (&active.leases.view, write))).await?;
    let round = revoke::revoke(active, ids, &|lease: &LeaseRecord| now_if(lease.is_due(now))).await?;
    // What could only fail may still be due, as on a full disk: it is not tried again without a pause.
    active.metrics.expired.add_all(round.done);
    let goes_on = round.done > 0 || !stale.is_empty();
    tally.add(round);
    Ok(if goes_on { swept } else { Swept::All })
}
