//! What is stored of a token.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use strongroom_types::id::MountId;
use strongroom_types::{Cidr, JsonMap, Timestamp};

use super::ROOT;
use crate::clock::Life;

/// What is stored of a token.
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// Names the token without being it.
    pub accessor: String,
    /// Canonical, sorted.
    pub policies: Vec<String>,
    /// The path that made it.
    pub path: String,
    /// The maker's notes.
    pub meta: Option<JsonMap>,
    /// For people.
    pub display_name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Seconds it was given at first; 0 is for ever.
    pub creation_ttl: i64,
    /// When it ends; `None` is never.
    pub expires: Option<Timestamp>,
    /// Seconds from its making after which no renewal helps; 0 is no such limit.
    pub explicit_max_ttl: i64,
    /// Seconds that each renewal gives; 0 is not periodic.
    pub period: i64,
    /// Uses left; 0 is unlimited. The last use removes the record.
    pub num_uses: u64,
    /// Whether it may be renewed.
    pub renewable: bool,
    /// The key of the token that made it; `None` is an orphan.
    pub parent: Option<String>,
    /// When it was last renewed.
    pub last_renewal: Option<Timestamp>,
    /// Seconds that the last renewal gave: what the next one gives if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_ttl: Option<i64>,
    /// The networks it may be used from; none is from everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound_cidrs: Vec<Cidr>,
    /// The role that it was made by; empty without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Whether it is a batch token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batch: bool,
    /// The login that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginRef>,
    /// Revoked, and only there until its descendants are: see [`super::tree`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// Ended, but its children live on, though they still name it as their parent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spares_children: bool,
    /// The clock's era in which it was made or last renewed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub era: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Who has logged in, and where.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginRef {
    /// The auth method's mount: a token ends with it.
    pub mount: MountId,
    /// The method's name for who it is.
    pub alias: String,
    /// Its entity.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entity: String,
}

impl TokenRecord {
    /// Its time; `None` if it never ends.
    pub(super) fn life(&self) -> Option<Life> {
        let since = self.last_renewal.unwrap_or(self.created);
        self.expires.map(|end| Life { since, era: self.era, end })
    }

    /// Seconds until it ends; 0 for ever.
    pub fn ttl(&self, now: Timestamp) -> i64 {
        // Rounded to the nearest second, so that a token just made shows what it was given.
        self.expires
            .map_or(0, |end| (end.nanos() - now.nanos() + 500_000_000).div_euclid(1_000_000_000).max(0))
    }

    /// Whether it may be used from this address; an unknown one, as that of a Unix socket, is in no network. A root
    /// token that never ends is bound to none: it must not be possible to lose it by a wrong network.
    pub fn may_come_from(&self, remote: Option<IpAddr>) -> bool {
        self.bound_cidrs.is_empty()
            || (self.is_root() && self.expires.is_none())
            || remote.is_some_and(|remote| self.bound_cidrs.iter().any(|cidr| cidr.contains(remote)))
    }

    /// `service` or `batch`.
    pub fn kind(&self) -> &'static str {
        if self.batch { "batch" } else { "service" }
    }

    /// Who it is of; empty for what no login has made.
    pub fn entity(&self) -> &str {
        self.login.as_ref().map_or("", |login| &login.entity)
    }

    /// Whether it holds the root policy.
    pub fn is_root(&self) -> bool {
        self.policies.iter().any(|p| p == ROOT)
    }
}
