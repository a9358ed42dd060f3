//! The order in which locks are taken, and what is looked at again after the wait.
//!
//! Whoever holds one of these may wait for those below it, never for one above it or for another of the same [`Rank`]: so no
//! two requests wait for each other. Debug builds assert it ([`watched`]), tests and the benchmark's debug runs with them.
//!
//! | rank | what | held by, until | looked at again after the wait |
//! |---|---|---|---|
//! | [`Rank::Devices`] | `Sealed::asking` | who asks the devices, until they have answered | whether it is still sealed |
//! | [`Rank::Attempt`] | `Sealed::attempt` | who gives a share or the devices' parts, over an unseal; never while a device is asked | the same |
//! | [`Rank::Uses`] | `Active::use_locks`, by the token's key | a request with a token of limited uses, to its answer | the token, and how many uses are left (`stage::charge`) |
//! | [`Rank::UsedUp`] | `Active::use_locks`, by what a login uses up, or by the key of a wrapping token that somebody names | that request, until its commit | token, policies, create or update (`perform`); the handler reads anew |
//! | [`Rank::Changes`] | `Active::changes` | who changes the system's own tables; a new term; the flush of lockouts; until its commit | the same |
//! | [`Rank::Round`] | `Leases::round` | the work on leases beside the requests, for one look | nothing: it reads after it |
//! | [`Rank::Family`] | `Tokens::family`, read | who makes a child or a lease, until its commit | the same as of `Changes`; of a lease token and mount (`leases::issue`) |
//! | | `Tokens::family`, write | who ends tokens: requests, the sweep, jobs of leases; until their commit | the same; sweep and jobs read after it |
//! | [`Rank::Crowd`] | `Active::crowds`, by the path | a request that another one of the same path has made run again, until its commit | everything: it runs again anyway |
//!
//! The keys of the two kinds of [`UseLocks`](crate::tokens::UseLocks) meet in one place: a request with a limited token may
//! name a wrapping token. Who comes with a wrapping token cannot name another (`wrapping::turn`), so there is no ring.
//!
//! What a request waits for *after* its commit, the end of leases ([`crate::leases::settled`]), takes `Family`: its turn is
//! given back first, and only `Uses` is still held.
//!
//! Beside these:
//!
//! - [`Effects`](crate::effects::Effects) are no lock, but an unseal waits until there are none while it holds `Attempt`.
//!   Who has entered waits for the store and for nothing else.
//! - A [`Compute`](crate::compute::Compute) place is waited for with any of them held; what runs there waits for nothing.
//! - Who counts leases ([`crate::census`]) holds a `std` mutex over a look at all of them, beside the threads that answer.
//! - Other `std` mutexes are held for a few lines that wait for nothing: clippy refuses one that is held over an `await`.
//! - Reads take none of them, but `Uses`.

use std::future::Future;
use std::ops::{Deref, DerefMut};

/// A place in the order: see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Whose turn it is to ask the devices.
    Devices,
    /// What was given to unseal.
    Attempt,
    /// Uses of the asker's token.
    Uses,
    /// What the request itself uses up.
    UsedUp,
    /// The system's own tables.
    Changes,
    /// The work on leases beside the requests.
    Round,
    /// Which tokens there are, and what they hold.
    Family,
    /// What several want to change at once.
    Crowd,
}

/// A lock that is held, in its place in the order.
pub struct Ranked<G> {
    guard: G,
    _place: watch::Place,
}

/// Waits for `lock`, which has this place in the order.
pub async fn ranked<G>(rank: Rank, lock: impl Future<Output = G>) -> Ranked<G> {
    let place = watch::Place::take(rank);
    Ranked { guard: lock.await, _place: place }
}

impl<G: Deref> Deref for Ranked<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Ranked<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

pub use watch::watched;

#[cfg(debug_assertions)]
mod watch {
    use std::future::Future;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::Rank;

    type Held = Arc<Mutex<Vec<Rank>>>;

    tokio::task_local! {
        static HELD: Held;
    }

    /// Asserts of `work` that it takes its locks in order. Within what is watched already it is a part of that.
    pub fn watched<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
        HELD.scope(HELD.try_with(Held::clone).unwrap_or_default(), work)
    }

    /// Until it is dropped, the lock counts as held.
    pub struct Place(Option<(Held, Rank)>);

    impl Place {
        pub fn take(rank: Rank) -> Self {
            let held = HELD.try_with(Held::clone).ok();
            Self(held.map(|held| {
                let mut ranks = held.lock().unwrap_or_else(PoisonError::into_inner);
                debug_assert!(
                    ranks.iter().all(|other| *other < rank),
                    "{rank:?} is waited for by who holds {ranks:?}"
                );
                ranks.push(rank);
                drop(ranks);
                (held, rank)
            }))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            if let Some((held, rank)) = &self.0 {
                held.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other != rank);
            }
        }
    }
}

#[cfg(not(debug_assertions))]
mod watch {
    use std::future::Future;

    use super::Rank;

    /// Nothing is asserted in a release build.
    pub fn watched<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
        work
    }

    pub struct Place;

    impl Place {
        pub fn take(_: Rank) -> Self {
            Self
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    async fn nothing(rank: Rank) -> Ranked<()> {
        ranked(rank, async {}).await
    }

    #[tokio::test]
    async fn downwards_and_again_after_they_were_given_back() {
        watched(async {
            for _ in 0..2 {
                let uses = nothing(Rank::Uses).await;
                let changes = nothing(Rank::Changes).await;
                drop(changes);
                // The rest of a request that its client has left.
                watched(async { drop(nothing(Rank::UsedUp).await) }).await;
                let family = nothing(Rank::Family).await;
                drop((uses, family));
            }
        })
        .await;
        // Another task holds what it holds.
        let _family = nothing(Rank::Family).await;
        watched(async { drop(nothing(Rank::Changes).await) }).await;
    }

    #[tokio::test]
    #[should_panic(expected = "Uses is waited for by who holds [Changes]")]
    async fn not_upwards() {
        watched(async {
            let _changes = nothing(Rank::Changes).await;
            let _uses = watched(nothing(Rank::Uses)).await;
        })
        .await;
    }

    /// A writer that waits keeps out readers: whoever reads twice may wait for it, and it for them.
    #[tokio::test]
    #[should_panic(expected = "Family is waited for by who holds [Family]")]
    async fn not_twice() {
        watched(async {
            let _first = nothing(Rank::Family).await;
            let _second = nothing(Rank::Family).await;
        })
        .await;
    }
}
