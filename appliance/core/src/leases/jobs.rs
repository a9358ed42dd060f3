//! Jobs are done: a slice at a time, so that none keeps the others.
//!
//! ```text
//! next       a look at the next jobs         ─▶ of_tokens   the leases of all tokens among them, in common batches
//!                                            ─▶ turn        some slices of each other job
//! slice      of a job by path: first its tokens, then its leases, each behind the last one that was looked at
//! Place      where a job is, and that it rests for a while when it has come to its end and something is left
//! ```
//!
//! All of that is in memory: a new process begins each job anew, and finds less of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use strongroom_barrier::{Name, Reader, Write};
use strongroom_types::{Refusal, Timestamp};

use super::job::{self, Job, What};
use super::record::{self, LeaseId, LeaseRecord};
use super::revoke::{self, SLICE, Take, Tally, Wanted, now_if};
use super::tokens::{end_token, end_tokens};
use crate::active::Active;
use crate::commit::beside;
use crate::fault::{barrier, damaged};
use crate::order::{Rank, ranked};
use crate::revocation::aside;
use crate::sweep::{Swept, or_warn};

/// Slices of one job before others have their turn.
const TURN: usize = if cfg!(test) { 1 } else { 8 };
/// Jobs looked at in one go.
const MOST_JOBS: usize = 500;
/// Seconds until a job that could not be brought to its end begins anew.
const REST: i64 = 20;

/// Does the whole of a job, for whoever waits for it.
pub async fn to_its_end(active: &Arc<Active>, name: &Name) -> Result<Tally, Refusal> {
    let mut tally = Tally::default();
    let Some(job) = job::find(&active.leases.view.at(active.snapshot()?), name)? else { return Ok(tally) };
    let mut place = Place::default();
    while slice(active, &job, &mut place, &mut tally).await? == Swept::Some {}
    // What could not even be marked is left to it, and it to the background.
    if tally.untouched.is_empty() {
        done(active, [name]).await?;
    }
    Ok(tally)
}

/// How far the look at all jobs is.
#[derive(Default)]
pub struct Round {
    /// The last of the jobs that have had their turn; `None` before the first.
    after: Option<Name>,
    /// Whether one of them has got further since the first.
    went_on: bool,
    /// Jobs that are begun.
    places: HashMap<Name, Place>,
}

/// What has come of a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// All that there was has had its turn, and something was done.
    Ended,
    /// Something was done, and there is more.
    More,
    /// Nothing was done: there was nothing, or what there is has to wait.
    Idle,
}

/// A turn of each job that nobody waits for, of some at a time. After the last one it begins again with the first: at once
/// only if one of them has got further.
pub async fn next(active: &Arc<Active>, round: &mut Round, tally: &mut Tally) -> Result<Swept, Refusal> {
    let reader = active.leases.view.at(active.snapshot()?);
    let mut all = job::all(&reader, round.after.as_ref(), MOST_JOBS)?;
    let last = if all.len() < MOST_JOBS { None } else { all.last().map(|(name, _)| name.clone()) };
    all.retain(|(name, _)| !active.leases.waited_for().contains(name));
    let (tokens, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(_, job)| matches!(job.what, What::Token { .. }));
    let what = "the leases of tokens that have ended cannot be taken back";
    let of_tokens = or_warn(what, of_tokens(active, tokens, tally).await, Progress::Idle)?;
    round.went_on |= of_tokens != Progress::Idle;
    for (name, job) in others {
        let turn = turn(active, name, job, &mut round.places, tally).await;
        let turn = or_warn("leases that are to end cannot be taken back", turn, Progress::Idle)?;
        round.went_on |= turn != Progress::Idle;
    }
    if of_tokens == Progress::More {
        return Ok(Swept::Some);
    }
    round.after = last;
    if round.after.is_some() || std::mem::take(&mut round.went_on) {
        return Ok(Swept::Some);
    }
    // Jobs that somebody else has brought to their end.
    round.places.retain(|name, _| matches!(job::find(&reader, name), Ok(Some(_))));
    Ok(Swept::All)
}

