//! Commits beside the requests.

use strongroom_barrier::{View, Write};
use strongroom_store::{Batch, StoreError};
use strongroom_types::Refusal;

use crate::active::Active;
use crate::fault::{self, barrier};

/// How a commit ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done.
    Done,
    /// Somebody else has changed something of it: nothing was committed.
    Conflict,
    /// It does not only take away, and there is no room: nothing was committed.
    Full,
}

/// Commits `writes` as one batch.
pub async fn commit<'a>(
    active: &Active,
    writes: impl Iterator<Item = (&'a View, &'a Write)>,
) -> Result<Settled, Refusal> {
    let (mut batch, mut frees) = (Batch::default(), true);
    for (view, write) in writes {
        view.seal(write, &mut batch).map_err(barrier)?;
        frees &= write.frees;
    }
    if batch.is_empty() {
        return Ok(Settled::Done);
    }
    if frees {
        batch.frees();
    }
    match active.store.commit(batch).await {
        Ok(_) => Ok(Settled::Done),
        Err(StoreError::Conflict) => Ok(Settled::Conflict),
        Err(StoreError::NoSpace | StoreError::TooLarge) => Ok(Settled::Full),
        Err(cause) => Err(fault::store(cause)),
    }
}

/// As [`commit`] takes them.
pub fn pairs(writes: &[(View, Write)]) -> impl Iterator<Item = (&View, &Write)> {
    writes.iter().map(|(view, write)| (view, write))
}
