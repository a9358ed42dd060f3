//! Tokens as leases: shown, found and ended by the path that made them.
//!
//! The lease of a token is `<path>/h<key>`: there is nothing to store but where to find it by path. Tokens that end by
//! themselves have one; those that never do, batch tokens and what opens a wrapped answer have none.

use std::sync::Arc;

use strongroom_barrier::{Name, Reader};
use strongroom_policy::builtin::RESPONSE_WRAPPING;
use strongroom_types::{Refusal, Timestamp};

use super::{Known, TokenRecord, Tokens, key};
use crate::fault::{barrier, damaged};

/// Begins the names of the index.
const LEASE: &str = "lease";
/// Begins the last part of a token's lease.
const MARK: char = 'h';

/// Where the token with this key stands in the index by path, if it does.
pub(super) fn name_of(key: &str, record: &TokenRecord) -> Result<Option<Name>, Refusal> {
    // By what it was made to be: a root token that is revoked expires too, and had none.
    if record.batch || record.creation_ttl == 0 || record.policies == [RESPONSE_WRAPPING] {
        return Ok(None);
    }
    let name = Name::below(LEASE, &record.path).and_then(|name| name.child(format!("{MARK}{key}")));
    name.map(|name| Some(name.ranked(key::rank(key))))
        .map_err(|_| Refusal::bad_request("the path has too many parts for a token to be made there"))
}

/// The key of the token whose lease ends in `last`.
fn key_in(last: &str) -> Option<&str> {
    last.strip_prefix(MARK).filter(|key| key::rank(key).is_some())
}

/// The key in a lease's id, if it may be a token's.
fn key_of(id: &str) -> Option<&str> {
    id.rsplit_once('/').and_then(|(_, last)| key_in(last))
}

/// Whether `id` is the lease of this token, by the one path that made it.
fn is_lease(id: &str, known: &Known) -> bool {
    let own = name_of(&known.key, &known.record).ok().flatten();
    own.zip(Name::below(LEASE, id).ok()).is_some_and(|(own, named)| own.segments() == named.segments())
}

/// A token below a path.
pub struct Below {
    /// Where it stands: to go on behind it.
    pub name: Name,
    /// Its key.
    pub key: String,
}

impl Below {
    /// From the whole name as a walk shows it: without its rank, which its key says.
    pub fn of(segments: Vec<String>) -> Result<Self, Refusal> {
        let key = segments.last().and_then(|last| key_in(last)).map(str::to_owned);
        let key = key.ok_or_else(|| damaged("a token's lease does not name a token"))?;
        let name = Name::new(segments).map_err(damaged)?.ranked(key::rank(&key));
        Ok(Self { name, key })
    }
}

impl Tokens {
    /// The token whose lease `id` is, if it has not ended.
    pub fn find_by_lease(
        &self,
        reader: &Reader,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        let Some(key) = key_of(id) else { return Ok(None) };
        Ok(self.find_by_key(reader, key.to_owned(), now)?.filter(|known| is_lease(id, known)))
    }

    /// The same, also while the clock cannot tell whether it has ended: for whoever ends it.
    pub fn find_by_lease_to_end(
        &self,
        reader: &Reader,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        let Some(key) = key_of(id) else { return Ok(None) };
        let found = self.find_by_key(reader, key.to_owned(), now);
        Ok(self.found_to_end(reader, key.to_owned(), found)?.filter(|known| is_lease(id, known)))
    }

    /// What stands directly below `path` in the index by path, in order, as a list says it.
    pub fn lease_names(
        &self,
        reader: &Reader,
        path: &str,
        after: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Vec<String>, Refusal> {
        let Ok(parent) = Name::below(LEASE, path) else { return Ok(Vec::new()) };
        reader.list(&parent, after, limit).map_err(barrier)
    }

    /// At most `most` tokens that stand below `path` and behind `after`, in no particular order. Whether they have ended
    /// is not looked at.
    pub fn below(
        &self,
        reader: &Reader,
        path: &str,
        after: Option<&Name>,
        most: usize,
    ) -> Result<Vec<Below>, Refusal> {
        let mut below = Vec::new();
        let Ok(parent) = Name::below(LEASE, path) else { return Ok(below) };
        let mut names = Vec::new();
        let visit = &mut |rest: &[String]| {
            names.push(parent.segments().iter().chain(rest).cloned().collect::<Vec<_>>());
            names.len() < most
        };
        reader.walk_on(&parent, after.unwrap_or(&parent), visit).map_err(barrier)?;
        below.extend(names.into_iter().map(Below::of).collect::<Result<Vec<_>, _>>()?);
        Ok(below)
    }

    /// The record of the token with this key, whether it has ended or not.
    pub fn record(&self, reader: &Reader, key: &str) -> Result<Option<TokenRecord>, Refusal> {
        let Some(entry) = reader.get(&super::record_name(key)?).map_err(barrier)? else { return Ok(None) };
        serde_json::from_slice(entry.value.expose()).map(Some).map_err(damaged)
    }
}
