//! The end of tokens: their records, their descendants', what they kept in their cubbyholes; and that what was leased to
//! them is to end, which engines may take their time for.
//!
//! What fits into one batch goes in one. Else the token is marked as ended, which ends it for good, and falls due at
//! once: the [sweep](crate::sweep) removes the rest, leaves first, a slice at a time.

use std::sync::Arc;

use strongroom_barrier::{Name, View, Write};
use strongroom_store::Snapshot;
use strongroom_types::Refusal;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::leases;
use crate::perform::{After, Work};
use crate::tokens::Known;

/// Runs what reads much beside the threads that answer requests; as it is where there are no others.
pub fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Records of cubbyholes removed by one batch.
const MAX_RECORDS: usize = 5_000;

/// As much of a token's end as fits into one batch.
pub struct Slice {
    /// What removes it.
    pub writes: Vec<(View, Write)>,
    /// The keys of these tokens.
    pub tokens: Vec<String>,
    /// Whether nothing is left of the token and its descendants.
    pub whole: bool,
}

impl Active {
    /// Ends `known`, its descendants, and all that was in their cubbyholes.
    pub fn revoke(&self, snapshot: &Arc<dyn Snapshot>, known: &Known) -> Result<Work, Refusal> {
        let begun = self.clock.reading();
        let slice = aside(|| self.end_slice(snapshot, &known.key, false))?;
        self.measure(&self.metrics.token_revoke, begun);
        if slice.whole {
            return Ok(Work::done(slice.writes).then([After::Leases]));
        }
        let writes = self.tokens.mark_ended(known, false)?;
        Ok(Work::done(self.of_tokens(writes)).then([After::Sweep]))
    }

    /// Ends `known` and empties its cubbyhole; its children become orphans.
    pub fn revoke_alone(&self, snapshot: &Arc<dyn Snapshot>, known: &Known) -> Result<Work, Refusal> {
        let begun = self.clock.reading();
        let slice = aside(|| self.end_slice(snapshot, &known.key, true))?;
        self.measure(&self.metrics.token_revoke, begun);
        if slice.whole {
            return Ok(Work::done(slice.writes).then([After::Leases]));
        }
        let writes = self.tokens.mark_ended(known, true)?;
        Ok(Work::done(self.of_tokens(writes)).then([After::Sweep]))
    }

    /// A slice of the end of the token with this key, which its children outlive or not.
    pub fn end_slice(&self, snapshot: &Arc<dyn Snapshot>, key: &str, alone: bool) -> Result<Slice, Refusal> {
        let reader = self.tokens.view.at(snapshot.clone());
        let tree = match alone {
            true => self.tokens.slice_alone(&reader, key)?,
            false => self.tokens.tree_slice(&reader, key)?,
        };
        let kept = self.cubbyholes_of(snapshot, &tree.keys, MAX_RECORDS)?;
        if kept.len() >= MAX_RECORDS {
            // First these alone: a token without a record would leave the rest to nobody.
            return Ok(Slice { writes: kept, tokens: Vec::new(), whole: false });
        }
        let mut writes = self.of_tokens(tree.writes);
        writes.extend(kept);
        writes.extend(self.leases_of(snapshot, &tree.keys)?);
        Ok(Slice { writes, tokens: tree.keys, whole: !tree.more })
    }

    /// Says that what was leased to these tokens is to end.
    fn leases_of(
        &self,
        snapshot: &Arc<dyn Snapshot>,
        keys: &[String],
    ) -> Result<Vec<(View, Write)>, Refusal> {
        let reader = self.leases.view.at(snapshot.clone());
        let jobs = keys.iter().map(|key| leases::end_with_token(self, &reader, key, &[]));
        jobs.filter_map(Result::transpose).map(|job| Ok((self.leases.view.clone(), job?))).collect()
    }

    fn of_tokens(&self, writes: Vec<Write>) -> Vec<(View, Write)> {
        writes.into_iter().map(|write| (self.tokens.view.clone(), write)).collect()
    }

    /// Removes what the tokens with these keys kept in their cubbyholes: at most `most` records.
    fn cubbyholes_of(
        &self,
        snapshot: &Arc<dyn Snapshot>,
        keys: &[String],
        most: usize,
    ) -> Result<Vec<(View, Write)>, Refusal> {
        let reader = self.cubbyholes.at(snapshot.clone());
        let mut names = Vec::new();
        for key in keys {
            let parent = Name::new([key.as_str()]).map_err(damaged)?;
            let visit = &mut |rest: &[String]| {
                names.push(parent.segments().iter().chain(rest).cloned().collect::<Vec<_>>());
                names.len() < most
            };
            reader.walk(&parent, visit).map_err(barrier)?;
            if names.len() >= most {
                break;
            }
        }
        let delete = |segments| {
            Ok((self.cubbyholes.clone(), Write::delete(Name::new::<String>(segments).map_err(damaged)?)))
        };
        names.into_iter().map(delete).collect()
    }
}
