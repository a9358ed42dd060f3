//! Is there anyone to ask? Initialised, unsealed, active.

use std::sync::Arc;

use strongroom_types::{Received, Refusal, Request};

use crate::active::Active;
use crate::lifecycle::State;
use crate::{Core, always};

/// Where a request goes on.
pub enum Admitted {
    /// One of the few paths that are answered in every state.
    Always(Request<Received>),
    /// Everything else, once unsealed.
    Active(Arc<Active>, Request<Received>),
}

/// Refuses what has to wait until the appliance is initialised and unsealed. The body is not read. Vault's clients
/// know one text for both.
pub fn admit(core: &Core, request: Request<Received>) -> Result<Admitted, Refusal> {
    if always::serves(request.head.path.as_str()) {
        return Ok(Admitted::Always(request));
    }
    match &**core.state.load() {
        State::Active(active) => Ok(Admitted::Active(active.clone(), request)),
        State::Sealed(_) | State::Uninitialised => Err(Refusal::sealed()),
    }
}
