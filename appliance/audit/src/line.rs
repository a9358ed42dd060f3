//! The format of a line: Vault's, so that what reads Vault's log reads this one.
//!
//! ```text
//! request   {"time":…,"type":"request", "auth":{…},"request":{…},               "error":…}
//! response  {"time":…,"type":"response","auth":{…},"request":{…},"response":{…},"error":…}
//! ```
//!
//! | | |
//! |---|---|
//! | hashed | every text that is a value in `request.data` and `response.data`; tokens; accessors (option `hmac_accessor`); bodies that are bytes; headers marked so |
//! | in clear | keys of objects, numbers, booleans, null; paths, policies, names, addresses, ids; warnings and errors, whose texts never repeat a secret; what [`Clear`](crate::Clear) names |
//! | left out | what is empty or zero; what a stream will say, which is `http_stream` |
//!
//! Both lines of a request hold the same `auth` and `request`: hashed once, for the first, and copied into the second.

mod texts;

use std::ops::Range;

use serde_json::Value;
use strongroom_types::reply::{AuthReply, Logical};
use strongroom_types::{JsonMap, Operation, Reply, Timestamp};

use crate::json::{Object, push};
use crate::{Event, Mount, ResponseEvent, Salt};
use texts::Texts;

/// How one sink wants its lines.
pub(crate) struct Style<'s> {
    pub(crate) salt: &'s Salt,
    pub(crate) raw: bool,
    pub(crate) hash_accessors: bool,
    pub(crate) elide_lists: bool,
}

/// More texts to hash than there may be.
#[derive(Debug)]
pub(crate) struct TooManyStrings;

/// A line, with its end, and where in it `auth` and `request` are.
pub(crate) struct RequestLine {
    pub(crate) line: Vec<u8>,
    pub(crate) body: Range<usize>,
}

/// A line without anything to hash in its data: some texts longer than this come often.
const USUAL_LENGTH: usize = 1536;

/// The line before the effect.
pub(crate) fn request(
    style: &Style<'_>,
    now: Timestamp,
    event: &Event<'_>,
    limit: usize,
) -> Result<RequestLine, TooManyStrings> {
    let mut line = begin(USUAL_LENGTH, now, "request");
    let start = line.len();
    let mut members = Object::go_on(&mut line);
    let mut texts = Texts { style, left: limit };
    // Both stand in `auth` and in `request`, and are hashed once.
    let token = event.token.map(|token| style.written(token.expose(), true));
    let accessor = event.auth.as_ref().map(|auth| auth.accessor).filter(|accessor| !accessor.is_empty());
    let accessor = accessor.map(|accessor| style.written(accessor.as_bytes(), style.hash_accessors));
    auth(&mut members, event, token.as_deref(), accessor.as_deref());
    let mut object = Object::begin(members.key("request"));
    request_members(&mut object, style, event, token.as_deref(), accessor.as_deref());
    if let Some(data) = event.data {
        texts.map(object.key("data"), data, event.clear, None)?;
    }
    object.end();
    let end = line.len();
    finish(&mut line, event.error);
    Ok(RequestLine { line, body: start..end })
}

/// The line before the answer; `body` is that of the request's line.
pub(crate) fn response(
    style: &Style<'_>,
    now: Timestamp,
    body: &[u8],
    event: &Event<'_>,
    response: &ResponseEvent<'_>,
    limit: usize,
) -> Result<Vec<u8>, TooManyStrings> {
    let mut line = begin(body.len() + USUAL_LENGTH, now, "response");
    line.extend_from_slice(body);
    let mut texts = Texts { style, left: limit };
    let elide = style.elide_lists && matches!(event.operation, Operation::List | Operation::Scan);
    let mut members = Object::go_on(&mut line);
    let mut object = Object::begin(members.key("response"));
    let mut error = None;
    let data = match response.answer.map(Reply::bare) {
        Ok(Reply::Empty | Reply::Headed { .. }) => None,
        Ok(Reply::Logical(logical)) => {
            logical_members(&mut object, style, logical);
            logical.data.as_ref()
        }
        Ok(Reply::Json { body, .. }) => Some(body),
        Ok(Reply::Raw { status, content_type, body }) => {
            let mut raw = Object::begin(object.key("data"));
            style.secret(raw.key("http_content_type"), content_type.as_bytes());
            style.secret(raw.key("http_raw_body"), body);
            raw.put("http_status_code", status);
            raw.end();
            None
        }
        // What it will say is not known yet.
        Ok(Reply::Stream(stream)) => {
            let mut data = Object::begin(object.key("data"));
            style.secret(data.key("http_content_type"), stream.content_type.as_bytes());
            data.put("http_stream", true);
            data.end();
            None
        }
        Err(refusal) => {
            // A refusal without a text of its own (404) has what core calls it.
            error = Some(refusal.message.as_ref()).filter(|text| !text.is_empty()).or(event.error);
            if let Some(data) = &refusal.data {
                texts.map(object.key("data"), data, response.clear, None)?;
            }
            None
        }
    };
    match data {
        Some(Value::Object(data)) => {
            texts.map(object.key("data"), data, response.clear, elide.then_some(&["keys", "key_info"]))?;
        }
        Some(Value::Null) | None => {}
        Some(other) => texts.value(object.key("data"), other, false, response.clear.keys)?,
    }
    mount_members(&mut object, event.mount);
    object.end();
    finish(&mut line, error);
    Ok(line)
}

fn begin(capacity: usize, now: Timestamp, kind: &str) -> Vec<u8> {
    let mut line = Vec::with_capacity(capacity);
    let mut members = Object::begin(&mut line);
    members.put("time", now.to_string());
    members.put("type", kind);
    line
}

