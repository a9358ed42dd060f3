//! How an engine's endpoints run, and what comes of it.

use strongroom_types::{BoxFuture, Operation, Refusal, Reply};

use crate::{Body, Call, Cx, Endpoint, FieldSpec, LeaseWish, Login, NoLogin, Write};

/// Where a handler runs.
#[derive(Clone, Copy)]
pub enum Handler {
    /// On the request's own task: point reads and small writes, microseconds.
    Inline(fn(&Cx, &Call) -> Result<Outcome, Refusal>),
    /// On the blocking pool: scans, long lists.
    Blocking(fn(&Cx, &Call) -> Result<Outcome, Refusal>),
    /// Waits for something: a device, the network.
    Async(for<'a> fn(&'a Cx, &'a Call) -> BoxFuture<'a, Result<Outcome, Refusal>>),
    /// Computes long (a password's hash): waits for one of few places, and is refused where too many wait.
    Compute(fn(&Cx, &Call) -> Result<Outcome, Refusal>),
    /// Logs somebody in, on the request's own task.
    Login(LoginRun),
    /// The same, and computes long.
    SlowLogin(LoginRun),
}

/// What a handler wants done. The pipeline commits `writes`, and what core adds, in one batch, and only then
/// sends the reply; on a conflict the handler runs again on a newer snapshot.
pub struct Outcome {
    /// The answer.
    pub reply: Reply,
    /// Changes to this mount's records.
    pub writes: Vec<Write>,
    /// The lease that core makes in the same batch; the answer must be a [`Reply::Logical`] then.
    pub lease: Option<LeaseWish>,
}

impl Outcome {
    /// An answer after `writes`.
    pub fn new(reply: Reply, writes: Vec<Write>) -> Self {
        Self { reply, writes, lease: None }
    }

    /// An answer that changes nothing.
    pub fn reply(reply: Reply) -> Self {
        Self::new(reply, Vec::new())
    }

    /// 204 after `writes`.
    pub fn done(writes: Vec<Write>) -> Self {
        Self::new(Reply::Empty, writes)
    }

    /// The same, leased: see [`crate::lease`].
    pub fn leased(self, wish: LeaseWish) -> Self {
        Self { lease: Some(wish), ..self }
    }
}

/// A handler that logs somebody in.
pub type LoginRun = fn(&Cx, &Call) -> Result<Login, NoLogin>;

/// A handler that does not wait.
pub type Run = fn(&Cx, &Call) -> Result<Outcome, Refusal>;

impl Endpoint<Handler> {
    /// GET; `fields` are in the query.
    pub const fn read(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Self {
        Self { operation: Operation::Read, summary, fields, body: Body::None, run: Handler::Inline(run) }
    }

    /// POST and PUT.
    pub const fn write(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Self {
        Self { operation: Operation::Update, summary, fields, body: Body::Json, run: Handler::Inline(run) }
    }

    /// PATCH.
    pub const fn patch(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Self {
        Self {
            operation: Operation::Patch,
            summary,
            fields,
            body: Body::MergePatch,
            run: Handler::Inline(run),
        }
    }

    /// POST or PUT that computes long.
    pub const fn compute(summary: &'static str, fields: &'static [FieldSpec], run: Run) -> Self {
        Self { operation: Operation::Update, summary, fields, body: Body::Json, run: Handler::Compute(run) }
    }

    /// POST or PUT that logs somebody in, in microseconds.
    pub const fn login(summary: &'static str, fields: &'static [FieldSpec], run: LoginRun) -> Self {
        Self { operation: Operation::Update, summary, fields, body: Body::Json, run: Handler::Login(run) }
    }

    /// POST or PUT that logs somebody in, and computes long.
    pub const fn slow_login(summary: &'static str, fields: &'static [FieldSpec], run: LoginRun) -> Self {
        Self { operation: Operation::Update, summary, fields, body: Body::Json, run: Handler::SlowLogin(run) }
    }

    /// DELETE.
    pub const fn delete(summary: &'static str, run: Run) -> Self {
        Self {
            operation: Operation::Delete,
            summary,
            fields: &[],
            body: Body::None,
            run: Handler::Inline(run),
        }
    }

    /// LIST. The request's `after` and `limit` are in the [`Call`].
    pub const fn list(summary: &'static str, run: Run) -> Self {
        Self {
            operation: Operation::List,
            summary,
            fields: &[],
            body: Body::None,
            run: Handler::Blocking(run),
        }
    }

    /// SCAN: as a list, but of everything below.
    pub const fn scan(summary: &'static str, run: Run) -> Self {
        Self {
            operation: Operation::Scan,
            summary,
            fields: &[],
            body: Body::None,
            run: Handler::Blocking(run),
        }
    }
}
