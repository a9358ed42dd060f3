//! Faults that are ours: reported once, here, and shown to the client as "internal error".

use std::fmt::Display;

use strongroom_barrier::BarrierError;
use strongroom_store::StoreError;
use strongroom_types::Refusal;
use strongroom_types::error::Kind;

/// A stored record or a device's answer that cannot be: logged, and refused.
pub fn damaged(cause: impl Display) -> Refusal {
    crate::log::error(format_args!("internal error: {cause}"));
    Refusal::internal()
}

/// What the client is told of a barrier's error.
pub fn barrier(cause: BarrierError) -> Refusal {
    match cause {
        BarrierError::Sealed => Refusal::sealed(),
        BarrierError::Store(cause) => store(cause),
        other => damaged(other),
    }
}

/// What the client is told of a store's error.
pub fn store(cause: StoreError) -> Refusal {
    match cause {
        StoreError::NoSpace => Refusal::new(Kind::NoSpace, cause.to_string()),
        StoreError::TooLarge => Refusal::new(Kind::TooLarge, cause.to_string()),
        StoreError::Conflict => {
            Refusal::new(Kind::Unavailable, "too many requests change the same record: try again")
        }
        StoreError::Poisoned(_) => damaged(cause),
    }
}
