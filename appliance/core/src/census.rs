//! How many tokens and leases are stored, and how many leases count for each quota: counted once after an unseal, and from
//! then on kept by what each commit changes. Nobody has to look at all of them again, unless quotas or mounts change.
//!
//! Whatever is committed while they are counted is in the snapshot that is counted, or it is not: its revision tells. What
//! is about to be committed is promised before: so of many at once no more are made than a quota lets.

mod change;
mod look;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strongroom_store::Revision;
use strongroom_types::Refusal;
use strongroom_types::error::Kind;

use crate::active::Active;
use crate::quotas::Rules;
use crate::revocation::aside;

pub use change::{Change, changed};
pub use look::look;

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

/// How many there are in all, and how many leases count for each quota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In all.
    pub count: Count,
    /// By the name of the quota.
    pub by_quota: HashMap<String, i64>,
}

/// See the module.
#[derive(Default)]
pub struct Census {
    state: Mutex<State>,
    /// Held by whoever counts.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// By what leases are counted.
    rules: Rules,
    /// What was counted at this revision, and kept since; `None` before the first time.
    kept: Option<(Revision, Tally)>,
    /// Somebody counts; what was committed meanwhile.
    meanwhile: Option<Vec<(Revision, Change)>>,
    /// Leases that are about to be made.
    promised: HashMap<u64, Promised>,
    last: u64,
}

struct Promised {
    path: String,
    role: String,
    /// The quota it counts for.
    quota: String,
}

/// A lease may be made: until this is dropped, or the lease is committed, it counts as if it had been.
pub struct Seat {
    census: Arc<Census>,
    id: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.census.state().promised.remove(&self.id);
    }
}

impl Tally {
    /// `by` leases more, made by `path` for `role`.
    fn leases(&mut self, rules: &Rules, path: &str, role: &str, by: i64) {
        self.count.leases += by;
        if let Some(quota) = rules.quota(path, role) {
            *self.by_quota.entry(quota.name.clone()).or_default() += by;
        }
    }

    fn change(&mut self, rules: &Rules, change: &Change) {
        self.count.tokens += change.tokens;
        self.count.irrevocable += change.irrevocable;
        for lease in &change.leases {
            self.leases(rules, &lease.path, &lease.role, lease.by);
        }
    }

    fn of(&self, quota: &str) -> i64 {
        self.by_quota.get(quota).copied().unwrap_or_default()
    }
}

impl Census {
    /// How many there are, if they have been counted.
    pub fn count(&self) -> Option<Count> {
        self.state().kept.as_ref().map(|(_, tally)| tally.count)
    }

    /// How many leases count for this quota.
    pub fn of_quota(&self, name: &str) -> i64 {
        self.state().kept.as_ref().map_or(0, |(_, tally)| tally.of(name))
    }

    /// A place for a lease that is to be made by `path`, for `role` if that is not empty. `None` where no quota counts it.
    pub fn seat(self: &Arc<Self>, path: &str, role: &str) -> Result<Option<Seat>, Refusal> {
        let mut state = self.state();
        let Some(quota) = state.rules.quota(path, role).cloned() else { return Ok(None) };
        let stored = state.kept.as_ref().map_or(0, |(_, tally)| tally.of(&quota.name));
        let promised = state.promised.values().filter(|other| other.quota == quota.name).count();
        let used = u64::try_from(stored).unwrap_or_default().saturating_add(promised as u64);
        if used >= quota.record.max_leases {
            let text =
                format!("1 error occurred:\n\t* request path \"{path}\": lease count quota exceeded\n\n");
            return Err(Refusal::new(Kind::TooMany, text));
        }
        state.last = state.last.wrapping_add(1);
        let id = state.last;
        let promised = Promised { path: path.to_owned(), role: role.to_owned(), quota: quota.name.clone() };
        state.promised.insert(id, promised);
        Ok(Some(Seat { census: self.clone(), id }))
    }

    /// This was committed at `revision`; what was promised is made.
    pub fn committed(&self, revision: Revision, change: Change, seat: Option<&Seat>) {
        if change.is_nothing() {
            return;
        }
        let mut state = self.state();
        let State { rules, kept, meanwhile, promised, .. } = &mut *state;
        if let Some(seat) = seat {
            promised.remove(&seat.id);
        }
        if let Some((at, tally)) = kept
            && revision > *at
        {
            tally.change(rules, &change);
        }
        if let Some(meanwhile) = meanwhile {
            meanwhile.push((revision, change));
        }
    }

    /// What is kept, and by which rules.
    #[cfg(test)]
    pub fn kept(&self) -> Option<(Rules, Tally)> {
        let state = self.state();
        state.kept.as_ref().map(|(_, tally)| (state.rules.clone(), tally.clone()))
    }

    /// Whether quotas count leases now.
    fn has_quotas(&self) -> bool {
        !self.state().rules.quotas.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts them all, unless that has been done.
pub fn count(active: &Active) -> Result<(), Refusal> {
    if active.census.count().is_some() { Ok(()) } else { recount(active) }
}

/// Quotas or mounts have changed: counts anew, if there are or were quotas. Until that is done the old ones count.
pub fn recount_if_asked(active: &Active) -> Result<(), Refusal> {
    let asked = active.census.has_quotas() || !active.quotas.leases().is_empty();
    if asked { recount(active) } else { Ok(()) }
}

fn recount(active: &Active) -> Result<(), Refusal> {
    let census = &active.census;
    aside(|| {
        let _turn = census.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = Rules { quotas: active.quotas.leases(), mounts: active.mounts.load_full() };
        census.state().meanwhile = Some(Vec::new());
        let counted = look(active, &rules);
        let mut state = census.state();
        let meanwhile = state.meanwhile.take().unwrap_or_default();
        let (at, mut tally) = counted?;
        for (_, change) in meanwhile.into_iter().filter(|(revision, _)| *revision > at) {
            tally.change(&rules, &change);
        }
        // What is under way counts by the new ones; what no quota counted before is let through.
        for promised in state.promised.values_mut() {
            let quota = rules.quota(&promised.path, &promised.role);
            promised.quota = quota.map(|quota| quota.name.clone()).unwrap_or_default();
        }
        state.rules = rules;
        state.kept = Some((at, tally));
        Ok(())
    })
}
