//! What the server counts and measures, under the names that dashboards for Vault know.
//!
//! Recorded is by number and duration only: no path, no name that a client has chosen, no token. Nothing here takes a
//! lock: see [`summary`].

pub mod expose;
pub mod in_flight;
mod summary;

use strongroom_types::Timestamp;

use in_flight::InFlight;
pub use summary::{Counter, QUANTILES, Recent, Summary, Told};

/// Everything that is recorded, from the start of the process on.
pub struct Metrics {
    /// Since when.
    pub started: Timestamp,
    /// Requests that are no logins, from the first check to the answer.
    pub handle_request: Summary,
    /// Logins.
    pub handle_login: Summary,
    /// Finding the token and its policies.
    pub fetch_acl: Summary,
    /// Asking the access list.
    pub check_token: Summary,
    /// Making a batch durable.
    pub commit: Summary,
    /// Lines before an effect.
    pub audit_request: Summary,
    /// Lines before an answer.
    pub audit_response: Summary,
    /// Such lines that no sink took.
    pub audit_request_failure: Counter,
    /// Such lines that no sink took.
    pub audit_response_failure: Counter,
    /// Requests that a quota has refused.
    pub quota_violation: Counter,
    /// Requests under way.
    pub in_flight: InFlight,
}

impl Metrics {
    /// Nothing is recorded yet.
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            handle_request: Summary::default(),
            handle_login: Summary::default(),
            fetch_acl: Summary::default(),
            check_token: Summary::default(),
            commit: Summary::default(),
            audit_request: Summary::default(),
            audit_response: Summary::default(),
            audit_request_failure: Counter::default(),
            audit_response_failure: Counter::default(),
            quota_violation: Counter::default(),
            in_flight: InFlight::default(),
        }
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.handle_request.count().wrapping_add(self.handle_login.count())
    }
}
