//! Lockouts: who has been guessed at too often is let in by nobody for a while.
//!
//! Wrong proofs are counted by mount and alias, the alias as the method has made it canonical: every spelling of a name
//! shares one count. A request that finds it full is refused before the proof is looked at, and one whose proof was being
//! looked at meanwhile is refused afterwards, right or wrong: of any number of guesses at once no more than the threshold
//! are told how they came out.
//!
//! What counts is in memory, so that a failed login waits for nothing: neither tells the time whether there is such a
//! one, nor does each guess cost a write. What has changed is stored [a moment later](mod@flush), once for each alias, however
//! often it has failed, and before sealing; a process that is killed forgets the last second. Failures of nobody are
//! counted all the same, so that a lockout does not tell who exists, but not stored, and the longest ago are
//! forgotten first. So strangers make neither memory nor storage grow beyond the aliases that there are.
//!
//! In a view of its own: `["count", mount id, alias]`, the [`CountRecord`] as JSON.

mod flush;
mod rules;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use strongroom_barrier::{Name, View};
use strongroom_engine::Knock;
use strongroom_store::Snapshot;
use strongroom_types::id::MountId;
use strongroom_types::{Refusal, Timestamp};
use tokio::sync::Notify;

use crate::fault::{barrier, damaged};

pub use flush::{flush, run};
pub use rules::{LockoutSetting, Rules, rules};

/// Parts of the table, each with a lock of its own.
const PARTS: usize = 16;
/// Aliases of nobody that are remembered in each part.
const MOST_UNKNOWN: usize = 4096;

/// Bytes of an alias of nobody that are kept.
const LONGEST_UNKNOWN: usize = 64;

/// Whose failures.
type Key = (MountId, String);

/// What is stored of failures.
#[derive(Serialize, Deserialize)]
struct CountRecord {
    /// Version of this record's shape: 1.
    v: u8,
    /// Since the last success.
    failures: u64,
    /// When the last one was.
    last: Timestamp,
}

/// Failures of one alias.
struct Count {
    failures: u64,
    last: Timestamp,
    is_known: bool,
}

/// How a login stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Open,
    /// It is refused, whatever the proof.
    Locked,
}

/// See the module.
pub struct Lockouts {
    view: View,
    parts: Vec<Mutex<HashMap<Key, Count>>>,
    hasher: RandomState,
    /// What is to be stored.
    changed: Mutex<HashSet<Key>>,
    wake: Notify,
}

impl Lockouts {
    /// Everything that is stored: as many as there are aliases that have failed lately.
    pub fn load(view: View, snapshot: &Arc<dyn Snapshot>) -> Result<Self, Refusal> {
        let all = Self {
            view,
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            changed: Mutex::default(),
            wake: Notify::new(),
        };
        let reader = all.view.at(snapshot.clone());
        let mut found = Vec::new();
        let visit = &mut |segments: &[String]| {
            found.push(segments.to_vec());
            true
        };
        reader.walk(&name_of_all()?, visit).map_err(barrier)?;
        for segments in found {
            let [mount, alias] = segments.as_slice() else { return Err(damaged("a count has no alias")) };
            let mount = MountId::parse(mount).ok_or_else(|| damaged("a count has no mount"))?;
            let key = (mount, alias.clone());
            let Some(entry) = reader.get(&name_of(&key)?).map_err(barrier)? else { continue };
            let record: CountRecord = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
            let count = Count { failures: record.failures, last: record.last, is_known: true };
            all.part(&key).insert(key, count);
        }
        Ok(all)
    }

    /// Where they are stored.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Asked before the proof is looked at.
    pub fn before(&self, mount: MountId, knock: &Knock, rules: Rules, now: Timestamp) -> Verdict {
        let key = self.key(mount, knock);
        let mut part = self.part(&key);
        self.current(&mut part, &key, rules, now).map_or(Verdict::Open, |count| rules.verdict(count.failures))
    }

    /// The proof was right: the count ends, unless it is full.
    pub fn succeeded(&self, mount: MountId, knock: &Knock, rules: Rules, now: Timestamp) -> Verdict {
        let key = self.key(mount, knock);
        let mut part = self.part(&key);
        match self.current(&mut part, &key, rules, now).map(|count| rules.verdict(count.failures)) {
            Some(Verdict::Locked) => Verdict::Locked,
            Some(Verdict::Open) => {
                self.forget(&mut part, &key);
                Verdict::Open
            }
            None => Verdict::Open,
        }
    }

