//! The request pipeline and the system's own state.

use std::sync::Arc;

use strongroom_types::{Received, Refusal, Reply, Request};

/// The appliance behind the listeners.
pub struct Core {}

impl Core {
    /// Answers one request. `http` renders what comes back.
    pub async fn handle(self: &Arc<Self>, _request: Request<Received>) -> Result<Reply, Refusal> {
        Err(Refusal::internal())
    }
}
