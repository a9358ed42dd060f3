//! The crate as its users see it. What a single module promises is tested beside it.

mod create;
mod devices;
mod golden;
mod primitives;
mod rekey;
mod shares;
mod status;
mod table;
