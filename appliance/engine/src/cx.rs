//! What a handler is lent.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_barrier::Reader;
use strongroom_types::id::{MountId, NamespaceId};
use strongroom_types::{Entropy, JsonMap, NoEntropy, Operation, Secret, Timestamp};

use crate::Field;
use crate::field::FieldType;

/// Everything a handler may use: nothing global, nothing of core.
pub struct Cx {
    /// The mount's records at one snapshot.
    pub view: Reader,
    /// The mount.
    pub mount: Arc<MountInfo>,
    /// Who asks; `None` on an unauthenticated route.
    pub caller: Option<Arc<Caller>>,
    /// The time of this request.
    pub now: Timestamp,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What an engine may know of its mount.
#[derive(Clone, Debug)]
pub struct MountInfo {
    /// Stays when the mount is moved.
    pub id: MountId,
    /// The namespace it is in.
    pub namespace: NamespaceId,
    /// With its trailing slash: `secret/`.
    pub path: String,
    /// `options` of the mount.
    pub options: MountOptions,
    /// Seconds that a lease lives unless it says otherwise; never 0.
    pub default_lease_ttl: i64,
    /// Seconds that a lease lives at most; never 0.
    pub max_lease_ttl: i64,
}

/// `options` of a mount: text to text.
pub type MountOptions = BTreeMap<String, String>;

/// Who asks, as far as an engine may know.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Names the token's own storage (cubbyhole): derived from the token, useless without the barrier. `None` for
    /// tokens that have none.
    pub cubbyhole: Option<String>,
    /// The token's display name.
    pub display_name: String,
    /// The entity; empty without one.
    pub entity_id: String,
}

/// A request as its handler sees it: canonical parameters, converted fields.
pub struct Call {
    /// What is asked.
    pub operation: Operation,
    /// The values of the path's parameters, by name.
    pub params: Vec<(&'static str, String)>,
    /// The body's object (on reads, the query), declared fields converted.
    pub fields: JsonMap,
    /// The body as it came, for handlers that take it whole; empty where nothing was sent.
    pub raw: Secret,
    /// Names greater than this one only (`after`, on lists).
    pub after: Option<String>,
    /// At most this many names (`limit`, on lists).
    pub limit: Option<usize>,
}

impl Call {
    /// The path parameter `name`; empty if the route has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value)
    }

    /// The field's value; `None` if absent or null.
    pub fn get<T: FieldType>(&self, field: &Field<T>) -> Option<T> {
        field.of(&self.fields)
    }
}

impl Cx {
    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        self.entropy.draw()
    }
}
