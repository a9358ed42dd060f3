//! The barrier: the one place that encrypts.

mod name;
mod view;

pub use name::{Name, NameError};
pub use view::{BarrierError, Entry, Reader, View, Write};