fn finish(line: &mut Vec<u8>, error: Option<&str>) {
    let mut members = Object::go_on(line);
    members.text("error", error.unwrap_or_default());
    members.end();
    line.push(b'\n');
}

fn auth(members: &mut Object<'_>, event: &Event<'_>, token: Option<&[u8]>, accessor: Option<&[u8]>) {
    let Some(auth) = &event.auth else { return };
    let mut object = Object::begin(members.key("auth"));
    object.written("client_token", token);
    object.written("accessor", accessor);
    object.text("display_name", auth.display_name);
    object.texts("policies", auth.policies);
    object.texts("token_policies", auth.token_policies);
    object.texts("identity_policies", auth.identity_policies);
    if let Some(allowed) = event.allowed {
        let mut results = Object::begin(object.key("policy_results"));
        results.put("allowed", allowed);
        results.end();
    }
    metadata(&mut object, auth.metadata);
    object.number("remaining_uses", auth.remaining_uses);
    object.text("entity_id", auth.entity_id);
    object.text("token_type", auth.token_type);
    object.number("token_ttl", auth.token_ttl);
    if let Some(issued) = auth.issued {
        object.put("token_issue_time", issued.to_string());
    }
    object.end();
}

fn request_members(
    object: &mut Object<'_>,
    style: &Style<'_>,
    event: &Event<'_>,
    token: Option<&[u8]>,
    accessor: Option<&[u8]>,
) {
    object.put("id", event.request_id);
    object.text("client_id", event.auth.as_ref().map_or("", |auth| auth.entity_id));
    object.put("operation", event.operation.name());
    mount_members(object, event.mount);
    object.written("client_token", token);
    object.written("client_token_accessor", accessor);
    let mut namespace = Object::begin(object.key("namespace"));
    namespace.put("id", event.namespace.id);
    namespace.text("path", event.namespace.path);
    namespace.end();
    object.put("path", event.path);
    if let Some((address, port)) = event.remote {
        object.put("remote_address", address);
        object.put("remote_port", port);
    }
    object.number("wrap_ttl", event.wrap_ttl.unwrap_or_default());
    if !event.headers.is_empty() {
        let mut headers = Object::begin(object.key("headers"));
        for header in event.headers {
            let out = headers.foreign_key(header.name);
            out.push(b'[');
            match header.hashed {
                true => style.secret(out, header.value.as_bytes()),
                false => push(out, header.value),
            }
            out.push(b']');
        }
        headers.end();
    }
}

fn mount_members(object: &mut Object<'_>, mount: Option<Mount<'_>>) {
    let Some(mount) = mount else { return };
    object.text("mount_point", mount.point);
    object.text("mount_type", mount.kind);
    object.text("mount_accessor", mount.accessor);
    object.text("mount_class", mount.class);
}

fn logical_members(object: &mut Object<'_>, style: &Style<'_>, logical: &Logical) {
    if let Some(auth) = &logical.auth {
        auth_reply(Object::begin(object.key("auth")), style, auth);
    }
    if let Some(lease) = logical.lease.as_ref().filter(|lease| !lease.id.is_empty()) {
        let mut secret = Object::begin(object.key("secret"));
        secret.put("lease_id", lease.id.as_str());
        secret.end();
    }
    if let Some(wrap) = &logical.wrap {
        let mut info = Object::begin(object.key("wrap_info"));
        info.put("ttl", wrap.ttl);
        style.secret(info.key("token"), wrap.token.expose());
        style.accessor(&mut info, "accessor", &wrap.accessor);
        info.put("creation_time", wrap.created.to_string());
        info.put("creation_path", wrap.path.as_str());
        style.accessor(&mut info, "wrapped_accessor", wrap.wrapped_accessor.as_deref().unwrap_or_default());
        info.end();
    }
    object.texts("warnings", &logical.warnings);
}

/// A token that the answer hands out.
fn auth_reply(mut object: Object<'_>, style: &Style<'_>, auth: &AuthReply) {
    style.secret(object.key("client_token"), auth.client_token.expose());
    style.accessor(&mut object, "accessor", &auth.accessor);
    object.texts("policies", &auth.policies);
    object.texts("token_policies", &auth.token_policies);
    object.texts("identity_policies", &auth.identity_policies);
    metadata(&mut object, auth.metadata.as_ref());
    object.number("num_uses", auth.num_uses);
    object.text("entity_id", &auth.entity_id);
    object.text("token_type", auth.token_type);
    object.number("token_ttl", auth.lease_duration);
    object.end();
}

fn metadata(object: &mut Object<'_>, metadata: Option<&JsonMap>) {
    if let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) {
        object.put("metadata", metadata);
    }
}

impl Style<'_> {
    /// Bytes that may be secret, as a JSON text.
    fn secret(&self, out: &mut Vec<u8>, bytes: &[u8]) {
        if self.raw {
            return push(out, String::from_utf8_lossy(bytes));
        }
        out.push(b'"');
        self.salt.push_hash(out, bytes);
        out.push(b'"');
    }

    /// `bytes` as a JSON text, which is hashed or in clear.
    fn written(&self, bytes: &[u8], hashed: bool) -> Vec<u8> {
        let mut value = Vec::new();
        match hashed {
            true => self.secret(&mut value, bytes),
            false => push(&mut value, String::from_utf8_lossy(bytes)),
        }
        value
    }

    /// Left out if empty.
    fn accessor(&self, object: &mut Object<'_>, key: &'static str, accessor: &str) {
        match accessor {
            "" => {}
            accessor if self.hash_accessors => self.secret(object.key(key), accessor.as_bytes()),
            accessor => object.put(key, accessor),
        }
    }
}
