//! What core tells about a request and its answer: borrowed, nothing is copied.

use std::net::IpAddr;

use strongroom_types::id::RequestId;
use strongroom_types::{JsonMap, Operation, Refusal, Reply, Secret, Timestamp};

/// A request, as far as core knows it. Start with [`Event::new`] and fill in the rest.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// The request's id, also in its answer.
    pub request_id: RequestId,
    /// What is asked.
    pub operation: Operation,
    /// Canonical, with the mount's path, without `/v1/`.
    pub path: &'a str,
    /// Where.
    pub namespace: Namespace<'a>,
    /// Which mount; `None` for a path that leads nowhere.
    pub mount: Option<Mount<'a>>,
    /// The token that was sent, valid or not. Hashed.
    pub token: Option<&'a Secret>,
    /// Who asks; `None` if nobody was found.
    pub auth: Option<Auth<'a>>,
    /// Whether the access list allowed it; `None` if it was not asked.
    pub allowed: Option<bool>,
    /// The client's address.
    pub remote: Option<(IpAddr, u16)>,
    /// Seconds, if the answer is to be wrapped.
    pub wrap_ttl: Option<u64>,
    /// Request headers that the operator wants to see; none by default.
    pub headers: &'a [Header<'a>],
    /// The body's object, or the query's. Hashed.
    pub data: Option<&'a JsonMap>,
    /// What of `data` is in clear.
    pub clear: Clear<'a>,
    /// Why it is refused, if it already is.
    pub error: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// An event of which no more is known.
    pub fn new(request_id: RequestId, operation: Operation, path: &'a str) -> Self {
        Self {
            request_id,
            operation,
            path,
            namespace: Namespace::ROOT,
            mount: None,
            token: None,
            auth: None,
            allowed: None,
            remote: None,
            wrap_ttl: None,
            headers: &[],
            data: None,
            clear: Clear::NOTHING,
            error: None,
        }
    }
}

/// A namespace.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'a> {
    /// `root`, or the namespace's short id.
    pub id: &'a str,
    /// With its trailing slash; empty for the root namespace.
    pub path: &'a str,
}

impl Namespace<'_> {
    /// The root namespace.
    pub const ROOT: Namespace<'static> = Namespace { id: "root", path: "" };
}

/// A mount.
#[derive(Clone, Copy, Debug)]
pub struct Mount<'a> {
    /// With its trailing slash: `secret/`.
    pub point: &'a str,
    /// The engine: `kv`.
    pub kind: &'a str,
    /// Names the mount without its path.
    pub accessor: &'a str,
    /// `secret` or `auth`.
    pub class: &'a str,
}

/// A token's record, without the token.
#[derive(Clone, Copy)]
pub struct Auth<'a> {
    /// Names the token without being it. Hashed, unless the sink says otherwise.
    pub accessor: &'a str,
    /// For people.
    pub display_name: &'a str,
    /// All policies.
    pub policies: &'a [String],
    /// Those attached to the token.
    pub token_policies: &'a [String],
    /// Those that come from the entity and its groups.
    pub identity_policies: &'a [String],
    /// The maker's notes.
    pub metadata: Option<&'a JsonMap>,
    /// Empty without one.
    pub entity_id: &'a str,
    /// `service` or `batch`.
    pub token_type: &'a str,
    /// Uses left before this one; 0 is unlimited.
    pub remaining_uses: u64,
    /// Seconds that it was made for; 0 is for ever.
    pub token_ttl: i64,
    /// When it was made.
    pub issued: Option<Timestamp>,
}

/// A request header that the operator wants to see.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// In lower case.
    pub name: &'a str,
    /// As it came.
    pub value: &'a str,
    /// Whether the value is hashed.
    pub hashed: bool,
}

/// What of a request's or an answer's data is in clear.
#[derive(Clone, Copy)]
pub struct Clear<'a> {
    /// Whether the route declares the field of this name as `clear_in_audit`: it is shown with all below it. Asked of
    /// the outermost keys only: a key of that name inside a secret is the client's, not the route's.
    pub field: &'a dyn Fn(&str) -> bool,
    /// The mount's `audit_non_hmac_request_keys` or `…_response_keys`: texts, and lists of texts, under a key of that
    /// name are shown at any depth, as Vault has it.
    pub keys: &'a [String],
}

impl Clear<'_> {
    /// Everything is hashed.
    pub const NOTHING: Clear<'static> = Clear { field: &|_| false, keys: &[] };
}

/// What a request is to be answered.
pub struct ResponseEvent<'a> {
    /// The answer or the refusal.
    pub answer: Result<&'a Reply, &'a Refusal>,
    /// What of the answer's data is in clear.
    pub clear: Clear<'a>,
}
