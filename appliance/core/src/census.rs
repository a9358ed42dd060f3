//! How many tokens and leases are stored: counted once after an unseal, beside the requests, and from then on kept by what
//! each commit changes. Nobody has to look at all of them again.
//!
//! Whatever is committed while they are counted is in the snapshot that is counted, or it is not: its revision tells.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_barrier::{Name, Reader, View, Write};
use strongroom_store::{Expect, Revision};
use strongroom_types::Refusal;
use strongroom_types::id::MountId;

use crate::active::{Active, LEASES, TOKENS};
use crate::fault::{barrier, damaged};
use crate::leases::{IRREVOCABLE, LEASE};
use crate::revocation::aside;

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Service tokens: a batch token is stored nowhere.
    pub tokens: i64,
    /// Leases of engines, and tokens that end by themselves.
    pub leases: i64,
    /// Leases that have often been tried to take back.
    pub irrevocable: i64,
}

/// See the module.
#[derive(Default)]
pub struct Census {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// Nobody has counted yet.
    #[default]
    Unknown,
    /// Somebody counts; what was committed meanwhile.
    Counting(Vec<(Revision, Count)>),
    /// Counted at this revision, and kept since.
    Known(Revision, Count),
}

impl Census {
    /// How many there are, if they have been counted.
    pub fn count(&self) -> Option<Count> {
        match *self.state() {
            State::Known(_, count) => Some(count),
            State::Unknown | State::Counting(_) => None,
        }
    }

    /// These were committed together at `revision`.
    pub fn committed<'a>(&self, revision: Revision, writes: impl Iterator<Item = (&'a View, &'a Write)>) {
        let change = change(writes.map(|(view, write)| (view.mount(), write)));
        if change == Count::default() {
            return;
        }
        match &mut *self.state() {
            State::Unknown => {}
            State::Counting(meanwhile) => meanwhile.push((revision, change)),
            State::Known(at, count) if revision > *at => count.add(change),
            State::Known(..) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts them all, unless that has been done.
pub fn count(active: &Arc<Active>) -> Result<(), Refusal> {
    let census = &active.census;
    if census.count().is_some() {
        return Ok(());
    }
    *census.state() = State::Counting(Vec::new());
    let counted = aside(|| look(active));
    let mut state = census.state();
    let State::Counting(meanwhile) = std::mem::take(&mut *state) else { return Ok(()) };
    let (at, mut count) = counted?;
    meanwhile.into_iter().filter(|(revision, _)| *revision > at).for_each(|(_, change)| count.add(change));
    *state = State::Known(at, count);
    Ok(())
}

/// What is stored, and when.
pub fn look(active: &Active) -> Result<(Revision, Count), Refusal> {
    let snapshot = active.snapshot()?;
    let (tokens, leases) = (active.tokens.view.at(snapshot.clone()), active.leases.view.at(snapshot));
    let count = Count {
        tokens: below(&tokens, ID)?,
        leases: below(&tokens, LEASE)? + below(&leases, LEASE)?,
        irrevocable: below(&leases, IRREVOCABLE)?,
    };
    Ok((tokens.revision(), count))
}

fn below(reader: &Reader, first: &str) -> Result<i64, Refusal> {
    let mut found = 0;
    let one_more = &mut |_: &[String]| {
        found += 1;
        true
    };
    reader.walk(&Name::new([first]).map_err(damaged)?, one_more).map_err(barrier)?;
    Ok(found)
}

/// Begins the names of the tokens' records.
const ID: &str = "id";

impl Count {
    fn add(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.leases += other.leases;
        self.irrevocable += other.irrevocable;
    }
}

/// What a batch changes. A token that ends with its parent and by itself is removed twice by one batch, and counts once.
fn change<'a>(writes: impl Iterator<Item = (MountId, &'a Write)>) -> Count {
    let (mut change, mut removed) = (Count::default(), HashSet::new());
    for (view, write) in writes.filter(|(_, write)| write.due.is_none()) {
        let first = write.name.segments().first().map(String::as_str);
        let counted = match (view, first) {
            (TOKENS, Some(ID)) => &mut change.tokens,
            (TOKENS | LEASES, Some(LEASE)) => &mut change.leases,
            (LEASES, Some(IRREVOCABLE)) => &mut change.irrevocable,
            _ => continue,
        };
        match (&write.value, write.expect) {
            (None, _) if removed.insert((view, &write.name)) => *counted -= 1,
            (None, _) | (Some(_), Expect::Revision(_)) => {}
            (Some(_), Expect::Absent | Expect::Any) => *counted += 1,
        }
    }
    change
}
