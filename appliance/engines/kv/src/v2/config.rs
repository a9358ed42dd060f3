//! `config`: what holds for all secrets of the mount.

use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_engine::{
    Call, Cx, Entry, Field, FieldSpec, Name, Outcome, Refusal, Reply, Seconds, Write, record,
};
use strongroom_types::Timestamp;
use strongroom_types::time::format_duration;

use super::SHAPE;

pub(super) const MAX_VERSIONS: Field<i64> =
    Field::new("max_versions", "How many versions are kept; 0 is the mount's number, there 10.");
pub(super) const CAS_REQUIRED: Field<bool> =
    Field::new("cas_required", "Whether each write must name the version that it replaces.");
pub(super) const METADATA_CAS_REQUIRED: Field<bool> = Field::new(
    "metadata_cas_required",
    "Whether each change of metadata must name the one that it replaces.",
);
pub(super) const DELETE_VERSION_AFTER: Field<Seconds> = Field::new(
    "delete_version_after",
    "How long a version lives before it counts as deleted; 0 is for ever. Negative, on the mount: no secret's counts.",
);

/// The fields of the configuration.
pub const FIELDS: &[FieldSpec] =
    &[MAX_VERSIONS.spec(), CAS_REQUIRED.spec(), METADATA_CAS_REQUIRED.spec(), DELETE_VERSION_AFTER.spec()];

/// Versions that are kept where nobody says a number.
const DEFAULT_MAX_VERSIONS: u64 = 10;

/// The record `config`. A mount without one has the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How many versions are kept; 0 is [`DEFAULT_MAX_VERSIONS`].
    pub max_versions: u64,
    /// Whether a write must name the version that it replaces.
    pub cas_required: bool,
    /// Whether a change of metadata must name the one that it replaces.
    pub metadata_cas_required: bool,
    /// Seconds a version lives; 0 is for ever, -1 also for secrets that say otherwise.
    pub delete_after: i64,
    /// When the mount became version 2; none if it always was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgraded: Option<Timestamp>,
}

impl Config {
    /// The mount's configuration, and its record for a later write.
    pub fn load(cx: &Cx) -> Result<(Self, Option<Entry>), Refusal> {
        let entry = cx.get(&name()?)?;
        let config = entry.as_ref().map(|entry| record::decode(SHAPE, entry)).transpose()?;
        Ok((config.unwrap_or_default(), entry))
    }

    /// How many versions of a secret are kept that wishes `own` many: the larger of the two numbers.
    pub fn kept(&self, own: u64) -> u64 {
        match own.max(self.max_versions) {
            0 => DEFAULT_MAX_VERSIONS,
            number => number,
        }
    }

    /// When a version made `now` counts as deleted, of a secret that wishes `own` seconds: the sooner of the two.
    pub fn deletion_time(&self, own: i64, now: Timestamp) -> Option<Timestamp> {
        let seconds = match (self.delete_after, own) {
            (..0, _) | (0, 0) => return None,
            (0, only) | (only, 0) => only,
            (mount, own) => mount.min(own),
        };
        Some(now.plus_secs(seconds))
    }
}

/// Where the configuration is stored.
pub(super) fn name() -> Result<Name, Refusal> {
    record::name("config", "")
}

pub(super) fn read(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let (config, _) = Config::load(cx)?;
    Ok(Outcome::reply(Reply::data(json!({
        "cas_required": config.cas_required,
        "delete_version_after": shown_seconds(config.delete_after),
        "max_versions": config.max_versions,
        "metadata_cas_required": config.metadata_cas_required,
    }))))
}

pub(super) fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (mut config, seen) = Config::load(cx)?;
    let before = config.clone();
    if let Some(number) = max_versions(call)? {
        config.max_versions = number;
    }
    if let Some(required) = call.setting(&CAS_REQUIRED) {
        config.cas_required = required;
    }
    if let Some(required) = call.setting(&METADATA_CAS_REQUIRED) {
        config.metadata_cas_required = required;
    }
    if let Some(after) = call.setting(&DELETE_VERSION_AFTER) {
        config.delete_after = after.secs().max(-1);
    }
    if config == before {
        return Ok(Outcome::done(Vec::new()));
    }
    let write = Write::put(name()?, record::encode(SHAPE, &config)?).if_unchanged(seen.as_ref());
    Ok(Outcome::done(vec![write]))
}

/// `max_versions`, if it is given.
pub(super) fn max_versions(call: &Call) -> Result<Option<u64>, Refusal> {
    let given = call.setting(&MAX_VERSIONS).map(u32::try_from).transpose();
    let number = given.map_err(|_| Refusal::bad_request("max_versions must be between 0 and 4294967295"))?;
    Ok(number.map(u64::from))
}

/// `3h25m19s`.
pub(super) fn shown_seconds(seconds: i64) -> String {
    format_duration(seconds.saturating_mul(1_000_000_000))
}
