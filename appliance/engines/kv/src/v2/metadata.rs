//! `metadata`: what is known of a secret beside its values.

use std::collections::BTreeMap;

use serde_json::Value;
use strongroom_engine::{Call, Cx, Field, FieldSpec, JsonMap, Kind, Outcome, Refusal, Reply, Seconds};

use super::config::{
    CAS_REQUIRED, Config, DELETE_VERSION_AFTER, MAX_VERSIONS, METADATA_CAS_REQUIRED, max_versions,
};
use super::data::{CAS_MISMATCH, CAS_MISSING};
use super::key::{Found, Key};

const CUSTOM_METADATA: Field<JsonMap> =
    Field::new("custom_metadata", "Anything that people want to say of it.");
const METADATA_CAS: Field<i64> =
    Field::new("metadata_cas", "The 'current_metadata_version' that this change replaces.");

/// The body of a write and of a patch.
pub const FIELDS: &[FieldSpec] = &[
    MAX_VERSIONS.spec(),
    CAS_REQUIRED.spec(),
    DELETE_VERSION_AFTER.spec(),
    CUSTOM_METADATA.spec(),
    METADATA_CAS.spec(),
    METADATA_CAS_REQUIRED.spec(),
];

/// Most keys of custom metadata.
const MAX_KEYS: usize = 64;
/// Longest key, in bytes.
const MAX_KEY: usize = 128;
/// Longest value, in bytes.
const MAX_VALUE: usize = 512;

pub(super) fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let found = Found::load(cx, call.param("path"))?.ok_or_else(Refusal::not_found)?;
    Ok(Outcome::reply(Reply::data(found.key.shown())))
}

/// A setting that is null is taken back, one that is not given stays.
pub(super) fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let found = Found::load_or_new(cx, call.param("path"))?;
    let custom = call.setting(&CUSTOM_METADATA).map(|given| {
        let pairs = given.into_iter().map(|(key, value)| Ok((key, text(&value)?)));
        pairs.collect::<Result<_, Refusal>>()
    });
    let wish = Change::given(call, custom.transpose()?)?;
    change(cx, call, found, wish)
}

/// As a write, but custom metadata is merged.
pub(super) fn patch(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let found = Found::load(cx, call.param("path"))?.ok_or_else(Refusal::not_found)?;
    let custom = match call.get(&CUSTOM_METADATA) {
        Some(given) => Some(merged(found.key.custom.clone(), given)?),
        None => call.setting(&CUSTOM_METADATA).map(|_| BTreeMap::new()),
    };
    let wish = Change::given(call, custom)?;
    change(cx, call, found, wish)
}

pub(super) fn delete(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let found = Found::load_or_new(cx, call.param("path"))?;
    Ok(Outcome::done(found.purge()?))
}

/// What a request wants to be different.
#[derive(Default, PartialEq, Eq)]
struct Change {
    max_versions: Option<u64>,
    cas_required: Option<bool>,
    metadata_cas_required: Option<bool>,
    delete_after: Option<i64>,
    custom: Option<BTreeMap<String, String>>,
}

impl Change {
    fn given(call: &Call, custom: Option<BTreeMap<String, String>>) -> Result<Self, Refusal> {
        let delete_after = call.setting(&DELETE_VERSION_AFTER).map(Seconds::secs);
        if delete_after.is_some_and(|seconds| seconds < 0) {
            return Err(Refusal::bad_request("delete_version_after cannot be negative"));
        }
        if let Some(custom) = &custom {
            check_custom(custom)?;
        }
        Ok(Self {
            max_versions: max_versions(call)?,
            cas_required: call.setting(&CAS_REQUIRED),
            metadata_cas_required: call.setting(&METADATA_CAS_REQUIRED),
            delete_after,
            custom,
        })
    }

    fn apply(self, key: &mut Key) {
        key.max_versions = self.max_versions.unwrap_or(key.max_versions);
        key.cas_required = self.cas_required.unwrap_or(key.cas_required);
        key.metadata_cas_required = self.metadata_cas_required.unwrap_or(key.metadata_cas_required);
        key.delete_after = self.delete_after.unwrap_or(key.delete_after);
        if let Some(custom) = self.custom {
            key.custom = custom;
        }
    }
}

/// Makes the change; one that says nothing makes no record.
fn change(cx: &Cx, call: &Call, mut found: Found<'_>, wish: Change) -> Result<Outcome, Refusal> {
    if wish == Change::default() {
        return Ok(Outcome::done(Vec::new()));
    }
    let (config, _) = Config::load(cx)?;
    check_cas(call, &config, &found.key)?;
    let overruled = [
        ("cas_required", wish.cas_required == Some(false) && config.cas_required),
        ("metadata_cas_required", wish.metadata_cas_required == Some(false) && config.metadata_cas_required),
    ];
    wish.apply(&mut found.key);
    found.key.metadata_version += 1;
    found.key.updated = cx.now;
    let mut outcome = Outcome::done(found.save()?);
    for (name, _) in overruled.into_iter().filter(|(_, is)| *is) {
        let text = format!(
            "\"{name}\" set to false, but is mandated by backend config. This value will be ignored."
        );
        outcome.reply = outcome.reply.with_warning(text);
    }
    Ok(outcome)
}

fn check_cas(call: &Call, config: &Config, key: &Key) -> Result<(), Refusal> {
    match call.get(&METADATA_CAS) {
        Some(cas) if u64::try_from(cas) == Ok(key.metadata_version) => Ok(()),
        Some(_) => Err(Refusal::bad_request(CAS_MISMATCH)),
        None if config.metadata_cas_required || key.metadata_cas_required => {
            Err(Refusal::bad_request(CAS_MISSING))
        }
        None => Ok(()),
    }
}

fn merged(
    mut custom: BTreeMap<String, String>,
    changes: JsonMap,
) -> Result<BTreeMap<String, String>, Refusal> {
    for (key, change) in changes {
        if change.is_null() {
            custom.remove(&key);
        } else {
            custom.insert(key, text(&change)?);
        }
    }
    Ok(custom)
}

fn text(value: &Value) -> Result<String, Refusal> {
    let converted = Kind::Text.convert(value);
    let text = converted.as_ref().and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| invalid("a value is no text"))
}

fn check_custom(custom: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if custom.len() > MAX_KEYS {
        return Err(invalid(&format!(
            "payload must contain at most {MAX_KEYS} keys, provided {}",
            custom.len()
        )));
    }
    for (key, value) in custom {
        let (key_is, value_is) = (key.len(), value.len());
        if !(1..=MAX_KEY).contains(&key_is) {
            return Err(invalid(&format!(
                "length of a key is {key_is} but must be 0 < len(key) <= {MAX_KEY}"
            )));
        }
        if !(1..=MAX_VALUE).contains(&value_is) {
            return Err(invalid(&format!(
                "length of a value is {value_is} but must be 0 < len(value) <= {MAX_VALUE}"
            )));
        }
        if key.chars().chain(value.chars()).any(char::is_control) {
            return Err(invalid("a key or a value contains unprintable characters"));
        }
    }
    Ok(())
}

fn invalid(why: &str) -> Refusal {
    Refusal::bad_request(format!("1 error occurred:\n\t* custom_metadata validation failed: {why}\n\n"))
}
