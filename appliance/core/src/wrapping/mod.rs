//! Answers that are put by, to be had once.
//!
//! Whoever asks with `X-Vault-Wrap-TTL` is answered with a token only. It opens the answer one single time, so that
//! somebody who reads it on its way cannot do so unnoticed. The token is an orphan with one use and the policy
//! `response-wrapping`; the answer is a record of the cubbyhole's view, `[token's key, "/wrapped"]`, which no path of
//! the cubbyhole can name, and which ends with the token. Both are written in the batch of what was asked.
//!
//! Opened in one of two ways, never both:
//!
//! - The wrapping token is the caller's own: its one use is the opening ([`crate::stage::Bill`]).
//! - Somebody who may names it in the body: its turn is waited for, and opening revokes it.

mod record;
pub mod routes;

use std::sync::Arc;

use strongroom_barrier::{Name, View, Write};
use strongroom_engine::{Call, Field};
use strongroom_policy::builtin::RESPONSE_WRAPPING;
use strongroom_store::Snapshot;
use strongroom_types::reply::{Logical, WrapReply};
use strongroom_types::{Refusal, Reply, Request, Secret, SecretWriter};
use tokio::sync::OwnedMutexGuard;

use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::order::{Rank, Ranked};
use crate::stage::{Authorized, Target};
use crate::tokens::{Known, Wish};
use record::Wrapped;

/// The token in a body.
const TOKEN: Field<String> = Field::new("token", "The wrapping token, unless it is the caller's own.");
/// The record of the answer, below its token's key: no segment of a path has a slash in it.
const RECORD: &str = "/wrapped";

/// Puts `reply` by, if the client wishes it and it is an answer that has something in it. What it was asked for by
/// nobody is for everybody, and nothing is stored for strangers; but a login's answer is somebody's.
pub fn wrapped(
    active: &Active,
    request: &Request<Authorized>,
    reply: Reply,
    writes: &mut Vec<(View, Write)>,
) -> Result<Reply, Refusal> {
    let Some(ttl) = request.head.wrap_ttl else { return Ok(reply) };
    let stage = &request.stage;
    let logical = match reply {
        Reply::Empty => return Ok(Reply::Empty),
        Reply::Logical(logical) if logical.wrap.is_some() => return Ok(Reply::Logical(logical)),
        Reply::Logical(logical) if stage.asker.is_none() && logical.auth.is_none() => {
            return Ok(Reply::Logical(logical));
        }
        Reply::Logical(logical) => logical,
        Reply::Json { .. } | Reply::Raw { .. } | Reply::Stream(_) | Reply::Headed { .. } => {
            return Err(own_form());
        }
    };
    let ttl = i64::try_from(ttl).unwrap_or(i64::MAX).min(active.settings.max_lease_ttl);
    let (id, path) = (request.head.id, request.head.path.as_str().to_owned());
    put_by(active, Wrapped::new(*logical, id, path, ttl, active.now()), writes)
}

/// Refuses the wish for what is known beforehand not to be wrapped: afterwards it would be done, and nobody would have the
/// answer.
pub fn can_wrap(request: &Request<Authorized>) -> Result<(), Refusal> {
    let has_own_form = match &request.stage.target {
        Target::System { route, .. } => route.own_form,
        Target::Engine { route, .. } => route.own_form,
        Target::Help { .. } | Target::Nowhere(_) => false,
    };
    match request.head.wrap_ttl.is_some() && has_own_form {
        true => Err(own_form()),
        false => Ok(()),
    }
}

fn own_form() -> Refusal {
    Refusal::bad_request("this answer has a form of its own and cannot be wrapped")
}

