//! Plays recorded exchanges (`tests/golden`) on mounts in memory.
//!
//! What only core can answer is left out: other paths of `sys/` and `auth/`, tokens without rights. The whole server is
//! played to by `tests/it`.

use std::collections::HashMap;

use serde_json::Value;
use strongroom_types::{ApiPath, Timestamp};

use super::{Answer, Mount};
use crate::Engine;

/// What was played.
#[derive(Debug, Default)]
pub struct Played {
    /// Exchanges that came out as recorded.
    pub passed: usize,
    /// Exchanges that were core's to answer.
    pub skipped: Vec<String>,
    /// What came out differently.
    pub failed: Vec<String>,
}

/// Plays the lines of `text`: mounts of `engine`'s kind are made as the lines say, and `standing` ones are there from the
/// start.
pub fn play(engine: &'static Engine, standing: &[&str], text: &str) -> Played {
    let mut played = Played::default();
    let mut mounts: HashMap<String, Mount> = HashMap::new();
    for name in standing {
        mounts.insert((*name).to_owned(), Mount::new(engine, &[]));
    }
    let mut saved: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line = saved
            .iter()
            .fold(line.to_owned(), |line, (name, value)| line.replace(&format!("{{{{{name}}}}}"), value));
        let line: Value = serde_json::from_str(&line).expect("a line of JSON");
        let id = line["id"].as_str().expect("an id").to_owned();
        let Some(answer) = answer(engine, &mut mounts, &line) else {
            played.skipped.push(id);
            continue;
        };
        for (name, path) in line["save"].as_object().into_iter().flatten() {
            let value = answer.at(path.as_str().expect("a path"));
            saved.push((name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        match compare(&line, &answer) {
            Ok(()) => played.passed += 1,
            Err(why) => played.failed.push(format!("{id}: {why}")),
        }
    }
    played
}

/// The answer to a line; none if it is core's.
fn answer(engine: &'static Engine, mounts: &mut HashMap<String, Mount>, line: &Value) -> Option<Answer> {
    let (method, path) = (line["method"].as_str()?, line["path"].as_str()?);
    if let Some(rest) = path.strip_prefix("sys/mounts/") {
        return manage(engine, mounts, method, rest, &line["body"]);
    }
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let mount = mounts.get_mut(name)?;
    match line["as"].as_str()? {
        "none" => return None,
        token if token.starts_with("s.") || token == "weak" => return None,
        token => mount.ask_as(Some(token)),
    }
    let seconds = line["wait"].as_f64().unwrap_or_default().ceil();
    mount.wait(format!("{seconds}").parse().expect("seconds"));
    let content_type = line["headers"]["Content-Type"].as_str();
    let body = match &line["body"] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    Some(mount.send(method, rest, content_type, body.as_deref()))
}

/// Makes, changes or removes a mount.
fn manage(
    engine: &'static Engine,
    mounts: &mut HashMap<String, Mount>,
    method: &str,
    path: &str,
    body: &Value,
) -> Option<Answer> {
    let options = body["options"].as_object().into_iter().flatten();
    let options: Vec<(&str, &str)> =
        options.map(|(k, v)| (k.as_str(), v.as_str().unwrap_or_default())).collect();
    match (method, path.strip_suffix("/tune")) {
        ("POST", Some(name)) => return mounts.get_mut(name).map(|mount| mount.retune(&options)),
        ("POST", None) => drop(mounts.insert(path.to_owned(), Mount::new(engine, &options))),
        ("DELETE", None) => drop(mounts.remove(path)),
        _ => {}
    }
    None
}

fn compare(line: &Value, answer: &Answer) -> Result<(), String> {
    let also = line["also"].as_array().into_iter().flatten();
    let wanted: Vec<u64> = [&line["status"]].into_iter().chain(also).filter_map(Value::as_u64).collect();
    if !wanted.contains(&u64::from(answer.status)) {
        return Err(format!("status {} instead of {wanted:?}: {}", answer.status, answer.body));
    }
    match line.get("answer") {
        Some(expected) => same("", expected, &answer.body),
        None => Ok(()),
    }
}

/// Whether `came` is what `expected` describes: each key that is written there, further keys may come.
fn same(place: &str, expected: &Value, came: &Value) -> Result<(), String> {
    let differs = || Err(format!("{place}: {came} instead of {expected}"));
    match (expected, came) {
        // Texts for people are compared by nobody: there is one, or there is none.
        (Value::Array(texts), _) if matches!(place, ".errors" | ".warnings") => {
            let count = came.as_array().map_or(0, Vec::len);
            if (count == 0) == texts.is_empty() { Ok(()) } else { differs() }
        }
        (Value::Object(keys), Value::Object(_)) => {
            keys.iter().try_for_each(|(key, value)| match came.get(key) {
                Some(came) => same(&format!("{place}.{key}"), value, came),
                None => Err(format!("{place}.{key} is missing")),
            })
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            items.iter().zip(others).try_for_each(|(item, other)| same(&format!("{place}[]"), item, other))
        }
        (Value::String(marker), _) if marker.starts_with('<') && marker.ends_with('>') => {
            if is_marked(marker, came) { Ok(()) } else { differs() }
        }
        _ if expected == came => Ok(()),
        _ => differs(),
    }
}

fn is_marked(marker: &str, came: &Value) -> bool {
    let text = came.as_str();
    match marker {
        "<any>" => true,
        "<string>" => text.is_some(),
        "<int>" => came.is_i64(),
        "<number>" => came.is_number(),
        "<bool>" => came.is_boolean(),
        "<list>" => came.is_array(),
        "<object>" => came.is_object(),
        "<time>" => text.and_then(Timestamp::parse).is_some(),
        "<uuid>" => text.is_some_and(|text| text.len() == 36 && ApiPath::parse(text).is_ok()),
        other => panic!("the marker {other} is not known here"),
    }
}
