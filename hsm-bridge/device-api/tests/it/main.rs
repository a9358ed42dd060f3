//! The protocol, the client and the server, with a mock device.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod client;
mod fixture;
mod hostile;
mod wire;
