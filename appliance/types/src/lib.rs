//! The words that every part of Strongroom shares. No I/O, no async runtime, no cryptography.
//!
//! | module | holds |
//! |---|---|
//! | [`secret`] | [`Secret`]: bytes that cannot be printed, copied or forgotten in memory |
//! | [`id`] | one type per kind of identifier |
//! | [`cidr`] | networks |
//! | [`path`] | the one place where a name from a URL becomes canonical |
//! | [`purpose`] | what keys are derived for, in one list |
//! | [`request`] | [`Request<Stage>`]: what a client asked, and how far it has been checked |
//! | [`reply`] | what a client is answered, before it is JSON |
//! | [`stream`] | a body that is made while it is sent |
//! | [`entropy`] | [`Entropy`]: randomness as a parameter |
//! | [`error`] | who is to blame when something fails |
//! | [`time`] | [`Clock`], [`Timestamp`], durations as Vault writes them |

pub mod cidr;
pub mod entropy;
pub mod error;
pub mod id;
pub mod path;
pub mod purpose;
pub mod reply;
pub mod request;
pub mod secret;
pub mod stream;
pub mod time;

pub use cidr::Cidr;
pub use entropy::{Entropy, NoEntropy};
pub use error::Refusal;
pub use path::ApiPath;
pub use purpose::Purpose;
pub use reply::Reply;
pub use request::{Operation, Received, Request};
pub use secret::{Secret, SecretWriter};
pub use stream::{Stream, StreamSource};
pub use time::{Clock, Timestamp};

/// A boxed future: what the object-safe traits return.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A JSON object. Keys are in order, as clients of Go servers see them.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
