//! What a client is answered, before it is HTTP.

use std::any::Any;

use serde_json::Value;

use crate::id::RequestId;
use crate::{JsonMap, Stream, Timestamp};

/// An answer. `http::render` turns it into a status and bytes, in one table.
pub enum Reply {
    /// 204.
    Empty,
    /// 200 with the envelope (`request_id`, `data`, …).
    Logical(Box<Logical>),
    /// JSON as it is, without the envelope: `sys/health`, `sys/init`, `sys/seal-status` and their like.
    Json {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Value,
    },
    /// Bytes as they are.
    Raw {
        /// The HTTP status.
        status: u16,
        /// `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: Vec<u8>,
    },
    /// 200 with a body that goes on.
    Stream(Stream),
    /// Another answer, with headers beside it. Made at the very end: the audit log does not see it.
    Headed {
        /// Names in lower case, and values.
        headers: Vec<(&'static str, String)>,
        /// The answer.
        reply: Box<Reply>,
    },
}

/// The parts of the envelope.
#[derive(Default)]
pub struct Logical {
    /// 200 when `None`; 404 for a KV v2 read of a deleted version, 202 for work that goes on.
    pub status: Option<u16>,
    /// `data`; null when `None`.
    pub data: Option<Value>,
    /// `auth`.
    pub auth: Option<AuthReply>,
    /// `lease_id`; empty when `None`.
    pub lease: Option<LeaseReply>,
    /// `warnings`; null when empty.
    pub warnings: Vec<String>,
    /// Whether each key of `data` is also copied to the top level, as old clients of some `sys/` paths read it.
    pub copy_to_top: bool,
    /// Names what is in the answer without being it: shown beside the wrapping token. The accessor of `auth`, if there is
    /// one, needs not be said.
    pub accessor: Option<String>,
    /// `wrap_info`; with it the envelope has nothing else, not even an id of the request.
    pub wrap: Option<WrapReply>,
    /// The id of the request that was first answered so, if that was another one: an unwrapped answer keeps it.
    pub first_id: Option<RequestId>,
}

/// The envelope's lease fields. KV v1 sets a duration without an id.
#[derive(Default)]
pub struct LeaseReply {
    /// `lease_id`.
    pub id: String,
    /// `lease_duration`, seconds.
    pub duration: i64,
    /// `renewable`.
    pub renewable: bool,
}

/// The envelope's `auth`: a token that was made or renewed.
pub struct AuthReply {
    /// The token itself; shown once.
    pub client_token: crate::Secret,
    /// Names the token without being it.
    pub accessor: String,
    /// All policies.
    pub policies: Vec<String>,
    /// Those attached to the token.
    pub token_policies: Vec<String>,
    /// Those that come from the entity and its groups.
    pub identity_policies: Vec<String>,
    /// `metadata`; null when `None`.
    pub metadata: Option<JsonMap>,
    /// Seconds; 0 is never.
    pub lease_duration: i64,
    /// Whether it may be renewed.
    pub renewable: bool,
    /// The entity; empty without one.
    pub entity_id: String,
    /// `service` or `batch`.
    pub token_type: &'static str,
    /// Whether it has no parent.
    pub orphan: bool,
    /// Uses left; 0 is unlimited.
    pub num_uses: u64,
}

/// The envelope's `wrap_info`: where the answer is to be had, once.
pub struct WrapReply {
    /// The token that opens it; shown once.
    pub token: crate::Secret,
    /// Names the token without being it.
    pub accessor: String,
    /// Seconds that it is kept.
    pub ttl: i64,
    /// When it was wrapped.
    pub created: Timestamp,
    /// The path whose answer it is.
    pub path: String,
    /// The accessor of the token in it, if there is one.
    pub wrapped_accessor: Option<String>,
}

impl Reply {
    /// 200 with `data`.
    pub fn data(data: Value) -> Self {
        Self::Logical(Box::new(Logical { data: Some(data), ..Logical::default() }))
    }

    /// 200 with `data` that is also copied to the top level.
    pub fn data_at_top(data: Value) -> Self {
        Self::Logical(Box::new(Logical { data: Some(data), copy_to_top: true, ..Logical::default() }))
    }

    /// The answer to a list: names in order. Without any it is 404, which the pipeline decides.
    pub fn keys(keys: Vec<String>) -> Self {
        Self::data(serde_json::json!({ "keys": keys }))
    }

    /// The answer itself, without headers beside it.
    pub fn bare(&self) -> &Self {
        match self {
            Self::Headed { reply, .. } => reply.bare(),
            bare => bare,
        }
    }

    /// The same answer with headers beside it.
    pub fn with_headers(self, headers: Vec<(&'static str, String)>) -> Self {
        if headers.is_empty() { self } else { Self::Headed { headers, reply: Box::new(self) } }
    }

    /// Keeps `what` for as long as a stream goes on. Any other answer is whole already, and `what` is dropped.
    pub fn keep(&mut self, what: impl Any + Send) {
        match self {
            Self::Headed { reply, .. } => reply.keep(what),
            Self::Stream(stream) => stream.keep(what),
            Self::Empty | Self::Logical(_) | Self::Json { .. } | Self::Raw { .. } => {}
        }
    }

    /// The same answer with a warning; a 204 becomes a 200.
    pub fn with_warning(self, warning: impl Into<String>) -> Self {
        match self {
            Self::Empty => {
                Self::Logical(Box::new(Logical { warnings: vec![warning.into()], ..Logical::default() }))
            }
            Self::Logical(mut logical) => {
                logical.warnings.push(warning.into());
                Self::Logical(logical)
            }
            other => other,
        }
    }
}

/// RFC 3339, or the empty text for `None`, as KV metadata writes it.
pub fn time_or_empty(when: Option<Timestamp>) -> String {
    when.map(|t| t.to_string()).unwrap_or_default()
}
