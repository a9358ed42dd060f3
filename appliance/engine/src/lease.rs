//! Leases: what an engine gives out for a time, and takes back.
//!
//! An engine declares its kinds of secrets in [`Engine::secrets`](crate::Engine::secrets), and a handler asks for a lease
//! by [`Outcome::leased`](crate::Outcome::leased). Core makes it in the batch of the handler's own writes, names it in
//! the answer, ties it to the token that asked, and calls the kind's handlers when the lease is renewed and when it ends:
//! by time, with its token, with its mount, or because somebody says so.
//!
//! # What a kind's handlers may count on
//!
//! - They are functions of a snapshot, as every handler is: they return writes, core commits them together with the
//!   lease's own change, and runs the handler again if something it had read has changed.
//! - The mount's records are there until the last lease of the mount has been taken back.
//! - [`SecretKind::revoke`] runs until it succeeds, and may run again after it has: what is gone already is no error. A
//!   refusal keeps the lease, whatever its kind: it is tried again, ever more rarely, and shown with its text.
//!
//! ```
//! use strongroom_engine::lease::{LeaseHandler, Leased, LeaseWish, Renewal, SecretKind};
//! use strongroom_engine::{Call, Cx, Outcome, Refusal, Reply, Write, record};
//!
//! pub const PASS: SecretKind = SecretKind {
//!     name: "pass",
//!     renew: Some(LeaseHandler::Inline(|_, _| Ok(Renewal::default()))),
//!     revoke: LeaseHandler::Inline(|_, lease| Ok(vec![Write::delete(record::name("pass", lease.text("id"))?)])),
//! };
//!
//! fn give(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
//!     let id = cx.random::<8>()?.map(|byte| format!("{byte:02x}")).concat();
//!     let write = Write::put(record::name("pass", &id)?, record::encode(1, &id)?).if_unchanged(None);
//!     let outcome = Outcome::new(Reply::data(serde_json::json!({ "pass": id })), vec![write]);
//!     Ok(outcome.leased(LeaseWish::of(&PASS).with("id", id)))
//! }
//! ```

use serde_json::Value;
use strongroom_types::{BoxFuture, JsonMap, Refusal, Timestamp};

use crate::{Cx, MountInfo, Write};

/// A kind of secret that an engine leases.
pub struct SecretKind {
    /// Stands in the record of each lease: it stays as it is for ever.
    pub name: &'static str,
    /// Asked before a lease lives longer; `None` is never renewable.
    pub renew: Option<LeaseHandler<Renewal>>,
    /// Takes the secret back.
    pub revoke: LeaseHandler<Vec<Write>>,
}

/// What runs on a lease.
pub enum LeaseHandler<T> {
    /// Point reads and small writes, microseconds.
    Inline(fn(&Cx, &Leased) -> Result<T, Refusal>),
    /// Waits for something: a device, the network.
    Async(for<'a> fn(&'a Cx, &'a Leased) -> BoxFuture<'a, Result<T, Refusal>>),
}

impl<T> LeaseHandler<T> {
    /// Runs it.
    pub async fn run(&self, cx: &Cx, lease: &Leased) -> Result<T, Refusal> {
        match self {
            Self::Inline(run) => run(cx, lease),
            Self::Async(run) => run(cx, lease).await,
        }
    }
}

/// The lease that a handler asks for.
#[derive(Clone, Debug)]
pub struct LeaseWish {
    /// The name of one of the engine's [`SecretKind`]s.
    pub kind: &'static str,
    /// Seconds that it lives at first; 0 is the mount's.
    pub ttl: i64,
    /// Seconds that renewals reach at most; 0 is the mount's.
    pub max_ttl: i64,
    /// Whether this one may be renewed, if its kind can be.
    pub renewable: bool,
    /// What the kind's handlers need to know; nobody else sees it.
    pub data: JsonMap,
}

impl LeaseWish {
    /// A lease of this kind, for as long as the mount says.
    pub fn of(kind: &SecretKind) -> Self {
        let renewable = kind.renew.is_some();
        Self { kind: kind.name, ttl: 0, max_ttl: 0, renewable, data: JsonMap::new() }
    }

