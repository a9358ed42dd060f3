//! The tests of the whole, in one binary: `./x test` builds everything first and hands over the folder.

// All of it is test code, also what stands outside of the test functions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]
#![allow(clippy::disallowed_methods)] // tests start processes and look at the clock

mod architecture;
mod audit;
mod bridges;
mod cli;
mod compat;
mod custodians_with_keys;
mod disk;
mod docs;
mod faults;
mod first_secret;
mod fuzz;
mod golden;
mod keys_of_people;
mod metrics;
mod monitor;
mod once;
mod pgp;
mod quotas;
mod routes;
mod run_twice;
mod scan;
mod security_md;
mod shells;
mod threats;
mod toy_engine;
