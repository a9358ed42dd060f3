//! The tests of the whole, in one binary: `./x test` builds everything first and hands over the folder.

#![allow(clippy::disallowed_methods)] // tests start processes and look at the clock

mod architecture;
mod audit;
mod bridges;
mod compat;
mod disk;
mod faults;
mod first_secret;
mod golden;
