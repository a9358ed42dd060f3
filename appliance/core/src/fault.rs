//! Faults that are ours: the client sees "internal error", the server's log has the cause, once, where the answer
//! leaves.

use std::fmt::Display;

use strongroom_barrier::BarrierError;
use strongroom_store::StoreError;
use strongroom_types::Refusal;
use strongroom_types::error::Kind;

/// A stored record or a device's answer that cannot be: refused, and the cause is in the server's log.
pub fn damaged(cause: impl Display) -> Refusal {
    Refusal::fault(cause)
}

/// What the client is told of a barrier's error.
pub fn barrier(cause: BarrierError) -> Refusal {
    match cause {
        BarrierError::Sealed => Refusal::sealed(),
        BarrierError::Store(cause) => store(cause),
        BarrierError::TooManyTerms => Refusal::bad_request(cause.to_string()),
        BarrierError::Busy => Refusal::new(Kind::Unavailable, cause.to_string()),
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
