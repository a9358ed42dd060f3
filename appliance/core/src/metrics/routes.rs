//! How long each mount's operations take.
//!
//! At most [`MOST`] mounts are told apart, those that were asked first: what else is asked is counted as one. Whoever asks a
//! mount that is known takes no lock.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use strongroom_types::Operation;
use strongroom_types::id::MountId;

use super::timing::{Timed, Timing};

/// Mounts that are told apart.
const MOST: usize = 500;

/// Operations that are told apart, by the name that stands for them.
const OPERATIONS: [&str; 6] = ["create", "read", "update", "patch", "delete", "list"];

/// See the module.
#[derive(Default)]
pub struct Routes {
    known: ArcSwap<HashMap<MountId, Arc<OfMount>>>,
    others: OfMount,
}

/// What of one mount takes how long.
#[derive(Default)]
pub struct OfMount([Timing; OPERATIONS.len()]);

impl Routes {
    /// An operation of `mount` took `nanos`, and ended at `now`.
    pub fn took(&self, mount: MountId, operation: Operation, nanos: i64, now: i64) {
        let Some(at) = place(operation) else { return };
        let known = self.known.load();
        let took = |of: &OfMount| of.0.get(at).into_iter().for_each(|timing| timing.took(nanos, now));
        match known.get(&mount) {
            Some(of) => took(of),
            None if known.len() >= MOST => took(&self.others),
            None => {
                self.known.rcu(|known| {
                    let mut known = HashMap::clone(known);
                    if known.len() < MOST {
                        known.entry(mount).or_default();
                    }
                    known
                });
                took(self.known.load().get(&mount).map_or(&self.others, |of| of));
            }
        }
    }

    /// The mount is gone, and makes room.
    pub fn forget(&self, mount: MountId) {
        if self.known.load().contains_key(&mount) {
            self.known.rcu(|known| {
                let mut known = HashMap::clone(known);
                known.remove(&mount);
                known
            });
        }
    }

    /// Each mount that was asked; `None` are those that are not told apart.
    pub fn tell(&self, now: i64) -> Vec<(Option<MountId>, &'static str, Timed)> {
        let known = self.known.load();
        let each = known.iter().map(|(mount, of)| (Some(*mount), &**of)).chain([(None, &self.others)]);
        each.flat_map(|(mount, of)| {
            let told = OPERATIONS.into_iter().zip(&of.0);
            told.map(move |(operation, timing)| (mount, operation, timing.tell(now)))
        })
        .filter(|(_, _, timed)| timed.count > 0)
        .collect()
    }
}

/// Its place in [`OPERATIONS`].
fn place(operation: Operation) -> Option<usize> {
    let name = match operation {
        Operation::Head => Operation::Read.name(),
        Operation::Scan => Operation::List.name(),
        other => other.name(),
    };
    OPERATIONS.iter().position(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2023_6337_mounts_without_number_take_no_memory_without_bound() {
        let routes = Routes::default();
        let id = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            MountId(id)
        };
        for n in 0..2_000 {
            routes.took(id(n), Operation::Read, 1_000_000, 0);
        }
        let told = routes.tell(0);
        assert_eq!(told.len(), MOST + 1);
        assert_eq!(told.iter().map(|(_, _, timed)| timed.count).sum::<u64>(), 2_000);
        let others = told.iter().find(|(mount, ..)| mount.is_none()).unwrap();
        assert_eq!((others.1, others.2.count), ("read", 1_500));
        // Whoever goes makes room.
        routes.forget(id(3));
        routes.took(id(1_999), Operation::Scan, 1_000_000, 0);
        assert!(routes.tell(0).iter().any(|told| told.0 == Some(id(1_999)) && told.1 == "list"));
        assert_eq!(place(Operation::Help), None);
    }
}
