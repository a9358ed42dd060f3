//! What the server counts and measures, under the names that dashboards for Vault know.
//!
//! Recorded is by number and duration only: no path below a mount, no name that a client has chosen, no token. The names
//! of mounts are shown to those who have a token. Nothing that a read passes takes a lock: see [`summary`], [`routes`].

pub mod births;
pub mod catalogue;
pub mod expose;
pub mod in_flight;
mod routes;
mod summary;
mod telemetry;
mod timing;

use strongroom_types::Timestamp;

use births::Births;
use in_flight::InFlight;
pub use routes::Routes;
pub use summary::{Counter, QUANTILES, Recent, Summary, Told};
pub use telemetry::Telemetry;
pub use timing::Timed;

/// Everything that is recorded, from the start of the process on.
pub struct Metrics {
    /// Since when.
    pub started: Timestamp,
    /// What of it is told, and by which names.
    pub telemetry: Telemetry,
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
    /// Leases that a quota has refused.
    pub lease_quota_violation: Counter,
    /// Each mount's operations.
    pub routes: Routes,
    /// Looking up a token.
    pub token_lookup: Summary,
    /// Making one, without its commit.
    pub token_create: Summary,
    /// Finding out what ends with one.
    pub token_revoke: Summary,
    /// Tokens that were made.
    pub births: Births,
    /// Making a lease, without its commit.
    pub lease_register: Summary,
    /// Asking an engine to renew one.
    pub lease_renew: Summary,
    /// Renewing a token, without its commit.
    pub token_renew: Summary,
    /// Taking back a lease, with its commit.
    pub lease_revoke: Summary,
    /// Leases and tokens whose time was over, and that were removed.
    pub expired: Counter,
    /// Attempts to take back a lease that have failed.
    pub expired_error: Counter,
    /// Requests under way.
    pub in_flight: InFlight,
}

impl Metrics {
    /// Nothing is recorded yet.
    pub fn new(started: Timestamp, telemetry: Telemetry) -> Self {
        Self {
            started,
            telemetry,
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
            lease_quota_violation: Counter::default(),
            routes: Routes::default(),
            token_lookup: Summary::default(),
            token_create: Summary::default(),
            token_revoke: Summary::default(),
            births: Births::default(),
            lease_register: Summary::default(),
            lease_renew: Summary::default(),
            token_renew: Summary::default(),
            lease_revoke: Summary::default(),
            expired: Counter::default(),
            expired_error: Counter::default(),
            in_flight: InFlight::default(),
        }
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.handle_request.count().wrapping_add(self.handle_login.count())
    }
}
