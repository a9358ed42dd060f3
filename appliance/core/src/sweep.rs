//! What has ended is removed, a slice at a time, beside the requests: tokens that have expired, and the records of
//! mounts that are gone; and a new term is added when it is time. Nothing depends on when: an expired token is
//! refused at its use, and a mount that is gone cannot be asked.
//!
//! A mount to be emptied is a record in the system's view, `["doomed", <mount id>]`: the time of its removal, 8
//! bytes, and its record, by which its engine can still take back what it has leased. Its own records are there until the
//! last lease has ended.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use strongroom_barrier::{Due, Entry, Minute, Name, Reader, View, Write};
use strongroom_store::{Batch, Snapshot, StoreError};
use strongroom_types::error::Kind;
use strongroom_types::id::{MountId, NamespaceId};
use strongroom_types::{Refusal, Timestamp};

use crate::active::Active;
use crate::commit::{beside, pairs};
use crate::fault::{self, barrier, damaged};
use crate::leases::job;
use crate::mounts::{Mount, MountRecord, name_of};
use crate::order::{Rank, ranked};
use crate::perform::{self, After};
use crate::revocation::aside;
use crate::sys::rotate::Automatic;
use crate::tokens::{TokenRecord, record_name};
use crate::{Finish, log};
use crate::{entities, lockouts};

/// Records looked at by one slice.
const SLICE: usize = 500;
/// Changes made by one slice, as far as one token's end does not need more.
const MAX_WRITES: usize = 5_000;
/// Between two sweeps when nothing calls for one.
const PERIOD: Duration = Duration::from_secs(20);
/// A mount's mark stays so long after its removal, for what was on its way to it.
const LINGER: i64 = 600;

