//! Secret-ids: what is stored of one.

use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_engine::{Cx, Entry, JsonMap, Minute, Name, Refusal, Write, record};
use strongroom_types::{Cidr, Timestamp};

use crate::role::with_bits;

/// Seconds by which time may step back.
const STEP: i64 = 60;

/// The shape of a record. Shape 1 is the same without an era.
const SHAPE: u8 = 2;
const SHAPES: &[u8] = &[1, SHAPE];

/// What is stored of a secret-id; never the secret-id.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecretId {
    /// Names the secret-id without being it.
    pub accessor: String,
    /// Uses left; 0 is unlimited. The last use removes the record.
    pub num_uses: u64,
    /// Seconds it was given; 0 is for ever.
    pub ttl: i64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, if its uses are counted.
    pub updated: Timestamp,
    /// When it ends; `None` is never.
    pub expires: Option<Timestamp>,
    /// Text by text: it stands in the tokens.
    pub metadata: JsonMap,
    /// The networks to log in from; none is everywhere.
    pub cidr_list: Vec<Cidr>,
    /// The networks of the tokens; none are the role's.
    pub token_bound_cidrs: Vec<Cidr>,
    /// The clock's era in which it was made; `None` was made by a version that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub era: Option<u32>,
}

impl SecretId {
    /// Whether it can still be used. One that ends, and was made by a clock that was ahead, would live longer than it was
    /// given: its era tells that for ever, without one it is told until its time has come.
    pub fn is_live(&self, cx: &Cx) -> bool {
        let Some(end) = self.expires else { return true };
        let is_void = self.era.is_some_and(|era| cx.eras.is_void(self.created, era));
        cx.now < end && self.created <= cx.now.plus_secs(STEP) && !is_void
    }

    /// As clients read it.
    pub fn shown(&self) -> JsonMap {
        let never = "0001-01-01T00:00:00Z".to_owned();
        let shown = json!({
            "cidr_list": with_bits(&self.cidr_list),
            "creation_time": self.created.to_string(),
            "expiration_time": self.expires.map_or(never, |end| end.to_string()),
            "last_updated_time": self.updated.to_string(),
            "metadata": self.metadata,
            "secret_id_accessor": self.accessor,
            "secret_id_num_uses": self.num_uses,
            "secret_id_ttl": self.ttl,
            "token_bound_cidrs": self.token_bound_cidrs,
        });
        shown.as_object().cloned().unwrap_or_default()
    }
}

/// Where the secret-id of this hash is stored.
pub fn name_of(uid: &str, hash: &str) -> Result<Name, Refusal> {
    Name::new(["secret-id", uid, hash]).map_err(Refusal::fault)
}

/// Where the hash of the secret-id with this accessor is stored. What could not be an accessor is none.
pub fn name_of_accessor(uid: &str, accessor: &str) -> Option<Name> {
    Name::new(["accessor", uid, accessor]).ok()
}

/// The secret-id of this hash, whether it can still be used or not.
pub fn find(cx: &Cx, uid: &str, hash: &str) -> Result<Option<(SecretId, Entry)>, Refusal> {
    let Some(entry) = cx.get(&name_of(uid, hash)?)? else { return Ok(None) };
    Ok(Some((record::decode_any(SHAPES, &entry)?, entry)))
}

/// The hash of the secret-id with this accessor.
pub fn find_hash(cx: &Cx, uid: &str, accessor: &str) -> Result<Option<String>, Refusal> {
    let Some(name) = name_of_accessor(uid, accessor) else { return Ok(None) };
    cx.get(&name)?.map(|entry| record::decode(crate::SHAPE, &entry)).transpose()
}

/// Stores a new one: refused by the store if there is one of the same hash.
pub fn made(uid: &str, hash: &str, secret_id: &SecretId) -> Result<Vec<Write>, Refusal> {
    let accessor = name_of_accessor(uid, &secret_id.accessor).ok_or_else(|| Refusal::fault("no accessor"))?;
    let mut writes = vec![
        Write::put(name_of(uid, hash)?, record::encode(SHAPE, secret_id)?).if_unchanged(None),
        Write::put(accessor, record::encode(crate::SHAPE, &hash)?).if_unchanged(None),
    ];
    if let Some((minute, name)) = due(uid, hash, secret_id)? {
        writes.push(Write::put(name, Vec::new()).due(minute));
    }
    Ok(writes)
}

/// One use less; the last one removes it.
pub fn used(
    uid: &str,
    hash: &str,
    secret_id: &SecretId,
    seen: &Entry,
    now: Timestamp,
) -> Result<Vec<Write>, Refusal> {
    match secret_id.num_uses {
        0 => Ok(Vec::new()),
        1 => removed(uid, hash, secret_id, seen),
        left => {
            let record = SecretId { num_uses: left - 1, updated: now, ..secret_id.clone() };
            let write = Write::put(name_of(uid, hash)?, record::encode(SHAPE, &record)?);
            Ok(vec![write.if_unchanged(Some(seen)).frees()])
        }
    }
}

/// Removes it, with all that names it.
pub fn removed(uid: &str, hash: &str, secret_id: &SecretId, seen: &Entry) -> Result<Vec<Write>, Refusal> {
    let mut writes = vec![Write::delete(name_of(uid, hash)?).if_unchanged(Some(seen))];
    writes.extend(name_of_accessor(uid, &secret_id.accessor).map(Write::delete));
    writes.extend(due(uid, hash, secret_id)?.map(|(minute, name)| Write::delete(name).due(minute)));
    Ok(writes)
}

/// Where it stands in the index by expiry.
fn due(uid: &str, hash: &str, secret_id: &SecretId) -> Result<Option<(Minute, Name)>, Refusal> {
    let name = || Name::new([uid, hash]).map_err(Refusal::fault);
    secret_id.expires.map(|end| Ok((Minute::not_before(end), name()?))).transpose()
}
