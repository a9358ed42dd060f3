//! The command line against a server that plays back what it is told: what is sent, what is printed, exit codes.

// The lints spare tests, not the functions that they share.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod completion;
mod debug;
mod errors;
mod instead;
mod kv;
mod logical;
mod login;
mod namespace;
mod operator;
mod operator_keys;
mod support;
mod tls;
mod token_helper;
