//! Entities: whoever logs in by the same alias of the same method is the same one, time and again.
//!
//! An alias is a record in the entities' own view, `["alias", mount id, alias]`: the id of its entity, JSON. It is made in
//! the commit of the first login and ends with the method. Nothing else is kept of an entity yet.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use strongroom_barrier::{Name, View, Write};
use strongroom_store::Snapshot;
use strongroom_types::Refusal;
use strongroom_types::id::{MountId, random_uuid};

use crate::active::Active;
use crate::fault::{barrier, damaged};

/// What is stored of an alias.
#[derive(Serialize, Deserialize)]
struct AliasRecord {
    /// Version of this record's shape: 1.
    v: u8,
    /// Whose it is.
    entity: String,
}

/// The entity of `alias`; a new one is a write, too.
pub fn of_login(
    active: &Active,
    snapshot: &Arc<dyn Snapshot>,
    mount: MountId,
    alias: &str,
) -> Result<(String, Option<(View, Write)>), Refusal> {
    let name = aliases(mount)?.child(alias).map_err(damaged)?;
    if let Some(entry) = active.entities.at(snapshot.clone()).get(&name).map_err(barrier)? {
        let record: AliasRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
        return Ok((record.entity, None));
    }
    let record = AliasRecord { v: 1, entity: random_uuid(active.entropy.as_ref())? };
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let write = Write::put(name, body).if_unchanged(None);
    Ok((record.entity, Some((active.entities.clone(), write))))
}

/// Where the aliases of a mount are.
pub fn aliases(mount: MountId) -> Result<Name, Refusal> {
    Name::new(["alias".to_owned(), mount.to_string()]).map_err(damaged)
}
