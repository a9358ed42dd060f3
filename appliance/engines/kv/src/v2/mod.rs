//! Version 2: each write adds a version; a version can be deleted, brought back, and destroyed.
//!
//! | module | serves |
//! |---|---|
//! | [`config`] | `config`: what holds for all secrets of the mount |
//! | [`data`] | `data/…`, `subkeys/…`: the secrets themselves |
//! | [`versions`] | `delete/…`, `undelete/…`, `destroy/…` |
//! | [`metadata`] | `metadata/…`: what is known of a secret and its versions |
//! | [`lists`] | the names, with or without what is known of each |
//! | [`key`] | the record that all of them read and change |
//!
//! # Storage
//!
//! Each record is one byte, 1, and then JSON.
//!
//! | name | value |
//! |---|---|
//! | `config` | the mount's configuration ([`config::Config`]) |
//! | `key`, then the path's segments | the secret's settings and its versions' times ([`key::Key`]) |
//! | `version`, then the path's segments, then the number | the secret's object, as it was written |
//!
//! So reading a secret is two gets (`key`, then `version`), a write rewrites only the small record of the key and
//! adds one, and no version's record is ever rewritten. The record of the key changes with each change of anything
//! below its path, and each change expects it as it was read: two writers of one secret never both win.
//!
//! # A mount that was version 1
//!
//! An upgrade writes nothing but its time into `config`, however many secrets there are. A secret that has no `key`
//! record is looked for where version 1 keeps it ([`crate::v1`]), and counts as version 1 of itself, made at the
//! time of the upgrade. The first change to it moves it.

pub mod config;
pub mod data;
pub mod key;
pub mod lists;
pub mod metadata;
pub mod versions;

use strongroom_engine::{
    Call, Cx, Endpoint, Handler, Operation, Outcome, Param, ParamKind, Refusal, Reply, Route, Table, Write,
    record,
};
use strongroom_types::reply::Logical;

/// The shape of all records.
const SHAPE: u8 = 1;

const PATH: Param = Param { name: "path", help: "Where the secret is.", kind: ParamKind::Exact };

/// What a mount of version 2 answers.
pub const ROUTES: Table<Handler> = &[
    Route {
        path: "config",
        help: "What holds for all secrets of this mount, unless their metadata says otherwise.",
        endpoints: &[
            Endpoint::read("Read the configuration.", &[], config::read),
            Endpoint::write(
                "Change the configuration; what is not given stays, null takes back.",
                config::FIELDS,
                config::write,
            ),
        ],
        ..Route::BASE
    },
    Route {
        path: "data/{path*}",
        params: &[PATH],
        help: "A secret: any JSON object, in versions.",
        exists: Some(key::exists),
        endpoints: &[
            Endpoint::read("Read the newest version, or the one asked for.", data::READ, data::read),
            Endpoint::write("Write a new version.", data::WRITE, data::write),
            Endpoint::patch(
                "Write a new version by changing some keys of the newest.",
                data::WRITE,
                data::patch,
            ),
            Endpoint::delete("Delete the newest version; it can be brought back.", versions::delete_newest),
        ],
        ..Route::BASE
    },
    Route {
        path: "subkeys/{path*}",
        params: &[PATH],
        help: "The keys of a secret without their values.",
        endpoints: &[Endpoint::read("Read the keys.", data::SUBKEYS, data::subkeys)],
        ..Route::BASE
    },
    Route {
        path: "delete/{path*}",
        params: &[PATH],
        help: "Deletes versions of a secret; they can be brought back.",
        endpoints: &[Endpoint::write("Delete versions.", versions::FIELDS, versions::delete)],
        ..Route::BASE
    },
    Route {
        path: "undelete/{path*}",
        params: &[PATH],
        help: "Brings deleted versions of a secret back.",
        endpoints: &[Endpoint::write("Bring versions back.", versions::FIELDS, versions::undelete)],
        ..Route::BASE
    },
    Route {
        path: "destroy/{path*}",
        params: &[PATH],
        help: "Destroys versions of a secret for good.",
        endpoints: &[Endpoint::write("Destroy versions.", versions::FIELDS, versions::destroy)],
        ..Route::BASE
    },
    Route {
        path: "metadata",
        help: "The names of the secrets.",
        endpoints: &[
            Endpoint::list("List the names at the top.", lists::list),
            Endpoint::scan("List the paths of all secrets.", lists::scan),
        ],
        ..Route::BASE
    },
    Route {
        path: "metadata/{path*}",
        params: &[PATH],
        help: "What is known of a secret beside its values: settings, versions, custom metadata.",
        exists: Some(key::exists),
        endpoints: &[
            Endpoint::read("Read the metadata.", &[], metadata::read),
            Endpoint::write(
                "Set metadata; what is not given stays, null takes back.",
                metadata::FIELDS,
                metadata::write,
            ),
            Endpoint::patch("Set metadata, merging what is custom.", metadata::FIELDS, metadata::patch),
            Endpoint::delete("Delete the secret with all its versions for good.", metadata::delete),
            Endpoint::list("List the names below the path.", lists::list),
            Endpoint::scan("List the paths of all secrets below the path.", lists::scan),
        ],
        ..Route::BASE
    },
    Route {
        path: "detailed-metadata",
        help: "The names of the secrets, and what is known of each.",
        endpoints: &[
            Endpoint::list("List the names at the top.", lists::detailed_list),
            Endpoint::scan("List the paths of all secrets.", lists::detailed_scan),
        ],
        ..Route::BASE
    },
    Route {
        path: "detailed-metadata/{path*}",
        params: &[PATH],
        help: "The names of the secrets below a path, and what is known of each.",
        endpoints: &[
            Endpoint::list("List the names below the path.", lists::detailed_list),
            Endpoint::scan("List the paths of all secrets below the path.", lists::detailed_scan),
        ],
        ..Route::BASE
    },
    Route {
        path: "{path*}",
        params: &[PATH],
        help: "Nothing: clients that take this mount for version 1 are told what to do.",
        endpoints: &[
            Endpoint::read("Explain.", &[], astray),
            Endpoint::write("Explain.", &[strongroom_engine::FieldSpec::REST], astray),
            Endpoint::delete("Explain.", astray),
            Endpoint::list("Explain.", astray),
        ],
        ..Route::BASE
    },
];

/// Makes a mount of version 1 one of version 2.
pub(crate) fn upgrade(cx: &Cx) -> Result<Outcome, Refusal> {
    let (mut config, seen) = config::Config::load(cx)?;
    config.upgraded = Some(cx.now);
    let write = Write::put(config::name()?, record::encode(SHAPE, &config)?).if_unchanged(seen.as_ref());
    let reply = Reply::Empty.with_warning("Each secret of this mount is now the first version of itself.");
    Ok(Outcome::new(reply, vec![write]))
}

/// 404 with a text that names the command for people; the usual way to get here is a version 1 path.
fn astray(_: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let command = match call.operation {
        Operation::Create | Operation::Update => "put",
        Operation::Delete => "delete",
        Operation::List => "list",
        _ => "get",
    };
    let text = format!(
        "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. \
         If using the Vault CLI, use 'vault kv {command}' for this operation."
    );
    let logical = Logical { status: Some(404), warnings: vec![text], ..Logical::default() };
    Ok(Outcome::reply(Reply::Logical(Box::new(logical))))
}
