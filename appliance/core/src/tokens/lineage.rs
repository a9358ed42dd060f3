//! Ancestors: a token ends with the first of them that does.
//!
//! To remove a family takes the sweep a while. No descendant is of use meanwhile: whoever looks a token up looks at its
//! ancestors, too, one read for each generation. The tokens of logins and of roles that make orphans have none, those
//! that root has made have one.

use strongroom_barrier::Reader;
use strongroom_types::{Refusal, Timestamp};

use super::{TokenRecord, Tokens};

/// Most ancestors that a token has: what looking it up costs is bounded.
pub const MAX_ANCESTORS: usize = 64;

impl Tokens {
    /// How many ancestors a token has. `None` if one of them is gone or has ended, or if there are more than may be.
    pub(super) fn ancestors(
        &self,
        reader: &Reader,
        record: &TokenRecord,
        now: Timestamp,
    ) -> Result<Option<usize>, Refusal> {
        let mut count = 0;
        let mut parent = record.parent.clone();
        while let Some(key) = parent {
            count += 1;
            if count > MAX_ANCESTORS {
                return Ok(None);
            }
            parent = match self.lasting(reader, key.clone(), now)? {
                Some(known) => known.record.parent.clone(),
                // It has none any more: it is only not written yet.
                None if self.spares_children(reader, key)? => return Ok(Some(count - 1)),
                None => return Ok(None),
            };
        }
        Ok(Some(count))
    }

    /// Whether the token under `key` has ended alone, and is only there until its children are told.
    pub(super) fn spares_children(&self, reader: &Reader, key: String) -> Result<bool, Refusal> {
        Ok(self.stored(reader, key)?.is_some_and(|known| known.record.spares_children))
    }

    /// Refuses a child of `parent` that would have too many ancestors.
    pub(super) fn check_generation(
        &self,
        reader: &Reader,
        parent: &TokenRecord,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match self.ancestors(reader, parent, now)? {
            None => Err(Refusal::denied()),
            Some(count) if count < MAX_ANCESTORS => Ok(()),
            Some(_) => Err(Refusal::bad_request(
                "the token has as many ancestors as a token may have: its children have to be orphans",
            )),
        }
    }
}
