//! What was answered, as a status, headers and bytes. The only place that knows HTTP statuses.
//!
//! The envelope is written straight into the answer's buffer, and the buffer is wiped when it grows and once it has been
//! sent.

use std::io::Write;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{Either, Full};
use serde_json::Value;
use strongroom_types::error::Kind;
use strongroom_types::id::RequestId;
use strongroom_types::reply::{AuthReply, LeaseReply, Logical, WrapReply};
use strongroom_types::{Refusal, Reply, Secret, SecretWriter, Stream};

use crate::head::NAMESPACE;
use crate::json;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");
const SOON: HeaderValue = HeaderValue::from_static("1");

/// The keys of the envelope: data that is copied to the top level does not replace them.
const ENVELOPE: [&str; 8] =
    ["request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"];

/// Most answers fit; a larger one grows once or twice.
const USUAL_BYTES: usize = 2048;

/// What of a request its answer depends on.
pub struct Asked {
    /// In the envelope.
    pub id: RequestId,
    /// A HEAD gets the headers only, and a PATCH of what is not there an empty 404.
    pub method: Method,
    /// `X-Vault-Namespace` as it was sent.
    pub namespace: Option<HeaderValue>,
    /// Whether it came over TLS.
    pub secure: bool,
}

/// The one table: who is to blame, and the status that says so.
fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::BadRequest => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Uninitialised => StatusCode::NOT_IMPLEMENTED,
        Kind::Sealed | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
    }
}

/// A body: whole, or still to be made.
pub type Content = Either<Full<Bytes>, Stream>;

/// Renders an answer.
pub fn render(asked: Asked, answer: Result<Reply, Refusal>) -> Response<Content> {
    let (own, answer) = unpack(answer);
    let mut stream = None;
    let (status, content_type, out) = match answer {
        Ok(Reply::Stream(begun)) => {
            let content_type = HeaderValue::from_static(begun.content_type);
            stream = Some(begun);
            (StatusCode::OK, content_type, Secret::from(Vec::new()))
        }
        Ok(reply) => write_reply(asked.id, reply),
        Err(refusal) => {
            let (status, out) = write_refusal(&asked, refusal);
            (status, JSON, out)
        }
    };
    let has_content =
        ![StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    // A client may ask for such a status (`sys/health?activecode=204`); HTTP/2 breaks off where content follows.
    let out = if has_content { out } else { Secret::from(Vec::new()) };
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    // Said over plain HTTP it counts for nothing (RFC 6797), and is a promise about somebody else's port.
    if asked.secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, SOON);
    }
    for (name, value) in own {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(namespace) = asked.namespace {
        headers.insert(NAMESPACE, namespace);
    }
    let whole = |bytes| Either::Left(Full::new(bytes));
    let body = match stream {
        Some(_) if asked.method == Method::HEAD => whole(Bytes::new()),
        Some(stream) => Either::Right(stream),
        None if asked.method == Method::HEAD && has_content => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(out.len()));
            whole(Bytes::new())
        }
        None if out.is_empty() => whole(Bytes::new()),
        None => whole(Bytes::from_owner(Wiped(out))),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

