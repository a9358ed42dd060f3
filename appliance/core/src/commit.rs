//! One atomic batch: what the handler wants, the use of the token, the audit row.

use std::sync::Arc;

use strongroom_audit::Audited;
use strongroom_barrier::{View, Write};
use strongroom_store::{Batch, StoreError};
use strongroom_types::reply::Logical;
use strongroom_types::{Operation, Refusal, Reply, Request};

use crate::active::Active;
use crate::fault;
use crate::perform::Work;
use crate::stage::Authorized;

/// How a commit ended.
pub enum Committed {
    /// Done, and this is the answer.
    Done(Result<Reply, Refusal>),
    /// Another request changed what this one had read: nothing was committed.
    Conflict,
}

/// Commits `outcome`. A refusal drops its writes, but not the use of the token.
pub async fn commit(
    active: &Arc<Active>,
    request: &Request<Authorized>,
    outcome: Result<Work, Refusal>,
    audited: &Audited,
) -> Result<Committed, Refusal> {
    let mut writes: Vec<(View, Write)> = Vec::new();
    let (answer, after) = match outcome {
        Ok(work) => {
            writes.extend(work.writes);
            (finish(request.head.operation, work.reply), work.after)
        }
        Err(refusal) => (Err(refusal), Vec::new()),
    };
    if let Some(asker) = &request.stage.asker {
        active.tokens.spend(active, &asker.known, &mut writes)?;
    }
    if writes.is_empty() && after.is_empty() {
        return Ok(Committed::Done(answer));
    }
    if !writes.is_empty() {
        let mut batch = Batch::default();
        for (view, write) in &writes {
            view.seal(write, &mut batch).map_err(fault::barrier)?;
        }
        active.outbox.add(audited, &mut batch)?;
        match active.store.commit(batch).await {
            Ok(_) => active.outbox.committed(audited),
            Err(StoreError::Conflict) => return Ok(Committed::Conflict),
            Err(other) => return Err(fault::store(other)),
        }
    }
    active.follow(&after)?;
    Ok(Committed::Done(answer))
}

/// A list of nothing is 404.
fn finish(operation: Operation, reply: Reply) -> Result<Reply, Refusal> {
    let is_list = matches!(operation, Operation::List | Operation::Scan);
    match &reply {
        Reply::Logical(logical) if is_list && lists_nothing(logical) => Err(Refusal::not_found()),
        Reply::Empty if is_list || operation == Operation::Read => Err(Refusal::not_found()),
        _ => Ok(reply),
    }
}

fn lists_nothing(logical: &Logical) -> bool {
    let Some(data) = logical.data.as_ref().and_then(|data| data.as_object()) else { return true };
    let no_keys = data.get("keys").is_some_and(|keys| keys.as_array().is_some_and(Vec::is_empty));
    no_keys && data.len() == 1 && logical.warnings.is_empty()
}
