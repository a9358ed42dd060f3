//! Ancestors: a token ends with the first of them that does.
//!
//! To remove a family takes the sweep a while. No descendant is of use meanwhile: whoever looks a token up looks at its
//! ancestors, too, one read for each generation. The tokens of logins and of roles that make orphans have none, those
//! that root has made have one.

use std::sync::Arc;

use strongroom_barrier::Reader;
use strongroom_store::Batch;
use strongroom_types::{Refusal, Timestamp};

use super::{Known, TokenRecord, Tokens, record_name};
use crate::fault::barrier;

/// Most ancestors that a token has: what looking it up costs is bounded.
pub const MAX_ANCESTORS: usize = 64;

impl Tokens {
    /// The ancestors of a token. `None` if one of them is gone or has ended, or if there are more than may be.
    pub(super) fn ancestors(
        &self,
        reader: &Reader,
        record: &TokenRecord,
        now: Timestamp,
    ) -> Result<Option<Vec<Arc<Known>>>, Refusal> {
        let mut ancestors = Vec::new();
        let mut parent = record.parent.clone();
        while let Some(key) = parent {
            if ancestors.len() == MAX_ANCESTORS {
                return Ok(None);
            }
            match self.lasting(reader, key.clone(), now)? {
                Some(known) => {
                    parent = known.record.parent.clone();
                    ancestors.push(known);
                }
                // It has none any more: it is only not written yet.
                None if self.spares_children(reader, key)? => break,
                None => return Ok(None),
            }
        }
        Ok(Some(ancestors))
    }

    /// The token and its ancestors, as `reader` has them: if none of them has changed by the time of a commit, the token
    /// has not been revoked. A batch token itself is not among them: nobody can revoke it. Refused if it has ended.
    pub fn line(
        &self,
        reader: &Reader,
        known: &Arc<Known>,
        now: Timestamp,
    ) -> Result<Vec<Arc<Known>>, Refusal> {
        let mut line = self.ancestors(reader, &known.record, now)?.ok_or_else(Refusal::denied)?;
        if known.entry.is_some() {
            line.push(known.clone());
        }
        Ok(line)
    }

    /// Adds to `batch` that it happens only if no token of `line` has changed.
    pub fn only_if_unchanged(&self, line: &[Arc<Known>], batch: &mut Batch) -> Result<(), Refusal> {
        for known in line {
            let at = record_name(&known.key)?;
            self.view.only_if_unchanged(&at, known.stored()?, batch).map_err(barrier)?;
        }
        Ok(())
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
            Some(ancestors) if ancestors.len() < MAX_ANCESTORS => Ok(()),
            Some(_) => Err(Refusal::bad_request(
                "the token has as many ancestors as a token may have: its children have to be orphans",
            )),
        }
    }
}
