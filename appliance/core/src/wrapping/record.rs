//! A wrapped answer, as it is stored: version 1, JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use strongroom_types::id::RequestId;
use strongroom_types::reply::{AuthReply, LeaseReply, Logical};
use strongroom_types::{JsonMap, Reply, Secret, Timestamp};

/// See the module.
#[derive(Serialize, Deserialize)]
pub struct Wrapped {
    v: u8,
    /// The path whose answer it is.
    pub path: String,
    /// When it was wrapped.
    pub created: Timestamp,
    /// Seconds that it is kept.
    pub ttl: i64,
    id: RequestId,
    status: Option<u16>,
    data: Option<Value>,
    copy_to_top: bool,
    warnings: Vec<String>,
    lease: Option<Lease>,
    auth: Option<Auth>,
    /// See [`Logical::accessor`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accessor: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Lease {
    id: String,
    duration: i64,
    renewable: bool,
}

#[derive(Serialize, Deserialize)]
struct Auth {
    #[serde(serialize_with = "text", deserialize_with = "secret")]
    client_token: Secret,
    accessor: String,
    policies: Vec<String>,
    token_policies: Vec<String>,
    identity_policies: Vec<String>,
    metadata: Option<JsonMap>,
    lease_duration: i64,
    renewable: bool,
    entity_id: String,
    batch: bool,
    orphan: bool,
    num_uses: u64,
}

fn text<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_str().unwrap_or_default())
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

impl Wrapped {
    /// The answer to the request `id`. One that was unwrapped itself keeps its first id.
    pub fn new(logical: Logical, id: RequestId, path: String, ttl: i64, now: Timestamp) -> Self {
        Self {
            v: 1,
            path,
            created: now,
            ttl,
            id: logical.first_id.unwrap_or(id),
            status: logical.status,
            data: logical.data,
            copy_to_top: logical.copy_to_top,
            warnings: logical.warnings,
            lease: logical.lease.map(|lease| Lease {
                id: lease.id,
                duration: lease.duration,
                renewable: lease.renewable,
            }),
            auth: logical.auth.map(Auth::from),
            accessor: logical.accessor,
        }
    }

    /// The same answer, wrapped anew.
    pub fn again(self, now: Timestamp) -> Self {
        Self { created: now, ..self }
    }

    /// The accessor of what is in it: of a token, or what the engine says.
    pub fn accessor(&self) -> Option<&str> {
        let of_token = self.auth.as_ref().map(|auth| auth.accessor.as_str());
        of_token.or(self.accessor.as_deref()).filter(|accessor| !accessor.is_empty())
    }

    /// The answer, as it was.
    pub fn reply(self) -> Reply {
        let lease = self.lease.map(|lease| LeaseReply {
            id: lease.id,
            duration: lease.duration,
            renewable: lease.renewable,
        });
        Reply::Logical(Box::new(Logical {
            status: self.status,
            data: self.data,
            auth: self.auth.map(AuthReply::from),
            lease,
            warnings: self.warnings,
            copy_to_top: self.copy_to_top,
            accessor: self.accessor,
            first_id: Some(self.id),
            ..Logical::default()
        }))
    }
}

impl From<AuthReply> for Auth {
    fn from(auth: AuthReply) -> Self {
        Self {
            client_token: auth.client_token,
            accessor: auth.accessor,
            policies: auth.policies,
            token_policies: auth.token_policies,
            identity_policies: auth.identity_policies,
            metadata: auth.metadata,
            lease_duration: auth.lease_duration,
            renewable: auth.renewable,
            entity_id: auth.entity_id,
            batch: auth.token_type == "batch",
            orphan: auth.orphan,
            num_uses: auth.num_uses,
        }
    }
}

impl From<Auth> for AuthReply {
    fn from(auth: Auth) -> Self {
        Self {
            client_token: auth.client_token,
            accessor: auth.accessor,
            policies: auth.policies,
            token_policies: auth.token_policies,
            identity_policies: auth.identity_policies,
            metadata: auth.metadata,
            lease_duration: auth.lease_duration,
            renewable: auth.renewable,
            entity_id: auth.entity_id,
            token_type: if auth.batch { "batch" } else { "service" },
            orphan: auth.orphan,
            num_uses: auth.num_uses,
        }
    }
}
