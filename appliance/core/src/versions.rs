//! Which versions this cluster has been served by, and since when.
//!
//! One record of the system's view for each, `["version", version]`, JSON: `{"v": 1, "since": "2026-01-01T00:00:00Z"}`,
//! written at the first unseal by that version. Of versions before this was noted nothing is known.

use serde::{Deserialize, Serialize};
use strongroom_barrier::{Name, Reader, View, Write};
use strongroom_store::{Batch, StoreError};
use strongroom_types::{Refusal, Timestamp};

use crate::Parts;
use crate::fault::{self, barrier, damaged};

#[derive(Serialize, Deserialize)]
struct Record {
    /// Version of this record's shape: 1.
    v: u8,
    since: Timestamp,
}

/// Notes the version of this program, if it is new here. A full disk is no reason not to unseal: it is noted later.
pub async fn note(parts: &Parts, system: &View) -> Result<(), Refusal> {
    let at = Name::new(["version", &parts.settings.version]).map_err(damaged)?;
    let reader = system.at(parts.store.snapshot().map_err(fault::store)?);
    if reader.has(&at).map_err(barrier)? {
        return Ok(());
    }
    let body = serde_json::to_vec(&Record { v: 1, since: parts.clock.now() }).map_err(damaged)?;
    let mut batch = Batch::default();
    system.seal(&Write::put(at, body).if_unchanged(None), &mut batch).map_err(barrier)?;
    match parts.store.commit(batch).await {
        Ok(_) | Err(StoreError::NoSpace) => Ok(()),
        Err(cause) => Err(fault::store(cause)),
    }
}

/// All of them, the oldest first.
pub fn history(system: &Reader) -> Result<Vec<(String, Timestamp)>, Refusal> {
    let parent = Name::new(["version"]).map_err(damaged)?;
    let mut all = Vec::new();
    for version in system.list(&parent, None, None).map_err(barrier)? {
        let at = Name::new(["version", &version]).map_err(damaged)?;
        let Some(entry) = system.get(&at).map_err(barrier)? else { continue };
        let record: Record = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
        all.push((version, record.since));
    }
    all.sort_by_key(|(_, since)| *since);
    Ok(all)
}
