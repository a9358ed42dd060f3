//! A listener as its clients see it: real sockets, real TLS, hostile bytes.

// The lints spare tests, not the functions that they share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod bodies;
mod browsers;
mod drain;
mod hostile;
mod http2;
mod streams;
mod support;
mod tls;
mod unread;
