//! What the daemon gives up before it holds a secret.

use strongroom_os::harden::{self, HardenError, Wish};

/// No core dumps, not dumpable, no new privileges, no exec; for every thread that there is and will be, for good.
pub fn enter() -> Result<(), HardenError> {
    harden::apply(&Wish::ALL)
}
