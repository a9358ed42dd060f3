//! The built bridge with SoftHSM: each test has a token and a folder of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "what a test has to say")]
#![allow(clippy::disallowed_methods, reason = "the tests start bridges and tools as processes")]

#[path = "../../../hsm-bridge/device-api/tests/shared/bridge.rs"]
mod bridge;
mod fixture;
mod keys;
mod latch;
mod loss;
mod process;
