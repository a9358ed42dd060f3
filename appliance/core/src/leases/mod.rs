//! Leases: what engines give out for a time.
//!
//! A lease is made in the batch of what it leases ([`issue`]) and belongs to the token that asked. It ends by time, with
//! its token or its mount, or because somebody says so; then its engine takes back what was given ([`revoke`]), in
//! the batch that removes the lease. Whether it has ended is asked of its record, its token and its mount whenever it is
//! used: nothing depends on when it is removed, and nothing is read at unseal.
//!
//! What cannot be taken back is kept, tried again ever more rarely, and shown with its error; after six attempts it is
//! called irrevocable, and still tried. Only `revoke-force` gives up.
//!
//! Tokens are shown as leases too, below the path that made them. They are the tokens' own ([`crate::tokens`]).
//!
//! Records in the leases' own view:
//!
//! | name | holds |
//! |---|---|
//! | `["lease", segment of the path …, random]` | the [`record::LeaseRecord`], JSON |
//! | `[lease id]`, ordered by expiry | nothing: what [`work`] reads; under the time of the next attempt if one has failed |
//! | `["token", token's key, lease id]` | nothing: what ends with a token |
//! | `["irrevocable", lease id]` | nothing: what was tried often |
//! | `["job", …]` | a [`job::Job`], JSON: many leases that are to end, until they have |
//!
//! `golden.txt` pins them:
//!
//! ```text
#![doc = include_str!("golden.txt")]
//! ```
//!
//! A job is how many leases end at once: one small commit says so, before it is answered. What it names is then taken
//! back in slices by whoever waits for it, or beside the requests.

mod issue;
pub mod job;
mod jobs;
mod record;
mod renew;
mod revoke;
pub mod routes;
mod show;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod tokens;
pub mod work;

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use strongroom_barrier::{Name, Reader, View, Write};
use strongroom_types::Refusal;
use tokio::sync::Notify;

use crate::active::Active;
use crate::fault::{barrier, damaged};

pub use issue::{Held, issued};
pub use record::{IRREVOCABLE, LEASE};
pub use work::{Settle, settled};

/// The leases of a namespace.
pub struct Leases {
    /// Their records.
    pub view: View,
    /// Notified when there is something to take back.
    pub wake: Notify,
    /// Jobs that somebody waits for, and works on.
    waited_for: Mutex<HashSet<Name>>,
    /// Of the work beside the requests.
    round: tokio::sync::Mutex<jobs::Round>,
}

impl Leases {
    /// Over these records; none is read.
    pub fn new(view: View) -> Self {
        Self { view, wake: Notify::new(), waited_for: Mutex::default(), round: tokio::sync::Mutex::default() }
    }

    fn waited_for(&self) -> std::sync::MutexGuard<'_, HashSet<Name>> {
        self.waited_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the leases of the token with this key are to end with it, if it has any: in the store, or among the `writes`
/// of the same batch.
pub fn end_with_token(
    active: &Active,
    reader: &Reader,
    key: &str,
    writes: &[(View, Write)],
) -> Result<Option<Write>, Refusal> {
    let below = [record::TOKEN, key];
    let mut has = writes.iter().any(|(_, write)| {
        let named = write.name.segments().iter().map(String::as_str).take(2).eq(below);
        named && write.name.segments().len() == 3 && write.due.is_none() && write.value.is_some()
    });
    if !has {
        let first = &mut |_: &[String]| {
            has = true;
            false
        };
        reader.walk(&Name::new(below).map_err(damaged)?, first).map_err(barrier)?;
    }
    has.then(|| job::of_token(active, key)).transpose()
}