/// A few slices of one job.
async fn turn(
    active: &Arc<Active>,
    name: Name,
    job: Job,
    places: &mut HashMap<Name, Place>,
    tally: &mut Tally,
) -> Result<Progress, Refusal> {
    let now = active.clock.reading();
    let place = places.entry(name.clone()).or_default();
    if place.rests(now) {
        return Ok(Progress::Idle);
    }
    let (mut left, mut swept, mut of_job) = (TURN, Swept::Some, Tally::default());
    while left > 0 && swept == Swept::Some {
        swept = slice(active, &job, place, &mut of_job).await?;
        left -= 1;
    }
    // What is left of a mount waits until all that it gave is taken back.
    let of_mount = matches!(job.what, What::Mount { .. });
    place.waits |= !of_job.untouched.is_empty() || of_mount && (of_job.failed > 0 || of_job.later > 0);
    let has_done = of_job.done > 0;
    tally.add(of_job);
    if swept == Swept::Some {
        return Ok(Progress::More);
    }
    if place.waits {
        *place = Place { ended: Some(now), ..Place::default() };
    } else {
        places.remove(&name);
        done(active, [&name]).await?;
    }
    Ok(if has_done { Progress::Ended } else { Progress::Idle })
}

/// The leases of many tokens that have ended, in common batches.
async fn of_tokens(
    active: &Arc<Active>,
    jobs: Vec<(Name, Job)>,
    tally: &mut Tally,
) -> Result<Progress, Refusal> {
    let reader = active.leases.view.at(active.snapshot()?);
    let (mut ids, mut whole, mut keys, mut all) = (Vec::new(), Vec::new(), HashSet::new(), true);
    for (name, job) in jobs {
        let What::Token { key } = job.what else { continue };
        let room = SLICE.saturating_sub(ids.len());
        if room == 0 {
            all = false;
            break;
        }
        let mut of_token = untried(&reader, &key, room)?;
        if of_token.len() < room {
            whole.push((name, of_token.clone()));
        } else {
            all = false;
        }
        ids.append(&mut of_token);
        keys.insert(key);
    }
    let ended = |lease: &LeaseRecord| {
        let is_theirs = lease.token.as_ref().is_some_and(|key| keys.contains(key));
        // What has been tried has its time.
        now_if(is_theirs && lease.failures == 0)
    };
    let round = revoke::revoke(active, ids, &ended).await?;
    // A lease that could not even be marked has nothing else that says that it is to end.
    let untouched: HashSet<_> = round.untouched.iter().collect();
    let is_over = |ids: &[LeaseId]| !ids.iter().any(|id| untouched.contains(id));
    let over: Vec<_> = whole.iter().filter(|(_, ids)| is_over(ids)).map(|(name, _)| name).collect();
    let got_further = !over.is_empty() || round.done + round.failed > untouched.len();
    done(active, over).await?;
    tally.add(round);
    Ok(match (got_further, all) {
        (false, _) => Progress::Idle,
        (true, false) => Progress::More,
        (true, true) => Progress::Ended,
    })
}

/// The first leases of a token that nobody has tried to take back yet; the others are tried when it is their time.
fn untried(reader: &Reader, key: &str, most: usize) -> Result<Vec<LeaseId>, Refusal> {
    let below = Name::new([record::TOKEN, key]).map_err(damaged)?;
    let mut ids = Vec::new();
    let visit = &mut |rest: &[String]| {
        let Some(id) = rest.first().and_then(|id| LeaseId::parse(id)) else { return true };
        match record::find(reader, &id) {
            Ok(Some(found)) if found.record.failures > 0 => {}
            Ok(None) => {}
            // One that cannot be read, too: it is said of what is to be taken back, and keeps nothing else.
            Ok(Some(_)) | Err(_) => ids.push(id),
        }
        ids.len() < most
    };
    reader.walk(&below, visit).map_err(barrier)?;
    Ok(ids)
}

