//! The body, up to its limits, into typed fields.

use std::sync::Arc;

use serde_json::Value;
use strongroom_engine::field::convert;
use strongroom_engine::{Body, Call, FieldSpec};
use strongroom_store::Snapshot;
use strongroom_types::error::Kind;
use strongroom_types::request::{BodyError, Head};
use strongroom_types::{JsonMap, Operation, Refusal, Request, Secret};

use super::authorize::denied_by_policy;
use super::proof::Proof;
use super::{Asker, CanonicalPath, Charged, Target};
use crate::active::Active;
use crate::form;
use crate::json::{self, JsonError};

/// Largest body of whoever is nobody yet, or may not write there.
const STRANGERS_BODY: usize = 64 * 1024;

/// A request whose body has been read and whose fields are converted.
pub struct Read {
    /// Who answers.
    pub target: Target,
    /// The path as access lists see it.
    pub acl_path: CanonicalPath,
    /// Who asks.
    pub asker: Option<Asker>,
    /// What the handler gets.
    pub call: Call,
    /// The fields as they came: what access lists and the audit log look at.
    pub given: Arc<JsonMap>,
    /// What is stored, as this request sees it.
    pub snapshot: Arc<dyn Snapshot>,
    _proof: Proof,
}

/// Reads the body. The connection is the only thing it waits for. Whoever may do nothing on the path is not told
/// what is wrong with a body either: where nothing is mounted, nothing would be wrong with it.
pub async fn read(active: &Active, request: Request<Charged>) -> Result<Request<Read>, Refusal> {
    let stage = &request.stage;
    let acl = stage.asker.as_ref().filter(|_| !stage.routed.target.unauthenticated()).map(|a| a.acl.clone());
    let path = stage.routed.acl_path.clone();
    let operation = request.head.operation;
    // What does not write has no body: it is not asked for twice.
    let may_write = operation.is_write()
        && acl.as_ref().is_some_and(|acl| acl.may_write(path.asked(), operation, active.now()));
    let most = active.settings.max_request_size;
    let most = if may_write { most } else { most.min(STRANGERS_BODY) };
    read_for_anybody(active, request, most).await.map_err(|refusal| match acl {
        // Of more than a stranger's body nothing was read: it is not what is wrong.
        Some(_) if refusal.kind == Kind::TooLarge && !may_write => denied_by_policy(),
        Some(acl) if acl.capabilities(path.asked(), active.now()) == ["deny"] => denied_by_policy(),
        _ => refusal,
    })
}

async fn read_for_anybody(
    active: &Active,
    request: Request<Charged>,
    most: usize,
) -> Result<Request<Read>, Refusal> {
    let Request { head, stage: Charged { mut routed, mut asker, mut snapshot, .. } } = request;
    let (body, fields) = expected(&routed.target);
    if body == Body::MergePatch && head.content_type.as_deref() != Some("application/merge-patch+json") {
        let text = "PATCH requires the Content-Type application/merge-patch+json";
        return Err(Refusal::new(Kind::MediaType, text));
    }
    let has_body = body != Body::None && head.operation.is_write();
    let (raw, given) = if has_body {
        let raw = routed.body.read(most).await.map_err(unread)?;
        // It may have taken the client a while: a token that was revoked meanwhile is none any more.
        snapshot = active.snapshot()?;
        asker = asker.map(|asker| asker.again(active, &snapshot)).transpose()?;
        let given = match body == Body::Json && form::is_form(head.content_type.as_deref(), &raw) {
            true => form::fields(&raw, &active.settings.json)?,
            false => object(&raw, &active.settings.json)?,
        };
        (raw, given)
    } else {
        (Secret::from(Vec::new()), query(&head))
    };
    let mut converted = given.clone();
    convert(fields, &mut converted)?;
    let (after, limit) = page(&head)?;
    let call =
        Call { operation: head.operation, params: routed.params, fields: converted, raw, after, limit };
    let (target, acl_path, given) = (routed.target, routed.acl_path, Arc::new(given));
    let stage = Read { target, acl_path, asker, call, given, snapshot, _proof: Proof::checked() };
    Ok(Request { head, stage })
}

fn expected(target: &Target) -> (Body, &'static [FieldSpec]) {
    match target {
        Target::Engine { endpoint, .. } => (endpoint.body, endpoint.fields),
        Target::System { endpoint, .. } => (endpoint.body, endpoint.fields),
        Target::Help { .. } | Target::Nowhere(_) => (Body::None, &[]),
    }
}

/// Why a body could not be read, for the client.
pub fn unread(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge => Refusal::new(Kind::TooLarge, "http: request body too large"),
        BodyError::Crowded => {
            Refusal::new(Kind::TooMany, "too many large request bodies are being read: try again soon")
        }
        BodyError::Broken => Refusal::bad_request("the request body did not arrive whole"),
    }
}

/// A JSON object, or nothing at all.
pub fn object(raw: &Secret, limits: &json::Limits) -> Result<JsonMap, Refusal> {
    json::object(raw.expose(), limits).map_err(|error| match error {
        JsonError::TooLarge(what) => Refusal::new(Kind::TooLarge, format!("the JSON input has {what}")),
        JsonError::Syntax => Refusal::bad_request("failed to decode JSON input: it is not well-formed JSON"),
        JsonError::NotAnObject => {
            Refusal::bad_request("failed to decode JSON input: it is not a JSON object")
        }
    })
}

fn query(head: &Head) -> JsonMap {
    let pairs = head.query.iter().filter(|(name, _)| name != "after" && name != "limit");
    pairs.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// `after` and `limit` of a list: a limit of 0 or less, or `max`, is none.
fn page(head: &Head) -> Result<(Option<String>, Option<usize>), Refusal> {
    if !matches!(head.operation, Operation::List | Operation::Scan) {
        return Ok((None, None));
    }
    let value =
        |wanted: &str| head.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let limit = match value("limit") {
        None | Some("" | "max") => None,
        Some(text) => {
            let number: i64 = text.parse().map_err(|_| Refusal::bad_request("'limit' must be a number"))?;
            usize::try_from(number).ok().filter(|limit| *limit > 0)
        }
    };
    Ok((value("after").filter(|after| !after.is_empty()).map(str::to_owned), limit))
}
