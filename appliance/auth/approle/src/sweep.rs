//! What is left of secret-ids that have expired, and of those whose role is gone.

use strongroom_engine::{Cx, Due, Minute, Name, Refusal, Write, record};

use crate::secret_id;

/// Secret-ids removed by one batch.
const SLICE: usize = 250;

const GONE: &str = "gone";

/// The mark of a role that was deleted.
pub fn gone(uid: &str) -> Result<Name, Refusal> {
    Name::new([GONE, uid]).map_err(Refusal::fault)
}

/// A slice of what can be removed.
pub fn sweep(cx: &Cx) -> Result<Vec<Write>, Refusal> {
    let expired = expired(cx)?;
    if expired.is_empty() { of_gone_role(cx) } else { Ok(expired) }
}

fn expired(cx: &Cx) -> Result<Vec<Write>, Refusal> {
    let mut writes = Vec::new();
    for Due { minute, name } in cx.view.due(Minute::of(cx.now), None, SLICE).map_err(Refusal::fault)? {
        if let [uid, hash] = name.segments()
            && let Some((record, seen)) = secret_id::find(cx, uid, hash)?
            && !record.is_live(cx)
        {
            writes.extend(secret_id::removed(uid, hash, &record, &seen)?);
        } else {
            writes.push(Write::delete(name).due(minute));
        }
    }
    Ok(writes)
}

/// A slice of the secret-ids of one role that was deleted; when nothing is left of them, its mark.
fn of_gone_role(cx: &Cx) -> Result<Vec<Write>, Refusal> {
    let all = record::name(GONE, "")?;
    let Some(uid) = cx.view.list(&all, None, Some(1)).map_err(Refusal::fault)?.pop() else {
        return Ok(Vec::new());
    };
    let mut hashes = Vec::new();
    let below = Name::new(["secret-id", &uid]).map_err(Refusal::fault)?;
    let visit = &mut |segments: &[String]| {
        hashes.extend(segments.first().cloned());
        hashes.len() < SLICE
    };
    cx.view.walk(&below, visit).map_err(Refusal::fault)?;
    let mut writes = Vec::new();
    for hash in &hashes {
        if let Some((record, seen)) = secret_id::find(cx, &uid, hash)? {
            writes.extend(secret_id::removed(&uid, hash, &record, &seen)?);
        }
    }
    if writes.is_empty() {
        writes.push(Write::delete(gone(&uid)?));
    }
    Ok(writes)
}
