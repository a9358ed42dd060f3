//! What a handler is lent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use strongroom_barrier::{BarrierError, Entry, Name, Reader};
use strongroom_types::id::{MountId, NamespaceId};
use strongroom_types::time::Eras;
use strongroom_types::{Entropy, JsonMap, NoEntropy, Operation, Refusal, Secret, Timestamp};

use crate::Field;
use crate::Params;
use crate::field::FieldType;

/// Everything a handler may use: nothing global, nothing of core.
pub struct Cx {
    /// The mount's records at one snapshot.
    pub view: Reader,
    /// The mount.
    pub mount: Arc<MountInfo>,
    /// Who asks; `None` on an unauthenticated route.
    pub caller: Option<Arc<Caller>>,
    /// Where the request comes from; `None` where that cannot be said (a Unix socket, no request at all).
    pub remote: Option<IpAddr>,
    /// The time of this request.
    pub now: Timestamp,
    /// The era of that time is kept beside whatever is given a time to live, and says whether it was made by a clock that
    /// was ahead.
    pub eras: Arc<Eras>,
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
    pub params: Params,
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

    /// What the field is to be set to: its value, or its type's default if the body says null. `None` if it is
    /// absent. For settings that a null takes back, where [`Call::get`] would leave them.
    pub fn setting<T: FieldType + Default>(&self, field: &Field<T>) -> Option<T> {
        self.setting_or(field, T::default())
    }

    /// The same, where a null takes it back to `default`.
    pub fn setting_or<T: FieldType>(&self, field: &Field<T>, default: T) -> Option<T> {
        let is_null = || {
            let body: Option<JsonMap> = serde_json::from_slice(self.raw.expose()).ok();
            body.is_some_and(|body| body.get(field.spec().name).is_some_and(serde_json::Value::is_null))
        };
        self.get(field).or_else(|| is_null().then_some(default))
    }
}

impl Cx {
    /// The record `name`.
    pub fn get(&self, name: &Name) -> Result<Option<Entry>, Refusal> {
        self.view.get(name).map_err(refusal)
    }

    /// Whether there is a record `name`.
    pub fn has(&self, name: &Name) -> Result<bool, Refusal> {
        self.view.has(name).map_err(refusal)
    }

    /// The names directly below `parent` that `call` asks for: in order of their bytes, after its `after`, at most
    /// its `limit`. A name that has others below it ends in `/`, and stands beside the same name without one if that
    /// is a record too.
    pub fn list(&self, parent: &Name, call: &Call) -> Result<Vec<String>, Refusal> {
        self.view.list(parent, call.after.as_deref(), call.limit).map_err(refusal)
    }

    /// The paths of all records below `parent` that `call` asks for: likewise in order, after its `after`, at most
    /// its `limit`.
    pub fn scan(&self, parent: &Name, call: &Call) -> Result<Vec<String>, Refusal> {
        let mut paths = Vec::new();
        let visit = &mut |segments: &[String]| {
            paths.push(segments.join("/"));
            true
        };
        self.view.walk(parent, visit).map_err(refusal)?;
        paths.sort_unstable();
        if let Some(after) = &call.after {
            paths.retain(|path| path > after);
        }
        paths.truncate(call.limit.unwrap_or(usize::MAX));
        Ok(paths)
    }

    /// `N` random bytes.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], NoEntropy> {
        self.entropy.draw()
    }
}

/// What the client is told when a read fails: never what or where.
fn refusal(error: BarrierError) -> Refusal {
    match error {
        BarrierError::Sealed => Refusal::sealed(),
        other => Refusal::fault(other),
    }
}
