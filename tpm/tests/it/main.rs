//! The built bridge with swtpm: each test has a TPM, ports and a folder of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "what a test has to say")]
#![allow(clippy::disallowed_methods, reason = "the tests start bridges and simulators as processes")]

#[path = "../../../hsm-bridge/device-api/tests/shared/bridge.rs"]
mod bridge;
mod bus;
mod fixture;
mod loss;
mod process;
mod sealing;
