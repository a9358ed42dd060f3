//! HTTPS: listeners, limits, parsing, rendering. Nothing here decides what a client may do.
//!
//! | module | holds |
//! |---|---|
//! | [`bind`] | what a listener is, and the checks before anything listens |
//! | [`tls`] | certificate, key and the TLS settings; TLS 1.3 unless 1.2 is asked for |
//! | [`limits`] | every limit, with its name |
//! | [`listener`] | accepting, deadlines, draining |
//! | [`head`] | method, path and headers to a [`Request<Received>`]: a pure function |
//! | `budget` | how much memory all bodies may take together |
//! | `cors` | which pages of other origins may ask |
//! | [`custom`] | headers that the configuration adds to answers |
//! | [`render`] | [`Reply`] and [`Refusal`] to status and bytes: one table |
//! | `flow` | the body of an answer that goes on |
//!
//! Invariant: a body is never read before the service asks for it, and a request that has reached the service is
//! carried to its end even when its client goes away: nothing behind it has to survive being dropped half-way.

pub mod bind;
mod body;
mod budget;
mod connection;
mod cors;
pub mod custom;
mod flow;
pub mod head;
mod json;
pub mod limits;
mod linger;
pub mod listener;
mod pace;
mod pages;
pub mod render;
mod seats;
pub mod tls;

use std::sync::Arc;

use strongroom_core::{Core, ResponseRules};
use strongroom_types::request::Head;
use strongroom_types::{BoxFuture, Received, Refusal, Reply, Request};

pub use bind::{Address, BindError, Bound, Listener, MetricsAccess, bind};
pub use custom::CustomHeaders;
pub use limits::{Limits, Seating};
pub use listener::serve;
pub use tls::{Certificate, MinVersion, Pem, Tls, TlsError};

/// Who answers requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one request. It is polled to its end, whatever the client does.
    fn handle(&self, request: Request<Received>) -> BoxFuture<'_, Result<Reply, Refusal>>;

    /// The metrics for whoever has no token; asked only of a listener that is told to.
    fn open_metrics(&self, _head: &Head) -> Result<Reply, Refusal> {
        Err(Refusal::not_found())
    }

    /// What is stored of how answers are to look to browsers.
    fn response_rules(&self) -> Arc<ResponseRules> {
        Arc::default()
    }

    /// Rules that name headers of requests for the audit log; `None` where none does, which costs nothing.
    fn audited_headers(&self) -> Option<Arc<ResponseRules>> {
        None
    }
}

impl Service for Arc<Core> {
    fn handle(&self, request: Request<Received>) -> BoxFuture<'_, Result<Reply, Refusal>> {
        Box::pin(Core::handle(self, request))
    }

    fn open_metrics(&self, head: &Head) -> Result<Reply, Refusal> {
        Core::open_metrics(self, head)
    }

    fn response_rules(&self) -> Arc<ResponseRules> {
        Core::response_rules(self)
    }

    fn audited_headers(&self) -> Option<Arc<ResponseRules>> {
        Core::audited_headers(self)
    }
}