    /// The same for `ttl` seconds, and at most `max_ttl`.
    pub fn lasting(self, ttl: i64, max_ttl: i64) -> Self {
        Self { ttl, max_ttl, ..self }
    }

    /// The same with one more thing to know.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// Seconds that core gives it, unless the token of whoever asked ends before.
    pub fn seconds(&self, mount: &MountInfo) -> i64 {
        granted(mount, Terms { wished: 0, ttl: self.ttl, max_ttl: self.max_ttl, lived: 0 })
    }
}

/// A lease, as its kind's handlers see it.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The lease's id.
    pub id: String,
    /// What was said of it when it was made.
    pub data: JsonMap,
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends, or has ended.
    pub expires: Timestamp,
    /// On a renewal, how many seconds are wished for; 0 says nothing.
    pub increment: i64,
}

impl Leased {
    /// The text `key` of [`Leased::data`]; empty without one.
    pub fn text(&self, key: &str) -> &str {
        self.data.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Seconds that core gives it from now on if it is renewed with these; 0 or less if it can live no longer. For
    /// engines that have to tell somebody else.
    pub fn seconds(&self, cx: &Cx, renewal: &Renewal) -> i64 {
        let lived = cx.now.secs().saturating_sub(self.issued.secs());
        let Renewal { ttl, max_ttl, .. } = *renewal;
        granted(&cx.mount, Terms { wished: self.increment, ttl, max_ttl, lived })
    }
}

/// What a renewed lease is to be: asked anew each time, so that a role's limits hold as they are now.
#[derive(Default)]
pub struct Renewal {
    /// Seconds that it lives from now on unless the client wishes something else; 0 is the mount's.
    pub ttl: i64,
    /// Seconds since it was made that no renewal goes beyond; 0 is the mount's.
    pub max_ttl: i64,
    /// What of the engine's own records follows.
    pub writes: Vec<Write>,
}

/// What the length of a lease follows from, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What the client wishes; 0 says nothing.
    pub wished: i64,
    /// What the engine says; 0 is the mount's.
    pub ttl: i64,
    /// What the engine says at most; 0 is the mount's.
    pub max_ttl: i64,
    /// How old the lease is.
    pub lived: i64,
}

impl Terms {
    /// What it would be without any limit.
    pub fn wish(&self, mount: &MountInfo) -> i64 {
        [self.wished, self.ttl, mount.default_lease_ttl]
            .into_iter()
            .find(|secs| *secs > 0)
            .unwrap_or_default()
    }

    /// The limit: no engine goes beyond its mount's.
    pub fn most(&self, mount: &MountInfo) -> i64 {
        let own = if self.max_ttl > 0 { self.max_ttl } else { mount.max_lease_ttl };
        own.min(mount.max_lease_ttl).saturating_sub(self.lived)
    }
}

/// The one rule of how long a lease lives: seconds from now on; 0 or less is not at all, never for ever.
pub fn granted(mount: &MountInfo, terms: Terms) -> i64 {
    terms.wish(mount).min(terms.most(mount))
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_types::id::{MountId, NamespaceId};

    #[test]
    fn cve_2020_12757_the_smallest_limit_decides() {
        let mount = MountInfo {
            id: MountId([1; 16]),
            namespace: NamespaceId::ROOT,
            path: "m/".into(),
            options: Default::default(),
            default_lease_ttl: 100,
            max_lease_ttl: 1000,
        };
        for (wished, ttl, max_ttl, lived, want) in [
            (0, 0, 0, 0, 100),
            (0, 50, 0, 0, 50),
            (0, 5000, 0, 0, 1000),
            (0, 5000, 70, 0, 70),
            (0, 0, 5000, 990, 10),
            (300, 50, 0, 0, 300),
            (300, 50, 200, 0, 200),
            (300, 50, 200, 199, 1),
            (300, 50, 200, 200, 0),
            (300, 50, 200, i64::MAX, 200 - i64::MAX),
            (i64::MAX, 0, 0, 0, 1000),
        ] {
            assert_eq!(
                granted(&mount, Terms { wished, ttl, max_ttl, lived }),
                want,
                "{wished} {ttl} {max_ttl} {lived}"
            );
        }
    }
}