/// How far a job is.
#[derive(Default)]
struct Place {
    /// When it was last at its end, and something was left.
    ended: Option<Timestamp>,
    /// Whether something has been left since it began.
    waits: bool,
    /// Whether it has begun.
    begun: bool,
    /// Whether there are no tokens left.
    tokens: bool,
    /// The last token that was looked at.
    token: Option<Name>,
    /// The last lease that was looked at.
    lease: Option<Name>,
}

impl Place {
    /// Whether it is too early to begin anew. A clock that was set back does not delay it.
    fn rests(&self, now: Timestamp) -> bool {
        self.ended.is_some_and(|ended| !self.begun && ended <= now && now < ended.plus_secs(REST))
    }
}

/// A slice of a job: first the tokens, then the leases.
async fn slice(
    active: &Arc<Active>,
    job: &Job,
    place: &mut Place,
    tally: &mut Tally,
) -> Result<Swept, Refusal> {
    let (What::Prefix { path, .. } | What::Mount { path, .. }) = &job.what else { return Ok(Swept::All) };
    let wanted = OfJob { job, now: active.clock.reading() };
    if !place.begun {
        // Whoever has looked at the token and the mount stores the lease first: see `issue`.
        drop(ranked(Rank::Family, active.tokens.family.write()).await);
        place.begun = true;
        place.tokens = !crate::mounts::is_auth(&format!("{path}/"));
        if let Some(id) = LeaseId::parse(path) {
            end_token(active, job, &id).await?;
            tally.add(revoke::revoke(active, vec![id], &wanted).await?);
        }
    }
    if !place.tokens {
        let (ended, swept) = end_tokens(active, job, path, &mut place.token).await?;
        tally.done += ended;
        place.tokens = swept == Swept::All;
        return Ok(Swept::Some);
    }
    let ids = aside(|| below(active, path, &mut place.lease))?;
    let count = ids.len();
    tally.add(revoke::revoke(active, ids, &wanted).await?);
    Ok(if count < SLICE { Swept::All } else { Swept::Some })
}

/// The next leases below `path`.
fn below(active: &Active, path: &str, after: &mut Option<Name>) -> Result<Vec<LeaseId>, Refusal> {
    let Ok(parent) = Name::below(record::LEASE, path) else { return Ok(Vec::new()) };
    let (mut ids, mut last) = (Vec::new(), None);
    let visit = &mut |rest: &[String]| {
        ids.extend(LeaseId::parse(&format!("{path}/{}", rest.join("/"))));
        last = Some(parent.segments().iter().chain(rest).cloned().collect::<Vec<_>>());
        ids.len() < SLICE
    };
    let reader = active.leases.view.at(active.snapshot()?);
    reader.walk_on(&parent, after.as_ref().unwrap_or(&parent), visit).map_err(barrier)?;
    if let Some(last) = last {
        *after = Some(Name::new(last).map_err(damaged)?);
    }
    Ok(ids)
}

/// What a job takes.
struct OfJob<'a> {
    job: &'a Job,
    now: Timestamp,
}

impl Wanted for OfJob<'_> {
    fn takes(&self, lease: &LeaseRecord) -> Take {
        match self.job.takes(lease) {
            false => Take::Not,
            // A mount's job stays, and comes by again and again.
            true if matches!(self.job.what, What::Mount { .. }) && !lease.may_be_tried(self.now) => {
                Take::Later
            }
            true => Take::Now,
        }
    }

    fn forces(&self) -> bool {
        self.job.forces()
    }
}

/// Says that these jobs are done.
async fn done(active: &Active, names: impl IntoIterator<Item = &Name>) -> Result<(), Refusal> {
    let writes: Vec<Write> = names.into_iter().map(|name| Write::delete(name.clone())).collect();
    beside(active, writes.iter().map(|write| (&active.leases.view, write))).await.map(drop)
}