/// Stores `wrapped` under a new token, and gives the answer that names it.
fn put_by(active: &Active, wrapped: Wrapped, writes: &mut Vec<(View, Write)>) -> Result<Reply, Refusal> {
    let wish = Wish {
        ttl: wrapped.ttl,
        explicit_max_ttl: wrapped.ttl,
        num_uses: 1,
        ..Wish::of(vec![RESPONSE_WRAPPING.to_owned()], wrapped.path.clone())
    };
    let minted = active.tokens.mint(wish, active.entropy.as_ref(), wrapped.created)?;
    let key = active.tokens.key(&minted.auth.client_token);
    writes.extend(minted.writes.into_iter().map(|write| (active.tokens.view.clone(), write)));
    let mut body = SecretWriter::with_capacity(1024);
    serde_json::to_writer(&mut body, &wrapped).map_err(damaged)?;
    let write = Write::put(name_of(&key)?, body.finish()).if_unchanged(None);
    writes.push((active.cubbyholes.clone(), write));
    let wrap = WrapReply {
        token: minted.auth.client_token,
        accessor: minted.auth.accessor,
        ttl: wrapped.ttl,
        created: wrapped.created,
        wrapped_accessor: wrapped.accessor().map(str::to_owned),
        path: wrapped.path,
    };
    Ok(Reply::Logical(Box::new(Logical { wrap: Some(wrap), ..Logical::default() })))
}

/// The answer that the wrapping token `known` opens; `None` if it is no wrapping token.
fn find(active: &Active, snapshot: &Arc<dyn Snapshot>, known: &Known) -> Result<Option<Wrapped>, Refusal> {
    if !is_wrapping(known) {
        return Ok(None);
    }
    let reader = active.cubbyholes.at(snapshot.clone());
    let Some(entry) = reader.get(&name_of(&known.key)?).map_err(barrier)? else { return Ok(None) };
    serde_json::from_slice(entry.value.expose()).map(Some).map_err(damaged)
}

fn is_wrapping(known: &Known) -> bool {
    known.record.policies == [RESPONSE_WRAPPING]
}

fn name_of(key: &str) -> Result<Name, Refusal> {
    Name::new([key, RECORD]).map_err(damaged)
}

/// In the words that clients look for: somebody else may have opened it.
fn invalid() -> Refusal {
    Refusal::bad_request("wrapping token is not valid or does not exist")
}

// === what the stages ask ===

/// Whether the token in the header is looked at, and not used.
pub fn looks_up(target: &Target) -> bool {
    matches!(target, Target::System { route, .. } if route.path == routes::LOOKUP)
}

/// Whether the token in the header may be the wrapping token.
pub fn opens(target: &Target) -> bool {
    matches!(target, Target::System { route, .. } if [routes::UNWRAP, routes::REWRAP].contains(&route.path))
}

/// The refusal of a request whose token is none. One that was to open an answer by itself is named so.
pub fn nobody(target: &Target, call: &Call) -> Refusal {
    let is_named = call.get(&TOKEN).is_some_and(|token| !token.is_empty());
    if opens(target) && !is_named { invalid() } else { Refusal::denied() }
}

/// The refusal of a request whose token was used up while it waited for its turn: whoever comes second to an answer is
/// told so.
pub fn ended(target: &Target, known: &Known) -> Refusal {
    if opens(target) && is_wrapping(known) { invalid() } else { Refusal::denied() }
}

/// Waits for the turn of the wrapping token in the body. Only wrapping tokens have their turn here, and whoever holds
/// one cannot name another: so no two requests wait for each other.
pub async fn turn(active: &Active, request: &Request<Authorized>) -> Option<Ranked<OwnedMutexGuard<()>>> {
    let stage = &request.stage;
    let given = Secret::from(stage.call.get(&TOKEN).filter(|token| !token.is_empty())?);
    if stage.asker.as_ref().is_none_or(|asker| is_wrapping(&asker.known)) {
        return None;
    }
    let reader = active.tokens.view.at(stage.snapshot.clone());
    let known = active.tokens.find(&reader, &given, active.now()).ok()??;
    if !is_wrapping(&known) {
        return None;
    }
    Some(active.use_locks.lock(Rank::UsedUp, &known.key).await)
}