    /// The proof was wrong. If the count was full already, nobody is told so.
    pub fn failed(&self, mount: MountId, knock: &Knock, rules: Rules, now: Timestamp) -> Verdict {
        let (key, is_known) = (self.key(mount, knock), knock.is_known);
        let mut part = self.part(&key);
        let before = self.current(&mut part, &key, rules, now).map_or(0, |count| count.failures);
        if rules.verdict(before) == Verdict::Locked {
            return Verdict::Locked;
        }
        if !is_known && before == 0 {
            make_room(&mut part);
        }
        part.insert(key.clone(), Count { failures: before + 1, last: now, is_known });
        drop(part);
        if is_known {
            self.is_changed(key);
        }
        Verdict::Open
    }

    /// Ends the count of an alias, which the caller has removed from the storage.
    pub fn unlock(&self, mount: MountId, alias: &str) {
        let key = (mount, alias.to_owned());
        self.part(&key).remove(&key);
    }

    /// The aliases that are locked out now, of those that exist, in order.
    pub fn locked(&self, mount: MountId, rules: Rules, now: Timestamp) -> Vec<String> {
        let mut all = Vec::new();
        for part in &self.parts {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let locked = part.iter().filter(|((of, _), count)| {
                *of == mount
                    && count.is_known
                    && rules.verdict(count.failures) == Verdict::Locked
                    && !rules.is_over(count, now)
            });
            all.extend(locked.map(|((_, alias), _)| alias.clone()));
        }
        all.sort();
        all
    }

    /// Removes what has run out: of mounts without rules, everything.
    fn tidy(&self, rules_of: &dyn Fn(MountId) -> Option<Rules>, now: Timestamp) {
        for part in &self.parts {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let over = part
                .iter()
                .filter(|((mount, _), count)| rules_of(*mount).is_none_or(|rules| rules.is_over(count, now)))
                .map(|(key, _)| key.clone());
            for key in over.collect::<Vec<_>>() {
                self.forget(&mut part, &key);
            }
        }
    }

    /// The count, if it has not run out. One from the future, which an earlier clock has left, begins now.
    fn current<'p>(
        &self,
        part: &'p mut HashMap<Key, Count>,
        key: &Key,
        rules: Rules,
        now: Timestamp,
    ) -> Option<&'p mut Count> {
        if let Some(count) = part.get_mut(key) {
            count.last = count.last.min(now);
            if rules.is_over(count, now) {
                self.forget(part, key);
            }
        }
        part.get_mut(key)
    }

    fn forget(&self, part: &mut HashMap<Key, Count>, key: &Key) {
        if part.remove(key).is_some_and(|count| count.is_known) {
            self.is_changed(key.clone());
        }
    }

    /// Whose failures. Of a name of nobody that is long, only a mark is kept: the names are the strangers' choice.
    fn key(&self, mount: MountId, knock: &Knock) -> Key {
        match knock.is_known || knock.alias.len() <= LONGEST_UNKNOWN {
            true => (mount, knock.alias.clone()),
            false => (mount, format!("\0{:016x}", self.hasher.hash_one(&knock.alias))),
        }
    }

    fn is_changed(&self, key: Key) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        self.wake.notify_one();
    }

    #[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // the remainder is below the number of parts
    fn part(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Count>> {
        let part = &self.parts[self.hasher.hash_one(key) as usize % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the older half of the aliases of nobody when there are too many.
fn make_room(part: &mut HashMap<Key, Count>) {
    let unknown = |part: &HashMap<Key, Count>| part.values().filter(|count| !count.is_known).count();
    if part.len() < MOST_UNKNOWN || unknown(part) < MOST_UNKNOWN {
        return;
    }
    let mut times: Vec<Timestamp> =
        part.values().filter(|count| !count.is_known).map(|count| count.last).collect();
    let (_, middle, _) = times.select_nth_unstable(MOST_UNKNOWN / 2);
    let middle = *middle;
    part.retain(|_, count| count.is_known || count.last > middle);
}

fn name_of_all() -> Result<Name, Refusal> {
    Name::new(["count"]).map_err(damaged)
}

/// Where the counts of a mount are.
pub fn name_of_mount(mount: MountId) -> Result<Name, Refusal> {
    name_of_all()?.child(mount.to_string()).map_err(damaged)
}

/// Where the count of an alias is. One that is too long to be stored is nobody's.
pub fn name_of_alias(mount: MountId, alias: &str) -> Result<Name, Refusal> {
    name_of_mount(mount)?.child(alias).map_err(|error| Refusal::bad_request(error.to_string()))
}

fn name_of((mount, alias): &Key) -> Result<Name, Refusal> {
    name_of_alias(*mount, alias)
}

#[cfg(test)]
mod tests;