type Headers = Vec<(&'static str, String)>;

/// The headers that an answer has of its own, and the rest of it.
fn unpack(answer: Result<Reply, Refusal>) -> (Headers, Result<Reply, Refusal>) {
    match answer {
        Ok(Reply::Headed { headers, reply }) => (headers, Ok(*reply)),
        Err(mut refusal) => (std::mem::take(&mut refusal.headers), Err(refusal)),
        other => (Vec::new(), other),
    }
}

/// Bytes that are wiped once they have been sent.
struct Wiped(Secret);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The answer to a path that is no part of the API and that a browser may ask for.
pub(crate) fn no_page() -> Reply {
    Reply::Raw {
        status: 404,
        content_type: "text/plain; charset=utf-8",
        body: b"there is no page here\n".to_vec(),
    }
}

fn write_reply(id: RequestId, reply: Reply) -> (StatusCode, HeaderValue, Secret) {
    match reply {
        Reply::Empty => (StatusCode::NO_CONTENT, JSON, Secret::from(Vec::new())),
        // Within each other there are none: the pipeline makes one at its end.
        Reply::Headed { reply, .. } => write_reply(id, *reply),
        // `render` has taken it.
        Reply::Stream(_) => (StatusCode::OK, JSON, Secret::from(Vec::new())),
        Reply::Logical(logical) => {
            let mut out = SecretWriter::with_capacity(USUAL_BYTES);
            envelope(&mut out, id, &logical);
            (logical.status.map_or(StatusCode::OK, code), JSON, out.finish())
        }
        Reply::Json { status, body } => {
            let mut out = SecretWriter::with_capacity(USUAL_BYTES);
            json::value(&mut out, &body);
            out.push(b'\n');
            (code(status), JSON, out.finish())
        }
        Reply::Raw { status, content_type, body } => {
            (code(status), HeaderValue::from_static(content_type), Secret::from(body))
        }
    }
}

/// A number that is no final status is our fault.
fn code(status: u16) -> StatusCode {
    let code = StatusCode::from_u16(status).ok().filter(|code| !code.is_informational());
    code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn write_refusal(asked: &Asked, refusal: Refusal) -> (StatusCode, Secret) {
    let mut out = SecretWriter::with_capacity(256);
    match (refusal.data, refusal.message.is_empty()) {
        // What is missing and still has something to say (KV v2's deleted version) says it in the envelope.
        (Some(data), true) if refusal.kind == Kind::NotFound => {
            let data = Some(Value::Object(data));
            envelope(&mut out, asked.id, &Logical { data, ..Logical::default() });
        }
        // Clients expect nothing at all behind the 404 of a PATCH.
        (None, true) if refusal.kind == Kind::NotFound && asked.method == Method::PATCH => {}
        (data, empty) => {
            out.extend_from_slice(b"{\"errors\":[");
            if !empty {
                json::text(&mut out, &refusal.message);
            }
            out.push(b']');
            if let Some(data) = data {
                out.extend_from_slice(b",\"data\":");
                json::object(&mut out, &data);
            }
            out.extend_from_slice(b"}\n");
        }
    }
    (status(refusal.kind), out.finish())
}

/// All keys, always, in this order.
fn envelope(out: &mut SecretWriter, id: RequestId, logical: &Logical) {
    out.push(b'{');
    if logical.copy_to_top
        && let Some(Value::Object(data)) = &logical.data
    {
        for (name, value) in data.iter().filter(|(name, _)| !ENVELOPE.contains(&name.as_str())) {
            json::text(out, name);
            out.push(b':');
            json::value(out, value);
            out.push(b',');
        }
    }
    let none = LeaseReply::default();
    let lease = logical.lease.as_ref().unwrap_or(&none);
    // Writing to memory does not fail.
    let _ = match logical.wrap {
        Some(_) => write!(out, "\"request_id\":\"\",\"lease_id\":"),
        None => write!(out, "\"request_id\":\"{}\",\"lease_id\":", logical.first_id.unwrap_or(id)),
    };
    json::text(out, &lease.id);
    let _ = write!(out, ",\"renewable\":{},\"lease_duration\":{},\"data\":", lease.renewable, lease.duration);
    json::value(out, logical.data.as_ref().unwrap_or(&Value::Null));
    out.extend_from_slice(b",\"wrap_info\":");
    match &logical.wrap {
        None => out.extend_from_slice(b"null"),
        Some(wrap) => write_wrap(out, wrap),
    }
    out.extend_from_slice(b",\"warnings\":");
    match logical.warnings.as_slice() {
        [] => out.extend_from_slice(b"null"),
        warnings => json::texts(out, warnings),
    }
    out.extend_from_slice(b",\"auth\":");
    match &logical.auth {
        None => out.extend_from_slice(b"null"),
        Some(auth) => write_auth(out, auth),
    }
    out.extend_from_slice(b"}\n");
}

fn write_wrap(out: &mut SecretWriter, wrap: &WrapReply) {
    out.extend_from_slice(b"{\"token\":");
    json::text(out, wrap.token.expose_str().unwrap_or_default());
    out.extend_from_slice(b",\"accessor\":");
    json::text(out, &wrap.accessor);
    let _ = write!(out, ",\"ttl\":{},\"creation_time\":\"{}\",\"creation_path\":", wrap.ttl, wrap.created);
    json::text(out, &wrap.path);
    if let Some(accessor) = &wrap.wrapped_accessor {
        out.extend_from_slice(b",\"wrapped_accessor\":");
        json::text(out, accessor);
    }
    out.push(b'}');
}

fn write_auth(out: &mut SecretWriter, auth: &AuthReply) {
    out.extend_from_slice(b"{\"client_token\":");
    json::text(out, auth.client_token.expose_str().unwrap_or_default());
    out.extend_from_slice(b",\"accessor\":");
    json::text(out, &auth.accessor);
    out.extend_from_slice(b",\"policies\":");
    json::texts(out, &auth.policies);
    for (name, policies) in
        [("token_policies", &auth.token_policies), ("identity_policies", &auth.identity_policies)]
    {
        if !policies.is_empty() {
            let _ = write!(out, ",\"{name}\":");
            json::texts(out, policies);
        }
    }
    out.extend_from_slice(b",\"metadata\":");
    match &auth.metadata {
        Some(metadata) => json::object(out, metadata),
        None => out.extend_from_slice(b"null"),
    }
    let _ = write!(
        out,
        ",\"lease_duration\":{},\"renewable\":{},\"entity_id\":",
        auth.lease_duration, auth.renewable
    );
    json::text(out, &auth.entity_id);
    out.extend_from_slice(b",\"token_type\":");
    json::text(out, auth.token_type);
    let _ =
        write!(out, ",\"orphan\":{},\"mfa_requirement\":null,\"num_uses\":{}}}", auth.orphan, auth.num_uses);
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
