//! The key-value engine: secrets that are JSON objects, at paths that look like files.
//!
//! | module | holds |
//! |---|---|
//! | [`v1`] | version 1: a write replaces the secret. The worked example of "How to add an engine" |
//! | [`v2`] | version 2: a write adds a version; deleted ones can be brought back |
//!
//! The mount's option `version` chooses: `1` (also without the option) or `2`.

pub mod v1;
pub mod v2;

use strongroom_engine::{Cx, Engine, Handler, MountOptions, Outcome, Refusal, Table};

/// The engine, for the registry.
pub static ENGINE: Engine = Engine {
    kind: "kv",
    help: "Keeps secrets as JSON objects at paths; in version 2 with all their versions.",
    routes,
    retune: Some(retune),
    ..Engine::BASE
};

fn routes(options: &MountOptions) -> Result<Table<Handler>, Refusal> {
    Ok(if version(options)? == 2 { v2::ROUTES } else { v1::ROUTES })
}

/// What a change of the options needs to be written: from 1 to 2 the time, and there is no way back.
fn retune(cx: &Cx, old: &MountOptions, new: &MountOptions) -> Result<Outcome, Refusal> {
    match (version(old)?, version(new)?) {
        (1, 2) => v2::upgrade(cx),
        (2, 1) => Err(Refusal::bad_request("cannot downgrade mount from version 2")),
        _ => Ok(Outcome::done(Vec::new())),
    }
}

fn version(options: &MountOptions) -> Result<u8, Refusal> {
    match options.get("version").map(String::as_str) {
        None | Some("" | "1") => Ok(1),
        Some("2") => Ok(2),
        Some(_) => Err(Refusal::bad_request("the option 'version' of a kv mount is 1 or 2")),
    }
}
