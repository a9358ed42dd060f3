//! What the daemon asks of the kernel beyond the standard library, and its only `unsafe` code.
//!
//! | module | holds |
//! |---|---|
//! | [`arena`] | [`Arena`]: locked memory for keys, which no dump, swap, child or debugger sees |
//! | [`harden`] | what the process gives up at start: core dumps, new privileges, `exec` |
//! | [`fd`] | descriptors over a Unix socket, and who is at the other end |
//!
//! Every `unsafe` block says why it is sound. Nothing here knows what a key is for.

// The reason for this crate: mapping memory and adopting descriptors cannot be said in safe Rust. The lint is an
// error in every other crate of the daemon.
#![allow(unsafe_code)]

pub mod arena;
pub mod fd;
pub mod harden;
mod memory;

pub use arena::{Arena, ArenaError, Backing, Kept, Protection};
