//! Why a request did not do what was asked: by who is to blame. `http` maps each kind to a status, once.

use std::borrow::Cow;
use std::fmt;

use crate::JsonMap;

/// A request that ends without its effect.
///
/// The text is for the client: it never repeats a secret. The kind alone decides the HTTP status.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Who is to blame, and so the status.
    pub kind: Kind,
    /// For the client; empty where the status says it all.
    pub message: Cow<'static, str>,
    /// Answered beside the error: a KV v2 read of a deleted version is a 404 with its metadata.
    pub data: Option<JsonMap>,
    /// For the server's log, once, where the answer leaves; never for the client.
    pub cause: Option<String>,
    /// Headers of the answer, in lower case: when to come again.
    pub headers: Vec<(&'static str, String)>,
}

/// The kinds of [`Refusal`]. The comment names the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: the client asked for something that makes no sense here.
    BadRequest,
    /// 403: authenticated or not, this is not allowed.
    Denied,
    /// 404: nothing is there.
    NotFound,
    /// 405: the path exists, the operation on it does not.
    Unsupported,
    /// 412: a precondition of the request did not hold.
    Precondition,
    /// 413: the body is larger than the route allows.
    TooLarge,
    /// 415: PATCH with the wrong content type.
    MediaType,
    /// 429: a quota, a full queue or a full pool.
    TooMany,
    /// 431: a header is too long.
    HeaderTooLarge,
    /// 500: our fault; the details are in the server's log only.
    Internal,
    /// 501: not initialised.
    Uninitialised,
    /// 503: sealed.
    Sealed,
    /// 503: a device or a peer that is needed does not answer.
    Unavailable,
    /// 507: less free space than the reserve.
    NoSpace,
}

impl Refusal {
    /// A refusal of `kind` with a text for the client.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), data: None, cause: None, headers: Vec::new() }
    }

    /// 400.
    pub fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::BadRequest, message)
    }

    /// 403 with the text that clients look for.
    pub fn denied() -> Self {
        Self::new(Kind::Denied, "permission denied")
    }

    /// 404 with an empty list of errors.
    pub fn not_found() -> Self {
        Self::new(Kind::NotFound, "")
    }

    /// 405 with the text that clients look for.
    pub fn unsupported() -> Self {
        Self::new(Kind::Unsupported, "1 error occurred:\n\t* unsupported operation\n\n")
    }

    /// 500. `cause` goes to the server's log by the caller, never to the client.
    pub fn internal() -> Self {
        Self::new(Kind::Internal, "internal error")
    }

    /// 500 for `cause`, which the edge logs and the client never sees.
    pub fn fault(cause: impl fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::internal() }
    }

    /// 503 with the exact text that clients compare.
    pub fn sealed() -> Self {
        Self::new(Kind::Sealed, "Vault is sealed")
    }

    /// The same refusal with further headers.
    pub fn with_headers(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The same refusal with data beside the error.
    pub fn with_data(mut self, data: JsonMap) -> Self {
        self.data = Some(data);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
