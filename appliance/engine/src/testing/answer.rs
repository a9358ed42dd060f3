//! What a request was answered.

use serde_json::{Value, json};
use strongroom_types::error::Kind;
use strongroom_types::{Refusal, Reply};

/// Status and body, as a client sees them.
#[derive(Debug)]
pub struct Answer {
    /// What was asked, for messages.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The body; null when there is none.
    pub body: Value,
    /// What the server's log would say of a fault.
    pub cause: Option<String>,
}

impl Answer {
    pub(super) fn of(request: String, reply: Reply) -> Self {
        let (status, body) = match reply {
            Reply::Empty => (204, Value::Null),
            Reply::Headed { reply, .. } => return Self::of(request, *reply),
            Reply::Json { status, body } => (status, body),
            Reply::Stream(_) => (200, Value::Null),
            Reply::Raw { status, body, .. } if body.is_empty() => (status, Value::Null),
            Reply::Raw { status, body, .. } => (status, Value::from(String::from_utf8_lossy(&body))),
            Reply::Logical(logical) => {
                let lease = logical.lease.unwrap_or_default();
                let mut body = envelope(logical.data.unwrap_or(Value::Null));
                body["lease_id"] = lease.id.into();
                body["renewable"] = lease.renewable.into();
                body["lease_duration"] = lease.duration.into();
                if !logical.warnings.is_empty() {
                    body["warnings"] = logical.warnings.into();
                }
                (logical.status.unwrap_or(200), body)
            }
        };
        Self { request, status, body, cause: None }
    }

    /// An error; one with data is a whole envelope.
    pub(super) fn refused(request: String, refusal: &Refusal) -> Self {
        let body = match &refusal.data {
            Some(data) => envelope(data.clone().into()),
            None if refusal.message.is_empty() => json!({ "errors": [] }),
            None => json!({ "errors": [refusal.message] }),
        };
        Self { request, status: status(refusal.kind), body, cause: refusal.cause.clone() }
    }

    /// The same answer, if it has this status.
    #[track_caller]
    pub fn status(self, wanted: u16) -> Self {
        assert_eq!(self.status, wanted, "{}: {} {:?}", self.request, self.body, self.cause);
        self
    }

    /// The value at a dotted path: `data.metadata.version`. Null if it is not there.
    pub fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.body, |value, key| &value[key])
    }

    /// The names of a list; none if it is a 404.
    pub fn keys(&self) -> Vec<String> {
        let keys = self.at("data.keys").as_array().into_iter().flatten();
        keys.map(|key| key.as_str().expect("a name").to_owned()).collect()
    }

    /// The first error or warning.
    pub fn text(&self) -> &str {
        let first = |key: &str| self.body[key].get(0).and_then(Value::as_str);
        first("errors").or_else(|| first("warnings")).unwrap_or_default()
    }
}

fn envelope(data: Value) -> Value {
    json!({
        "request_id": "00000000-0000-4000-8000-000000000000",
        "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": null,
    })
}

fn status(kind: Kind) -> u16 {
    match kind {
        Kind::BadRequest => 400,
        Kind::Denied => 403,
        Kind::NotFound => 404,
        Kind::Unsupported => 405,
        Kind::Precondition => 412,
        Kind::TooLarge => 413,
        Kind::MediaType => 415,
        Kind::TooMany => 429,
        Kind::HeaderTooLarge => 431,
        Kind::Internal => 500,
        Kind::Uninitialised => 501,
        Kind::Sealed | Kind::Unavailable => 503,
        Kind::NoSpace => 507,
    }
}
