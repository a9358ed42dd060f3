//! What a batch changes of what is counted.

use std::collections::HashSet;

use strongroom_barrier::{Name, Reader, View, Write};
use strongroom_store::Expect;
use strongroom_types::Refusal;

use super::look::{ID, path_of, role_of};
use crate::active::{Active, LEASES, TOKENS};
use crate::leases::{IRREVOCABLE, LEASE};

/// See the module.
#[derive(Default)]
pub struct Change {
    /// So many more.
    pub tokens: i64,
    /// So many more.
    pub irrevocable: i64,
    /// One more or less, each.
    pub leases: Vec<LeaseChange>,
}

/// A lease that is made or removed.
pub struct LeaseChange {
    /// The path that has made it.
    pub path: String,
    /// Whom a login was for; empty for everything else.
    pub role: String,
    /// 1 or -1.
    pub by: i64,
}

impl Change {
    /// Whether there is none.
    pub fn is_nothing(&self) -> bool {
        self.tokens == 0 && self.irrevocable == 0 && self.leases.is_empty()
    }
}

/// What `writes`, which are about to be committed together, change.
pub fn changed<'a>(
    active: &Active,
    writes: impl Iterator<Item = (&'a View, &'a Write)>,
) -> Result<Change, Refusal> {
    let mut change = Change::default();
    // A token that ends with its parent, and by itself, is removed twice by one batch, and counts once.
    let mut removed = HashSet::new();
    let mut tokens: Option<Reader> = None;
    for (view, write) in writes.filter(|(_, write)| write.due.is_none()) {
        let Some(first) = write.name.segments().first() else { continue };
        let (of, kind) = (view.mount(), first.as_str());
        let is_counted = matches!((of, kind), (TOKENS, ID | LEASE) | (LEASES, LEASE | IRREVOCABLE));
        if !is_counted {
            continue;
        }
        let by = match (&write.value, write.expect) {
            (None, _) if removed.insert((of, &write.name)) => -1,
            (None, _) | (Some(_), Expect::Revision(_)) => continue,
            (Some(_), Expect::Absent | Expect::Any) => 1,
        };
        match (of, kind) {
            (_, ID) => change.tokens += by,
            (_, IRREVOCABLE) => change.irrevocable += by,
            _ => {
                let role = match &write.value {
                    _ if of != TOKENS => String::new(),
                    Some(role) => role.expose_str().unwrap_or_default().to_owned(),
                    None => {
                        let reader = match tokens.take() {
                            Some(reader) => reader,
                            None => view.at(active.snapshot()?),
                        };
                        // What somebody else has removed is not committed.
                        role_of(tokens.insert(reader), &write.name)?.unwrap_or_default()
                    }
                };
                change.leases.push(LeaseChange { path: path(&write.name), role, by });
            }
        }
    }
    Ok(change)
}

fn path(name: &Name) -> String {
    path_of(name.segments().get(1..).unwrap_or_default())
}
