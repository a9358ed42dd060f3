//! `sys/loggers`: how much of the daemon's own log is written. Nothing of it is stored: after a start, or when the
//! configuration is read again, its level counts.

use serde_json::json;
use strongroom_engine::{Body, Endpoint, Field, FieldSpec, Param, ParamKind, Route};
use strongroom_types::{JsonMap, Operation, Refusal, Reply};

use super::endpoint::look;
use crate::log::{self, Level, Logger};
use crate::perform::{After, Run, Scene, SystemHandler, Work};

const LEVEL: Field<String> = Field::new("level", "trace, debug, info, warn or error.").required();
const FIELDS: &[FieldSpec] = &[LEVEL.spec()];
const NAME: Param = Param { name: "name", help: "The part of the daemon.", kind: ParamKind::Exact };

/// The routes of this file.
pub const ROUTES: &[Route<Run>] = &[
    Route {
        path: "loggers",
        help: "The levels of the daemon's own log.",
        endpoints: &[
            look("Read the level of each part.", read_all),
            change(Operation::Update, "Set the level of every part.", FIELDS, set_all),
            change(Operation::Delete, "Every part back to the level of the configuration.", &[], reset_all),
        ],
        ..Route::BASE
    },
    Route {
        path: "loggers/{name}",
        params: &[NAME],
        help: "The level of one part of the daemon's own log.",
        endpoints: &[
            look("Read the level.", read),
            change(Operation::Update, "Set the level.", FIELDS, set),
            change(Operation::Delete, "Back to the level of the configuration.", &[], reset),
        ],
        ..Route::BASE
    },
];

const fn change(
    operation: Operation,
    summary: &'static str,
    fields: &'static [FieldSpec],
    run: SystemHandler,
) -> Endpoint<Run> {
    let body = if fields.is_empty() { Body::None } else { Body::Json };
    Endpoint { operation, summary, fields, body, run: Run::Free(run) }
}

/// A change of levels, made once its line is in the audit log.
pub struct Levels {
    /// Whose; `None` is everybody's.
    pub logger: Option<&'static Logger>,
    /// Which; `None` is that of the configuration.
    pub level: Option<Level>,
}

impl Levels {
    /// From now on.
    pub fn apply(&self) {
        match (self.logger, self.level) {
            (None, None) => log::reset(),
            (None, Some(level)) => log::set_all(level),
            (Some(logger), None) => logger.reset(),
            (Some(logger), Some(level)) => logger.set(level),
        }
    }
}

fn read_all(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    let levels: JsonMap =
        log::LOGGERS.iter().map(|one| (one.name.to_owned(), one.level().name().into())).collect();
    Ok(Work::reply(Reply::data(levels.into())))
}

fn read(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let one = named(scene)?;
    Ok(Work::reply(Reply::data(json!({ (one.name): one.level().name() }))))
}

fn set_all(scene: &Scene<'_>) -> Result<Work, Refusal> {
    changed(None, Some(wanted(scene)?))
}

fn reset_all(_scene: &Scene<'_>) -> Result<Work, Refusal> {
    changed(None, None)
}

fn set(scene: &Scene<'_>) -> Result<Work, Refusal> {
    changed(Some(named(scene)?), Some(wanted(scene)?))
}

fn reset(scene: &Scene<'_>) -> Result<Work, Refusal> {
    changed(Some(named(scene)?), None)
}

fn changed(logger: Option<&'static Logger>, level: Option<Level>) -> Result<Work, Refusal> {
    Ok(Work::reply(Reply::Empty).then([After::Levels(Levels { logger, level })]))
}

fn named(scene: &Scene<'_>) -> Result<&'static Logger, Refusal> {
    log::logger(scene.request.stage.call.param("name")).ok_or_else(|| {
        let names: Vec<&str> = log::LOGGERS.iter().map(|one| one.name).collect();
        Refusal::bad_request(format!("logger not found: there is {}", names.join(", ")))
    })
}

fn wanted(scene: &Scene<'_>) -> Result<Level, Refusal> {
    let level = scene.request.stage.call.get(&LEVEL).filter(|level| !level.trim().is_empty());
    let level = level.ok_or_else(|| Refusal::bad_request("level is required"))?;
    level.parse().map_err(|cause| Refusal::bad_request(format!("invalid level provided: it {cause}")))
}
