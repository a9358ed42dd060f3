//! `sys/mounts/<path>/tune`: the settings of a mount.

use serde_json::{Value, json};
use strongroom_barrier::Write;
use strongroom_engine::{Cx, Field, FieldSpec, Kind, Route};
use strongroom_types::time::{parse_duration, whole_seconds};
use strongroom_types::{JsonMap, Refusal, Reply};

use super::auth::{TOKEN, token_record};
use super::endpoint::{alone, look};
use super::mounts::{DESCRIPTION, OPTIONS, given_path, options, show_config, system_record};
use super::{PATH, at_top};
use crate::fault::{barrier, damaged};
use crate::mounts::{MountConfig, is_auth, name_of};
use crate::perform::{After, Run, Scene, Work, of_mount};
use crate::{LockoutSetting, Settings};

type Texts = Field<Vec<String>>;

const DEFAULT_TTL: Field<String> =
    Field::new("default_lease_ttl", "How long leases live; 'system' is the system's.");
const MAX_TTL: Field<String> =
    Field::new("max_lease_ttl", "How long leases live at most; 'system' is the system's.");
const NO_CACHE: Field<bool> =
    Field::new("force_no_cache", "Accepted and shown; nothing is cached per mount.");
const CLEAR_REQUEST: Texts =
    Field::new("audit_non_hmac_request_keys", "Keys of requests in clear in the audit log.");
const CLEAR_RESPONSE: Texts =
    Field::new("audit_non_hmac_response_keys", "Keys of answers in clear in the audit log.");
const VISIBILITY: Field<String> =
    Field::new("listing_visibility", "hidden, or unauth: listed for everybody.");
const PASSED_ON: Texts = Field::new("passthrough_request_headers", "Headers that requests may pass on.");
const ANSWERED: Texts = Field::new("allowed_response_headers", "Headers that answers may have.");
const VERSION: Field<String> = Field::new("plugin_version", "Refused: engines are built in.");
const MANAGED: Texts = Field::new("allowed_managed_keys", "Refused: there are no managed keys.");
const TOKEN_TYPE: Field<String> = Field::new("token_type", "Of auth methods only.");
const LOCKOUT: Field<JsonMap> = Field::new(
    "user_lockout_config",
    "lockout_threshold, lockout_duration, lockout_counter_reset, lockout_disable; of auth methods only.",
);

pub(super) const TUNABLE: &[FieldSpec] = &[
    DESCRIPTION.spec(),
    OPTIONS.spec(),
    DEFAULT_TTL.spec(),
    MAX_TTL.spec(),
    NO_CACHE.spec(),
    CLEAR_REQUEST.spec(),
    CLEAR_RESPONSE.spec(),
    VISIBILITY.spec(),
    PASSED_ON.spec(),
    ANSWERED.spec(),
    VERSION.spec(),
    MANAGED.spec(),
    TOKEN_TYPE.spec(),
    LOCKOUT.spec(),
];

/// The routes of this file; before those of the mounts.
pub const ROUTES: &[Route<Run>] = &[Route {
    path: "mounts/{path*}/tune",
    params: &[PATH],
    help: "The settings of a mount.",
    endpoints: &[look("Read the settings.", read_tune), alone("Change the settings.", TUNABLE, tune)],
    ..Route::BASE
}];

fn read_tune(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    check_auth(scene, &path)?;
    read_tune_of(scene, &path)
}

fn tune(scene: &Scene<'_>) -> Result<Work, Refusal> {
    let path = given_path(scene)?;
    check_auth(scene, &path)?;
    tune_of(scene, &path)
}

/// Auth methods can be tuned by this path as well as by `sys/auth`, which asks for sudo: so does this one then.
fn check_auth(scene: &Scene<'_>, path: &str) -> Result<(), Refusal> {
    if is_auth(path) && !scene.request.stage.has_sudo(scene.now) { Err(Refusal::denied()) } else { Ok(()) }
}

/// The settings of the mount at `path`.
pub(super) fn read_tune_of(scene: &Scene<'_>, path: &str) -> Result<Work, Refusal> {
    let mounts = scene.active.mounts.load();
    let record = match mounts.at(path) {
        Some(mount) => mount.record.clone(),
        None if path == "sys/" => system_record(),
        None if path == TOKEN => token_record(),
        None => return Err(Refusal::bad_request(format!("no handler for route \"{path}\""))),
    };
    let mut shown = show_config(&record.config);
    let settings = &scene.active.settings;
    let or = |own: i64, system: i64| if own == 0 { system } else { own };
    shown.insert(
        "default_lease_ttl".into(),
        or(record.config.default_lease_ttl, settings.default_lease_ttl).into(),
    );
    shown.insert("max_lease_ttl".into(), or(record.config.max_lease_ttl, settings.max_lease_ttl).into());
    shown.insert("description".into(), record.description.into());
    if !record.options.is_empty() {
        shown.insert("options".into(), json!(record.options));
    }
    Ok(Work::reply(at_top(Value::from(shown))))
}

