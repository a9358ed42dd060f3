//! `data` and `subkeys`: the secrets themselves.

use serde_json::{Value, json};
use strongroom_engine::{Call, Cx, Field, FieldSpec, JsonMap, Kind, Outcome, Refusal, Reply};

use super::config::Config;
use super::key::{Found, Version, delete_version, put_version};

const VERSION: Field<i64> = Field::new("version", "Which version; 0 is the newest.");
const DEPTH: Field<i64> = Field::new("depth", "How many levels of keys; 0 is all.");
const DATA: Field<JsonMap> = Field::new("data", "The secret.");
const OPTIONS: Field<JsonMap> =
    Field::new("options", "'cas': the version that this one replaces; 0 if there must be none.");

/// The query of a read.
pub const READ: &[FieldSpec] = &[VERSION.spec()];
/// The query of a read of the keys.
pub const SUBKEYS: &[FieldSpec] = &[VERSION.spec(), DEPTH.spec()];
/// The body of a write.
pub const WRITE: &[FieldSpec] = &[DATA.required().spec(), OPTIONS.spec()];

pub(super) fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (values, metadata) = version(cx, call, "data")?;
    // Moved, not `json!`, which would copy the secret.
    let shown = [("data".to_owned(), values.into()), ("metadata".to_owned(), metadata.into())];
    Ok(Outcome::reply(Reply::data(Value::Object(shown.into_iter().collect()))))
}

pub(super) fn subkeys(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (values, metadata) = version(cx, call, "subkeys")?;
    let depth = call.get(&DEPTH).and_then(|depth| usize::try_from(depth).ok()).filter(|depth| *depth > 0);
    let subkeys = keys_only(&values, depth.unwrap_or(usize::MAX));
    Ok(Outcome::reply(Reply::data(json!({ "subkeys": subkeys, "metadata": metadata }))))
}

/// The version that `call` asks for: its values, and what is shown beside them. One that is deleted or destroyed is 404
/// with what is shown beside, and null under the key `hidden`.
fn version(cx: &Cx, call: &Call, hidden: &str) -> Result<(JsonMap, JsonMap), Refusal> {
    let found = Found::load(cx, call.param("path"))?.ok_or_else(Refusal::not_found)?;
    let asked = call.get(&VERSION).and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    let number = asked.unwrap_or(found.key.current);
    let version = found.key.versions.get(&number).ok_or_else(Refusal::not_found)?;
    let metadata = found.key.shown_version(number, version);
    if !version.is_readable(cx.now) {
        let shown = [(hidden.to_owned(), Value::Null), ("metadata".to_owned(), metadata.into())];
        return Err(Refusal::not_found().with_data(shown.into_iter().collect()));
    }
    Ok((found.values(cx, number)?, metadata))
}

/// The same keys without values, to the given depth. An object without keys, too, is a value.
fn keys_only(values: &JsonMap, depth: usize) -> JsonMap {
    let without = |value: &Value| match value {
        Value::Object(inner) if depth > 1 && !inner.is_empty() => keys_only(inner, depth - 1).into(),
        _ => Value::Null,
    };
    values.iter().map(|(key, value)| (key.clone(), without(value))).collect()
}

pub(super) fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let values = given(call)?;
    let (config, _) = Config::load(cx)?;
    let found = Found::load_or_new(cx, call.param("path"))?;
    check_cas(call, &config, &found)?;
    add_version(cx, call, &config, found, &values)
}

pub(super) fn patch(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let changes = given(call)?;
    let (config, _) = Config::load(cx)?;
    let found = Found::load(cx, call.param("path"))?.ok_or_else(Refusal::not_found)?;
    check_cas(call, &config, &found)?;
    let number = found.key.current;
    let version = found.key.versions.get(&number).ok_or_else(Refusal::not_found)?;
    if !version.is_readable(cx.now) {
        return Err(Refusal::not_found().with_data(found.key.shown_version(number, version)));
    }
    let mut values = found.values(cx, number)?;
    merge(&mut values, changes);
    add_version(cx, call, &config, found, &values)
}

fn given(call: &Call) -> Result<JsonMap, Refusal> {
    call.get(&DATA).ok_or_else(|| Refusal::bad_request("no data provided"))
}

/// Whether the version that the caller means to replace is the newest, if the caller says one or must.
fn check_cas(call: &Call, config: &Config, found: &Found<'_>) -> Result<(), Refusal> {
    let options = call.get(&OPTIONS).unwrap_or_default();
    let Some(given) = options.get("cas") else {
        let required = config.cas_required || found.key.cas_required;
        return if required { Err(Refusal::bad_request(CAS_MISSING)) } else { Ok(()) };
    };
    // A null here is a 0, not an absence: it stands inside of a value.
    let cas = if given.is_null() { Some(Value::from(0)) } else { Kind::Int.convert(given) };
    let cas = cas.ok_or_else(|| Refusal::bad_request("error parsing check-and-set parameter"))?;
    if cas.as_u64() == Some(found.key.current) { Ok(()) } else { Err(Refusal::bad_request(CAS_MISMATCH)) }
}

pub(super) const CAS_MISSING: &str = "check-and-set parameter required for this call";
pub(super) const CAS_MISMATCH: &str = "check-and-set parameter did not match the current version";

fn add_version(
    cx: &Cx,
    call: &Call,
    config: &Config,
    mut found: Found<'_>,
    values: &JsonMap,
) -> Result<Outcome, Refusal> {
    let path = call.param("path");
    let dropped = found.key.add(config, cx.now);
    let mut writes = found.save()?;
    writes.push(put_version(path, found.key.current, values)?);
    for number in dropped {
        writes.push(delete_version(path, number)?);
    }
    let shown = found
        .key
        .versions
        .get(&found.key.current)
        .map(|new: &Version| found.key.shown_version(found.key.current, new));
    Ok(Outcome::new(Reply::data(shown.unwrap_or_default().into()), writes))
}

/// A merge patch (RFC 7396).
fn merge(values: &mut JsonMap, changes: JsonMap) {
    for (key, change) in changes {
        match change {
            Value::Null => {
                values.remove(&key);
            }
            Value::Object(changes) => {
                let value = values.entry(key).or_insert(Value::Null);
                if !value.is_object() {
                    *value = Value::Object(JsonMap::new());
                }
                if let Value::Object(inner) = value {
                    merge(inner, changes);
                }
            }
            other => {
                values.insert(key, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_merged_as_rfc_7396_says() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": 1}), json!({"a": {"b": 2}}), json!({"a": {"b": 2}})),
        ] {
            let mut values = target.as_object().unwrap().clone();
            merge(&mut values, patch.as_object().unwrap().clone());
            assert_eq!(Value::from(values), result, "{target} with {patch}");
        }
    }
}
