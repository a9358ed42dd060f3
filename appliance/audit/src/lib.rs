//! The audit log: who asked for what, and what came of it, one JSON line before the effect and one before the answer.
//!
//! ```text
//!              before ──▶ request line ──▶ effect, commit (with the outbox row) ──▶ after ──▶ response line ──▶ answer
//! no sink accepts it:     no effect                                                 no answer
//! ```
//!
//! A request that has no effect gets both lines at once, before its answer: if no sink accepts them, there is none.
//!
//! A line counts as accepted when write(2) of **at least one** sink has taken all of it, as Vault has it: a second
//! sink is there so that a full disk under the first does not stop the appliance. With no sink, auditing is off and
//! everything passes.
//!
//! Text in a line is hashed: HMAC-SHA256 with a salt for each sink, so that a known value can be searched for
//! (`sys/audit-hash`) and an unknown one cannot be read. What stays in clear, and why, is said in [`line`](mod@line).
//!
//! A line that was accepted is in the kernel's hands, not on the disk. So a request that commits takes its line along
//! as a row of the same batch ([`Audited::outbox_row`]); [`Broker::synced`] says when the row may go, and after a
//! crash [`Broker::restore`] writes the lines again that the log has lost.
//!
//! | module | holds |
//! |---|---|
//! | [`event`] | what core tells about a request and its answer |
//! | [`line`](mod@line) | the format of a line |
//! | [`hash`] | the hash of a text |
//! | [`broker`] | from an event to the sinks, and what is done when one refuses |
//! | [`outbox`] | the row that a commit takes along, and its way back into the log |
//! | [`sink`] | where lines go, and how a configuration describes it |
//! | [`file`](mod@file) | the sink that is a file |
//! | [`testing`] | a sink in memory, and the suite that every sink passes |

pub mod broker;
pub mod error;
pub mod event;
pub mod file;
pub mod hash;
mod json;
pub mod line;
pub mod outbox;
pub mod sink;
mod sync;
pub mod testing;

#[cfg(test)]
mod tests;

pub use broker::{Audited, Broker, Limits, SinkInfo};
pub use error::{AuditError, ConfigError};
pub use event::{Auth, Clear, Event, Header, Mount, Namespace, ResponseEvent};
pub use file::FileSink;
pub use hash::Salt;
pub use sink::{Discard, Sink, SinkConfig, Stdout};
