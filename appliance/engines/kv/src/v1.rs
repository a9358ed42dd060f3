//! Version 1: one JSON object at each path, replaced by each write.
//!
//! # Storage
//!
//! | name | shape | value |
//! |---|---|---|
//! | `secret`, then the path's segments | 1 | the object, as JSON |

use strongroom_engine::{
    Call, Cx, Endpoint, FieldSpec, Handler, JsonMap, Kind, Name, Outcome, Param, ParamKind, Refusal, Reply,
    Route, Table, Write, record,
};
use strongroom_types::reply::{LeaseReply, Logical};
use strongroom_types::time::whole_seconds;

/// The shape of a secret's record.
const SHAPE: u8 = 1;

const PATH: Param = Param { name: "path", help: "Where the secret is.", kind: ParamKind::Exact };

/// What a mount of version 1 answers.
pub const ROUTES: Table<Handler> = &[
    Route {
        path: "",
        help: "The mount's first level.",
        endpoints: &[
            Endpoint::list("List the names at the top.", list),
            Endpoint::scan("List the paths of all secrets.", scan),
        ],
        ..Route::BASE
    },
    Route {
        path: "{path*}",
        params: &[PATH],
        help: "A secret: any JSON object. Its key 'ttl' says how often it should be read again.",
        exists: Some(exists),
        endpoints: &[
            Endpoint::read("Read the secret.", &[], read),
            Endpoint::write("Replace the secret.", &[FieldSpec::REST], write),
            Endpoint::delete("Delete the secret.", delete),
            Endpoint::list("List the names below the path.", list),
            Endpoint::scan("List the paths of all secrets below the path.", scan),
        ],
        ..Route::BASE
    },
];

fn exists(cx: &Cx, call: &Call) -> Result<bool, Refusal> {
    cx.has(&name(call.param("path"))?)
}

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let entry = cx.get(&name(call.param("path"))?)?.ok_or_else(Refusal::not_found)?;
    let secret = decode(&entry)?;
    let duration = seconds(&secret).unwrap_or(cx.mount.default_lease_ttl);
    let lease = LeaseReply { duration, ..LeaseReply::default() };
    let logical = Logical { data: Some(secret.into()), lease: Some(lease), ..Logical::default() };
    Ok(Outcome::reply(Reply::Logical(Box::new(logical))))
}

fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    if call.fields.is_empty() {
        return Err(Refusal::bad_request("missing data fields"));
    }
    let secret = record::encode(SHAPE, &call.fields)?;
    Ok(Outcome::done(vec![record::replace(cx, call, name(call.param("path"))?, secret)?]))
}

fn delete(_: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::done(vec![Write::delete(name(call.param("path"))?)]))
}

fn list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(cx.list(&name(call.param("path"))?, call)?)))
}

fn scan(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(cx.scan(&name(call.param("path"))?, call)?)))
}

/// Where the secret at `path` is stored; for the empty path, what all secrets are below of.
pub(crate) fn name(path: &str) -> Result<Name, Refusal> {
    record::name("secret", path)
}

/// The secret in a record.
pub(crate) fn decode(entry: &strongroom_engine::Entry) -> Result<JsonMap, Refusal> {
    record::decode(SHAPE, entry)
}

/// What the secret says about itself: `ttl`, or `lease` in old ones. What is no duration is ignored.
fn seconds(secret: &JsonMap) -> Option<i64> {
    let said = secret.get("ttl").or_else(|| secret.get("lease"))?;
    let nanos = Kind::Seconds.convert(said)?.as_i64()?;
    Some(whole_seconds(nanos)).filter(|seconds| *seconds >= 0)
}
