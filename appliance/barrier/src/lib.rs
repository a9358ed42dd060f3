//! The barrier: the one place that encrypts.
mod barrier;
mod due;
mod error;
mod frame;
mod key;
mod keyring;
mod keys;
mod name;
pub mod plain;
mod purpose;
mod reader;
mod view;

pub use barrier::{Barrier, KeyStatus, Rotation};
pub use due::{Due, Minute};
pub use error::BarrierError;
pub use name::{Name, NameError};
pub use reader::Reader;
pub use strongroom_os::{Arena, ArenaError, Backing, Protection};
pub use view::{Entry, View, Write};
