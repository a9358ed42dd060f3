//! The names of the secrets, with or without what is known of each.

use serde_json::json;
use strongroom_engine::{Call, Cx, JsonMap, Name, Outcome, Refusal, Reply};

use super::config::Config;
use super::key::{self, Found};
use crate::v1;

/// [`Cx::list`] or [`Cx::scan`].
type Names = fn(&Cx, &Name, &Call) -> Result<Vec<String>, Refusal>;

pub(super) fn list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(names(cx, call, Cx::list)?)))
}

pub(super) fn scan(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(names(cx, call, Cx::scan)?)))
}

pub(super) fn detailed_list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    detailed(cx, call, Cx::list)
}

pub(super) fn detailed_scan(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    detailed(cx, call, Cx::scan)
}

/// The names below the path that `call` gives: those of keys and, where the mount was version 1, of secrets that have
/// not become keys yet.
fn names(cx: &Cx, call: &Call, names: Names) -> Result<Vec<String>, Refusal> {
    let path = call.param("path");
    let mut all = names(cx, &key::name(path)?, call)?;
    let (config, _) = Config::load(cx)?;
    if config.upgraded.is_some() {
        // Each list is in order and as long as asked for, so that what both begin with is complete.
        all.extend(names(cx, &v1::name(path)?, call)?);
        all.sort_unstable();
        all.dedup();
        all.truncate(call.limit.unwrap_or(usize::MAX));
    }
    Ok(all)
}

fn detailed(cx: &Cx, call: &Call, wanted: Names) -> Result<Outcome, Refusal> {
    let names = names(cx, call, wanted)?;
    if names.is_empty() {
        return Ok(Outcome::reply(Reply::keys(names)));
    }
    let mut known = JsonMap::new();
    for name in names.iter().filter(|name| !name.ends_with('/')) {
        let path = match call.param("path") {
            "" => name.clone(),
            parent => format!("{parent}/{name}"),
        };
        if let Some(found) = Found::load(cx, &path)? {
            known.insert(name.clone(), found.key.shown());
        }
    }
    Ok(Outcome::reply(Reply::data(json!({ "keys": names, "key_info": known }))))
}
