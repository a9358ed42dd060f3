//! What has ended is removed, a slice at a time, beside the requests: tokens that have expired, and the records of mounts
//! that are gone. Nothing depends on when: an expired token is refused at its use, and a mount that is gone cannot be
//! asked.
//!
//! A mount to be emptied is a record in the system's view, `["doomed", <mount id>]`: the time of its removal, 8 bytes.

use std::sync::Arc;
use std::time::Duration;

use strongroom_barrier::{Due, Minute, Name, View, Write};
use strongroom_store::{Batch, StoreError};
use strongroom_types::id::{MountId, NamespaceId};
use strongroom_types::{Refusal, Timestamp};

use crate::active::Active;
use crate::fault::{self, barrier, damaged};
use crate::log;
use crate::tokens::{Known, TokenRecord};

/// Records looked at by one slice.
const SLICE: usize = 500;
/// Between two sweeps when nothing calls for one.
const PERIOD: Duration = Duration::from_secs(20);
/// A mount's mark stays so long after its removal, for what was on its way to it.
const LINGER: i64 = 600;

/// Sweeps for ever.
pub async fn run(active: &Arc<Active>) {
    loop {
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

/// One slice of everything.
pub async fn sweep(active: &Arc<Active>) -> Result<Swept, Refusal> {
    let tokens = expired_tokens(active).await?;
    let mounts = doomed_mounts(active).await?;
    Ok(if tokens == Swept::All && mounts == Swept::All { Swept::All } else { Swept::Some })
}

/// Tokens whose time is over, with all that descends from them.
async fn expired_tokens(active: &Arc<Active>) -> Result<Swept, Refusal> {
    // As whoever revokes: no child is born meanwhile.
    let _family = active.tokens.family.write().await;
    let snapshot = active.snapshot()?;
    let now = active.now();
    let reader = active.tokens.view.at(snapshot.clone());
    let due = reader.due(Minute::of(now), None, SLICE).map_err(barrier)?;
    let mut removed = 0;
    let mut swept = if due.len() < SLICE { Swept::All } else { Swept::Some };
    for Due { minute, name } in &due {
        let Some(key) = name.segments().first() else { continue };
        let mut batch = Batch::default();
        let mut gone = vec![(active.tokens.view.clone(), Write::delete(name.clone()).due(*minute))];
        if let Some(known) = over(&reader, key, now)? {
            let slice = active.tokens.tree_slice(&reader, &known.key)?;
            removed += slice.keys.len();
            let more = slice.more;
            let work = active.removal(&snapshot, slice)?;
            // Of a tree that is not wholly gone, the root stays due.
            if more {
                gone.clear();
            }
            gone.extend(work.writes);
        }
        for (view, write) in &gone {
            view.seal(write, &mut batch).map_err(barrier)?;
        }
        match active.store.commit(batch).await {
            // It was used or renewed at this very moment: the next sweep looks again.
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(cause) => return Err(fault::store(cause)),
        }
        if removed >= SLICE {
            swept = Swept::Some;
            break;
        }
    }
    if removed > 0 {
        log::info(format_args!("{removed} tokens had ended and are removed"));
    }
    Ok(swept)
}

/// The token with this key, if its time is over. If it was renewed, another row of the index counts.
fn over(reader: &strongroom_barrier::Reader, key: &str, now: Timestamp) -> Result<Option<Known>, Refusal> {
    let at = Name::new(["id", key]).map_err(damaged)?;
    let Some(entry) = reader.get(&at).map_err(barrier)? else { return Ok(None) };
    let record: TokenRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
    let is_over = record.ended || record.expires.is_some_and(|end| end <= now);
    Ok(is_over.then(|| Known { key: key.to_owned(), record, entry }))
}

/// The mark of a mount whose records are to go.
pub fn doomed(id: MountId, now: Timestamp) -> Result<Write, Refusal> {
    Ok(Write::put(mark(&id.to_string())?, now.nanos().to_be_bytes().to_vec()))
}

async fn doomed_mounts(active: &Arc<Active>) -> Result<Swept, Refusal> {
    let snapshot = active.snapshot()?;
    let system = active.system.at(snapshot.clone());
    let all = Name::new([DOOMED]).map_err(damaged)?;
    let mut swept = Swept::All;
    for id in system.list(&all, None, None).map_err(barrier)? {
        let parsed = MountId::parse(&id).ok_or_else(|| damaged("a doomed mount has no id"))?;
        let view = View::new(&active.barrier, NamespaceId::ROOT, parsed);
        let mut batch = Batch::default();
        let mut names = Vec::new();
        let root = Name::new(Vec::<String>::new()).map_err(damaged)?;
        view.at(snapshot.clone())
            .walk(&root, &mut |segments| {
                names.push(segments.to_vec());
                names.len() < SLICE
            })
            .map_err(barrier)?;
        if names.is_empty() && lingered(active, &system, &id)? {
            active.system.seal(&Write::delete(mark(&id)?), &mut batch).map_err(barrier)?;
        }
        for segments in &names {
            let name = Name::new(segments.iter().cloned()).map_err(damaged)?;
            view.seal(&Write::delete(name), &mut batch).map_err(barrier)?;
        }
        if names.len() >= SLICE {
            swept = Swept::Some;
        }
        if !batch.is_empty() {
            active.store.commit(batch).await.map_err(fault::store)?;
        }
    }
    Ok(swept)
}

fn lingered(active: &Active, system: &strongroom_barrier::Reader, id: &str) -> Result<bool, Refusal> {
    let Some(entry) = system.get(&mark(id)?).map_err(barrier)? else { return Ok(false) };
    let since =
        entry.value.expose().try_into().map_err(|_| damaged("the mark of a doomed mount is damaged"))?;
    Ok(Timestamp::from_nanos(i64::from_be_bytes(since)).plus_secs(LINGER) <= active.now())
}

const DOOMED: &str = "doomed";

fn mark(id: &str) -> Result<Name, Refusal> {
    Name::new([DOOMED, id]).map_err(damaged)
}