/// Sweeps for ever.
pub async fn run(active: &Arc<Active>) {
    let mut was_behind = false;
    loop {
        let complaint = active.clock.complaint();
        match (&complaint, was_behind) {
            (Some(complaint), false) => log::warn(format_args!("{complaint}")),
            (None, true) => log::info(format_args!("the clock is no longer behind")),
            _ => {}
        }
        was_behind = complaint.is_some();
        match sweep(active).await {
            Ok(Swept::All) => {
                tokio::select! {
                    () = active.sweep.notified() => {}
                    () = tokio::time::sleep(PERIOD) => {}
                }
            }
            Ok(Swept::Some) => tokio::task::yield_now().await,
            Err(cause) => {
                let why = cause.cause.as_deref().unwrap_or(&cause.message);
                log::warn(format_args!("the sweep stops for a moment: {why}"));
                tokio::time::sleep(PERIOD).await;
            }
        }
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// There is nothing left to do now.
    All,
    /// There may be more.
    Some,
}

/// One slice of everything. A part that cannot be done keeps no other from being done.
pub async fn sweep(active: &Arc<Active>) -> Result<Swept, Refusal> {
    let tokens = or_warn("expired tokens cannot be removed", expired_tokens(active).await, Swept::All)?;
    let mounts =
        or_warn("what is left of mounts cannot be removed", doomed_mounts(active).await, Swept::All)?;
    let engines = swept_by_engines(active).await?;
    // What custodians have given is wiped with the attempt that has lapsed.
    drop(active.ceremonies.at(active.now()));
    or_warn("no new term can be added", rotate_if_due(active).await, ())?;
    let all = [tokens, mounts, engines].iter().all(|swept| *swept == Swept::All);
    Ok(if all { Swept::All } else { Swept::Some })
}

/// What cannot be done is said, and left for the next time: until then it is `otherwise`. Only what is sealed ends
/// everything.
pub fn or_warn<T>(what: impl fmt::Display, done: Result<T, Refusal>, otherwise: T) -> Result<T, Refusal> {
    done.or_else(|cause| {
        if cause.kind == Kind::Sealed {
            return Err(cause);
        }
        log::warn(format_args!("{what}: {}", cause.cause.as_deref().unwrap_or(&cause.message)));
        Ok(otherwise)
    })
}

/// A slice of what each mount's engine has to remove. What another request changes meanwhile is looked at again next time.
async fn swept_by_engines(active: &Arc<Active>) -> Result<Swept, Refusal> {
    let mut swept = Swept::All;
    // Engines know the floor only: by it something may be over that lives on when the clock is accepted as it is.
    if active.clock.behind().is_some() {
        return Ok(swept);
    }
    let mounts = active.mounts.load_full();
    for mount in mounts.all() {
        let of_engine = swept_by_engine(active, mount).await;
        let what = format_args!("the mount {} cannot be swept", mount.record.path);
        if or_warn(what, of_engine, Swept::All)? == Swept::Some {
            swept = Swept::Some;
        }
    }
    Ok(swept)
}

async fn swept_by_engine(active: &Arc<Active>, mount: &Mount) -> Result<Swept, Refusal> {
    let Some(sweep) = mount.engine.sweep else { return Ok(Swept::All) };
    let cx = perform::cx(active, mount, None, active.snapshot()?);
    let writes = aside(|| sweep(&cx))?;
    let writes: Vec<_> = writes.into_iter().map(|write| (mount.view.clone(), write)).collect();
    let is_done = !writes.is_empty() && beside(active, pairs(&writes)).await?.is_done()?;
    Ok(if is_done { Swept::Some } else { Swept::All })
}

/// Tokens whose time is over, with all that descends from them.
async fn expired_tokens(active: &Arc<Active>) -> Result<Swept, Refusal> {
    // As whoever revokes: no child is born meanwhile.
    let _family = ranked(Rank::Family, active.tokens.family.write()).await;
    let Expired { ends, removed, swept } = aside(|| next_expired(active))?;
    if !beside(active, ends.iter().flat_map(|end| pairs(end))).await?.is_done()? {
        // One of them was used or renewed at this very moment: it must not keep the others.
        for end in &ends {
            beside(active, pairs(end)).await?.is_done()?;
        }
    }
    active.metrics.expired.add_all(removed);
    if removed > 0 {
        log::info(format_args!("{removed} tokens had ended and are removed"));
        active.leases.wake.notify_one();
    }
    Ok(swept)
}

/// What a slice removes.
struct Expired {
    /// For each token that was due.
    ends: Vec<Vec<(View, Write)>>,
    /// How many tokens these are.
    removed: usize,
    swept: Swept,
}

fn next_expired(active: &Active) -> Result<Expired, Refusal> {
    let snapshot = active.snapshot()?;
    // Not the floor: with a clock that was once far ahead, what is over by it alone may live on.
    let now = active.clock.reading();
    let reader = active.tokens.view.at(snapshot.clone());
    let due = reader.due(Minute::of(now), None, SLICE).map_err(barrier)?;
    let mut swept = if due.len() < SLICE { Swept::All } else { Swept::Some };
    // Who ends with a parent, and by himself, is one.
    let (mut ends, mut removed, mut writes) = (Vec::new(), HashSet::new(), 0);
    for Due { minute, name } in due {
        let Some(key) = name.segments().first() else { continue };
        let mut end = Vec::new();
        let mut whole = true;
        let slice = match over(&reader, key, now) {
            Ok(Some(record)) => active.end_slice(&snapshot, key, record.spares_children).map(Some),
            Ok(None) => Ok(None),
            Err(cause) => Err(cause),
        };
        match slice {
            Ok(Some(slice)) => {
                (end, whole) = (slice.writes, slice.whole);
                removed.extend(slice.tokens);
            }
            Ok(None) => {}
            // A damaged record must not keep the others; as a token it is refused anyway.
            Err(cause) => {
                or_warn("a token that has expired cannot be removed", Err(cause), ())?;
                continue;
            }
        }
        // What is left of a token stays due.
        if whole {
            end.push((active.tokens.view.clone(), Write::delete(name).due(minute)));
        }
        writes += end.len();
        ends.push(end);
        if !whole || writes >= MAX_WRITES {
            swept = Swept::Some;
            break;
        }
    }
    // What could only be left alone is not looked at again without a pause.
    let removed = removed.len();
    Ok(Expired { swept: if ends.is_empty() { Swept::All } else { swept }, ends, removed })
}

/// The token with this key, if its time is over. If it was renewed, another row of the index counts.
fn over(reader: &Reader, key: &str, now: Timestamp) -> Result<Option<TokenRecord>, Refusal> {
    let Some(entry) = reader.get(&record_name(key)?).map_err(barrier)? else { return Ok(None) };
    let record: TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
    Ok((record.ended || record.expires.is_some_and(|end| end <= now)).then_some(record))
}

/// A new term, if the one in use is old or worn.
async fn rotate_if_due(active: &Arc<Active>) -> Result<(), Refusal> {
    // To its end, although the sweep may be dropped: the keyring in memory must follow the stored one.
    let own = active.clone();
    Finish::new(async move { rotate_alone(&own).await }).await
}

async fn rotate_alone(active: &Arc<Active>) -> Result<(), Refusal> {
    let _alone = ranked(Rank::Changes, active.changes.lock()).await;
    let (snapshot, now) = (active.snapshot()?, active.now());
    if !Automatic::is_due(&active.system.at(snapshot.clone()), active, now)? {
        return Ok(());
    }
    let _under_way = active.effects.enter(&active.barrier)?;
    let mut batch = Batch::default();
    let rotation = active.barrier.rotate(&*snapshot, now, &mut batch).map_err(barrier)?;
    let Some(rotation) = rotation else { return Ok(()) };
    match active.store.commit(batch).await {
        Ok(_) => {}
        // Later: a full disk is what the sweep is needed for.
        Err(StoreError::NoSpace) => return Ok(()),
        Err(cause) => return Err(fault::store(cause)),
    }
    active.follow(vec![After::Rotated(rotation)])
}

/// What is written when a mount is removed: its record goes, and its own records and leases are marked to go.
pub fn doomed(active: &Active, record: &MountRecord, now: Timestamp) -> Result<Vec<(View, Write)>, Refusal> {
    let mut body = now.nanos().to_be_bytes().to_vec();
    serde_json::to_writer(&mut body, record).map_err(damaged)?;
    let leases = job::of_mount(active, record.id, &record.path, false)?;
    Ok(vec![
        (active.system.clone(), Write::delete(name_of(record.id)?)),
        (active.system.clone(), Write::put(mark(&record.id.to_string())?, body).frees()),
        (active.leases.view.clone(), leases),
    ])
}

/// A mount that was removed, as long as there is something left of it.
pub fn doomed_mount(
    active: &Active,
    snapshot: &Arc<dyn Snapshot>,
    id: MountId,
) -> Result<Option<Arc<Mount>>, Refusal> {
    let entry = active.system.at(snapshot.clone()).get(&mark(&id.to_string())?).map_err(barrier)?;
    let Some(entry) = entry else { return Ok(None) };
    let (_, record) = read_mark(&entry)?;
    let record = serde_json::from_slice(record).map_err(damaged)?;
    Ok(Mount::new(record, &active.barrier, active.kinds, &active.settings).ok().map(Arc::new))
}

/// The time of a mount's removal, and its record.
fn read_mark(entry: &Entry) -> Result<(Timestamp, &[u8]), Refusal> {
    let (since, record) = entry
        .value
        .expose()
        .split_first_chunk()
        .ok_or_else(|| damaged("the mark of a doomed mount is damaged"))?;
    Ok((Timestamp::from_nanos(i64::from_be_bytes(*since)), record))
}

async fn doomed_mounts(active: &Arc<Active>) -> Result<Swept, Refusal> {
    let snapshot = active.snapshot()?;
    let all = Name::new([DOOMED]).map_err(damaged)?;
    let mut swept = Swept::All;
    for id in active.system.at(snapshot.clone()).list(&all, None, None).map_err(barrier)? {
        let emptied = emptied(active, &snapshot, &id).await;
        let what = format_args!("what is left of the mount {id} cannot be removed");
        if or_warn(what, emptied, Swept::All)? == Swept::Some {
            swept = Swept::Some;
        }
    }
    Ok(swept)
}

/// Removes a slice of what is left of a mount, unless it has leases that are to end first; with the last of it its mark.
async fn emptied(active: &Active, snapshot: &Arc<dyn Snapshot>, id: &str) -> Result<Swept, Refusal> {
    let parsed = MountId::parse(id).ok_or_else(|| damaged("a doomed mount has no id"))?;
    if job::keeps(&active.leases.view.at(snapshot.clone()), parsed)? {
        return Ok(Swept::All);
    }
    let view = View::new(&active.barrier, NamespaceId::ROOT, parsed);
    let root = Name::new(Vec::<String>::new()).map_err(damaged)?;
    let mut rest = below(&view, snapshot, &root)?;
    let due = view.at(snapshot.clone()).due(Minute::LAST, None, SLICE).map_err(barrier)?;
    rest.extend(due.into_iter().map(|due| (view.clone(), Write::delete(due.name).due(due.minute))));
    rest.extend(below(active.lockouts.view(), snapshot, &lockouts::name_of_mount(parsed)?)?);
    rest.extend(below(&active.entities, snapshot, &entities::aliases(parsed)?)?);
    let swept = if rest.len() >= SLICE { Swept::Some } else { Swept::All };
    if rest.is_empty() && lingered(active, &active.system.at(snapshot.clone()), id)? {
        rest.push((active.system.clone(), Write::delete(mark(id)?)));
    }
    beside(active, pairs(&rest)).await?.is_done()?;
    Ok(swept)
}

/// Removes a slice of the records below `parent`.
fn below(view: &View, snapshot: &Arc<dyn Snapshot>, parent: &Name) -> Result<Vec<(View, Write)>, Refusal> {
    let mut names = Vec::new();
    let visit = &mut |rest: &[String]| {
        names.push(parent.segments().iter().chain(rest).cloned().collect::<Vec<_>>());
        names.len() < SLICE
    };
    view.at(snapshot.clone()).walk(parent, visit).map_err(barrier)?;
    let delete =
        |segments| Ok((view.clone(), Write::delete(Name::new::<String>(segments).map_err(damaged)?)));
    names.into_iter().map(delete).collect()
}

fn lingered(active: &Active, system: &Reader, id: &str) -> Result<bool, Refusal> {
    let Some(entry) = system.get(&mark(id)?).map_err(barrier)? else { return Ok(false) };
    let (since, _) = read_mark(&entry)?;
    Ok(since.plus_secs(LINGER) <= active.now())
}

const DOOMED: &str = "doomed";

fn mark(id: &str) -> Result<Name, Refusal> {
    Name::new([DOOMED, id]).map_err(damaged)
}