/// Changes the settings of the mount at `path`.
pub(super) fn tune_of(scene: &Scene<'_>, path: &str) -> Result<Work, Refusal> {
    let call = &scene.request.stage.call;
    let active = scene.active;
    let mounts = active.mounts.load();
    if path == TOKEN {
        return Err(Refusal::bad_request(
            "tokens are not tuned: default_lease_ttl and max_lease_ttl of the server's configuration count for them, \
             and for each role what it says",
        ));
    }
    let mount = mounts.at(path).ok_or_else(|| Refusal::bad_request(format!("no mount at {path}")))?;
    let mut record = mount.record.clone();
    if let Some(description) = call.get(&DESCRIPTION) {
        record.description = description;
    }
    configure(&mut record.config, path, &call.fields, &active.settings)?;
    let can_be_guessed = mount.method.is_some_and(|method| method.knock.is_some());
    if record.config.user_lockout.is_some() && !can_be_guessed {
        return Err(Refusal::bad_request("nobody is locked out of this type of auth method"));
    }
    let mut work = Work::reply(Reply::Empty).then([After::Mount(record.id)]);
    if let Some(changed) = call.get(&OPTIONS) {
        record.options.extend(options(Some(changed))?);
        if record.options != mount.record.options {
            // Asked before the engine's own check, which does not know where the options come from.
            if let Some(retune) = mount.engine.retune {
                let cx: Cx = crate::perform::cx(active, mount, None, scene.snapshot.clone());
                let outcome = retune(&cx, &mount.record.options, &record.options)?;
                let own = of_mount(&mount.view, outcome);
                work.reply = own.reply;
                work.writes = own.writes;
            }
            (mount.engine.routes)(&record.options)?;
        }
    }
    let body = serde_json::to_vec(&record).map_err(damaged)?;
    let name = name_of(record.id)?;
    let seen = active.system.at(scene.snapshot.clone()).get(&name).map_err(barrier)?;
    work.writes.push((active.system.clone(), Write::put(name, body).if_unchanged(seen.as_ref())));
    Ok(work)
}

/// Takes over the settings that `given` names: the fields of a tune, or the `config` of a new mount.
pub(super) fn configure(
    config: &mut MountConfig,
    path: &str,
    given: &JsonMap,
    settings: &Settings,
) -> Result<(), Refusal> {
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "default_lease_ttl" => config.default_lease_ttl = seconds(key, value)?,
            "max_lease_ttl" => config.max_lease_ttl = seconds(key, value)?,
            "force_no_cache" => config.force_no_cache = truth(key, value)?,
            "audit_non_hmac_request_keys" => config.audit_non_hmac_request_keys = texts(key, value)?,
            "audit_non_hmac_response_keys" => config.audit_non_hmac_response_keys = texts(key, value)?,
            "passthrough_request_headers" => config.passthrough_request_headers = texts(key, value)?,
            "allowed_response_headers" => config.allowed_response_headers = texts(key, value)?,
            "listing_visibility" => match value.as_str() {
                Some(text @ ("" | "hidden" | "unauth")) => text.clone_into(&mut config.listing_visibility),
                _ => return Err(Refusal::bad_request("invalid value for 'listing_visibility'")),
            },
            "plugin_version" if !is_empty(value) => {
                return Err(Refusal::bad_request("'plugin_version' cannot be chosen: engines are built in"));
            }
            "allowed_managed_keys" if !is_empty(value) => {
                return Err(Refusal::bad_request("'allowed_managed_keys' is not available: there are none"));
            }
            "token_type" if is_auth(path) => match value.as_str() {
                Some(text @ ("service" | "batch" | "default-service" | "default-batch")) => {
                    text.clone_into(&mut config.token_type);
                }
                Some("") => "default-service".clone_into(&mut config.token_type),
                _ => return Err(Refusal::bad_request("invalid value for 'token_type'")),
            },
            "token_type" if !is_empty(value) => {
                return Err(Refusal::bad_request("'token_type' can only be set on auth methods"));
            }
            "user_lockout_config" if !is_empty(value) => match value.as_object() {
                Some(given) if is_auth(path) => lockout(config.user_lockout.get_or_insert_default(), given)?,
                _ => {
                    return Err(Refusal::bad_request(
                        "'user_lockout_config' can only be set on auth methods",
                    ));
                }
            },
            _ => {}
        }
    }
    let most = if config.max_lease_ttl == 0 { settings.max_lease_ttl } else { config.max_lease_ttl };
    if config.default_lease_ttl > most {
        return Err(Refusal::bad_request("given default lease TTL greater than given max lease TTL"));
    }
    Ok(())
}

/// Takes over what `given` names. A name that is not known would be believed to have been set.
fn lockout(setting: &mut LockoutSetting, given: &JsonMap) -> Result<(), Refusal> {
    for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "lockout_threshold" => {
                let count = Kind::Int.convert(value).and_then(|value| value.as_u64());
                setting.threshold =
                    count.ok_or_else(|| Refusal::bad_request("'lockout_threshold' must be a number"))?;
            }
            "lockout_duration" => setting.duration = seconds(key, value)?,
            "lockout_counter_reset" | "lockout_counter_reset_duration" => {
                setting.counter_reset = seconds(key, value)?;
            }
            "lockout_disable" => setting.disable = Some(truth(key, value)?),
            _ => return Err(Refusal::bad_request("'user_lockout_config' holds a name that is not known")),
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// `"system"` and an empty text are the system's own value, 0.
fn seconds(key: &str, value: &Value) -> Result<i64, Refusal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.is_empty() || text == "system" {
        return Ok(0);
    }
    parse_duration(&text)
        .map(whole_seconds)
        .filter(|secs| *secs >= 0)
        .ok_or_else(|| Refusal::bad_request(format!("invalid duration for '{key}'")))
}

fn truth(key: &str, value: &Value) -> Result<bool, Refusal> {
    let truth = Kind::Bool.convert(value).and_then(|value| value.as_bool());
    truth.ok_or_else(|| Refusal::bad_request(format!("'{key}' must be true or false")))
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, Refusal> {
    let list = Kind::TextList.convert(value).map(|list| {
        list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    });
    list.ok_or_else(|| Refusal::bad_request(format!("'{key}' must be a list of strings")))
}
