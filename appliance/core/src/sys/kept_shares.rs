//! `sys/rekey/backup`, `sys/rekey/recovery-key-backup` and their newer names `sys/rotate/*/backup`: new shares, encrypted for their
//! owners' OpenPGP keys, that a rekey was to keep.

use strongroom_engine::{Body, Endpoint, Route};
use strongroom_types::{Operation, Refusal, Reply};

use super::at_top;
use crate::ceremony::Whose;
use crate::ceremony::pgp::Kept;
use crate::perform::{Run, Scene, SystemHandler, Work};

/// The routes of this file. The older ones show what they have at the top, too.
pub const ROUTES: &[Route<Run>] = &[
    Route { path: "rekey/backup", endpoints: &[read(|scene| older(scene, Whose::Unseal)), UNSEAL], ..KEPT },
    Route {
        path: "rekey/recovery-key-backup",
        endpoints: &[read(|scene| older(scene, Whose::Recovery)), RECOVERY],
        ..KEPT
    },
    Route {
        path: "rotate/root/backup",
        endpoints: &[read(|scene| newer(scene, Whose::Unseal)), UNSEAL],
        ..KEPT
    },
    Route {
        path: "rotate/recovery/backup",
        endpoints: &[read(|scene| newer(scene, Whose::Recovery)), RECOVERY],
        ..KEPT
    },
];

const KEPT: Route<Run> = Route {
    help: "New shares, encrypted for OpenPGP keys, that were to be kept.",
    sudo: true,
    ..Route::BASE
};

const UNSEAL: Endpoint<Run> = delete(|scene| forget(scene, Whose::Unseal));
const RECOVERY: Endpoint<Run> = delete(|scene| forget(scene, Whose::Recovery));

const fn read(run: SystemHandler) -> Endpoint<Run> {
    let (operation, run) = (Operation::Read, Run::Free(run));
    Endpoint { operation, summary: "Read what is kept.", fields: &[], body: Body::None, run }
}

const fn delete(run: SystemHandler) -> Endpoint<Run> {
    let (operation, run) = (Operation::Delete, Run::Alone(run));
    Endpoint { operation, summary: "Forget what is kept.", fields: &[], body: Body::None, run }
}

fn older(scene: &Scene<'_>, whose: Whose) -> Result<Work, Refusal> {
    Ok(Work::reply(at_top(shown(scene, whose)?)))
}

fn newer(scene: &Scene<'_>, whose: Whose) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::data(shown(scene, whose)?)))
}

fn shown(scene: &Scene<'_>, whose: Whose) -> Result<serde_json::Value, Refusal> {
    let kept = Kept::load(scene, whose)?;
    kept.ok_or_else(|| Refusal::bad_request("no backed-up keys found"))?.shown()
}

fn forget(scene: &Scene<'_>, whose: Whose) -> Result<Work, Refusal> {
    Ok(Work::done(vec![(scene.active.system.clone(), Kept::remove(whose)?)]))
}
