//! `sys/auth`: the auth methods. Tokens are the one that is always there.

use serde_json::{Value, json};
use strongroom_engine::{Body, Endpoint, Route};
use strongroom_types::{Operation, Refusal};

use super::at_top;
use crate::active::TOKENS;
use crate::perform::{Run, Scene, Work};

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "auth",
    help: "All auth methods.",
    endpoints: &[Endpoint {
        operation: Operation::Read,
        summary: "List the auth methods.",
        fields: &[],
        body: Body::None,
        run: Run::Free(list),
    }],
    ..Route::BASE
}];

fn list(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    Ok(Work::reply(at_top(all())))
}

/// Every auth method, by path.
pub(super) fn all() -> Value {
    json!({ "token/": {
        "accessor": "auth_token_strongroom",
        "config": {
            "default_lease_ttl": 0,
            "force_no_cache": false,
            "max_lease_ttl": 0,
            "token_type": "default-service",
        },
        "description": "token based credentials",
        "external_entropy_access": false,
        "local": false,
        "options": null,
        "plugin_version": "",
        "running_plugin_version": crate::engine_version(),
        "running_sha256": "",
        "seal_wrap": false,
        "type": "token",
        "uuid": TOKENS,
    }})
}
