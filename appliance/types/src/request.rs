//! What a client asked, and how far it has been checked.

use std::net::IpAddr;

use crate::id::RequestId;
use crate::{ApiPath, BoxFuture, Secret};

/// What a request wants to do: what access lists and route tables speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// GET.
    Read,
    /// LIST, or GET with `list=true`: the names below a path.
    List,
    /// SCAN, or GET with `scan=true`: all names below a path, recursively.
    Scan,
    /// POST or PUT of what is not there yet.
    Create,
    /// POST or PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// GET with `help=1`.
    Help,
    /// HEAD: never routed to an engine.
    Head,
}

impl Operation {
    /// As access lists and the audit log write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Scan => "scan",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Help => "help",
            Self::Head => "header",
        }
    }

    /// Whether it asks to change something.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }
}

/// A request at one stage of its way through `core::pipeline`.
///
/// The types of the later stages live in core with private fields: only the step before can make one, so
/// that a step which is left out does not compile.
pub struct Request<Stage> {
    /// What came in the first line and the headers.
    pub head: Head,
    /// What the steps so far have found out.
    pub stage: Stage,
}

impl<Stage> Request<Stage> {
    /// The same request, one stage on.
    pub fn advance<Next>(self, next: impl FnOnce(Stage) -> Next) -> Request<Next> {
        Request { head: self.head, stage: next(self.stage) }
    }
}

/// The first line and the headers of a request, parsed.
pub struct Head {
    /// Made for this request.
    pub id: RequestId,
    /// From the method and the query; PUT and POST are [`Operation::Update`].
    pub operation: Operation,
    /// Canonical, without `/v1/` and without a namespace's prefix.
    pub path: ApiPath,
    /// The query's pairs; [`Operation::List`] and its like already taken out.
    pub query: Vec<(String, String)>,
    /// `X-Vault-Token`, or `Authorization: Bearer`.
    pub token: Option<Secret>,
    /// `X-Vault-Namespace`, canonical; empty is the root namespace.
    pub namespace: String,
    /// `X-Vault-Wrap-TTL` in seconds.
    pub wrap_ttl: Option<u64>,
    /// `Content-Type`, lower case, without parameters.
    pub content_type: Option<String>,
    /// The client's address.
    pub remote: Option<(IpAddr, u16)>,
    /// Headers that core wants to see, of those that came: name in lower case, and value. Almost always none.
    pub headers: Vec<(String, String)>,
}

/// The first stage: parsed, nothing checked, the body still in the socket.
pub struct Received {
    /// The way to the body.
    pub body: Box<dyn BodySource>,
}

/// A body that has not been read yet.
pub trait BodySource: Send {
    /// The whole body, unless it is longer than `limit` bytes.
    fn read(&mut self, limit: usize) -> BoxFuture<'_, Result<Secret, BodyError>>;
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit.
    TooLarge,
    /// The connection broke or was too slow.
    Broken,
    /// Too many large bodies are being read; none of this one was.
    Crowded,
}

/// A body that is already there.
impl BodySource for Vec<u8> {
    fn read(&mut self, limit: usize) -> BoxFuture<'_, Result<Secret, BodyError>> {
        let body = std::mem::take(self);
        Box::pin(
            async move { if body.len() > limit { Err(BodyError::TooLarge) } else { Ok(Secret::from(body)) } },
        )
    }
}
