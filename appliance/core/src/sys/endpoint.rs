//! How most endpoints of `sys/` are declared.

use strongroom_engine::{Body, Endpoint, FieldSpec};
use strongroom_types::Operation;

use crate::perform::{Run, SystemHandler};

/// A read that takes nothing.
pub const fn look(summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Read, summary, fields: &[], body: Body::None, run: Run::Free(run) }
}

/// A read that looks through much: see [`Run::Blocking`].
pub const fn scan(summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { run: Run::Blocking(run), ..look(summary, run) }
}

/// A change of the system's own tables: see [`Run::Alone`].
pub const fn alone(summary: &'static str, fields: &'static [FieldSpec], run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Update, summary, fields, body: Body::Json, run: Run::Alone(run) }
}

/// The same, which takes something away.
pub const fn remove(summary: &'static str, run: SystemHandler) -> Endpoint<Run> {
    Endpoint { operation: Operation::Delete, summary, fields: &[], body: Body::None, run: Run::Alone(run) }
}
