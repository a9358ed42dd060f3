//! The table of verbs. One file per family; adding a verb is one entry here and one function there.

mod init;
mod kv;
mod kv_mount;
mod kv_versions;
mod logical;
mod login;
mod operator;
mod status;
pub mod version;

use crate::args::{Flag, Kind};
use crate::client::FLAGS as HTTP;
use crate::show::{FIELD, FORMAT};
use crate::verb::Verb;

const BASE: Verb = Verb {
    words: &[],
    about: "",
    takes: "",
    example: "",
    min: 0,
    max: Some(0),
    flags: &[HTTP, FORMAT],
    raw: false,
    run: |_| Ok(0),
};

const PAGE: &[Flag] = &[
    Flag { names: &["after"], kind: Kind::Text, about: "Begin after this name" },
    Flag { names: &["limit"], kind: Kind::Number, about: "At most so many names" },
    Flag { names: &["detailed"], kind: Kind::Bool, about: "Also what the server says about each name" },
];

const MOUNT: &[Flag] = &[Flag {
    names: &["mount"],
    kind: Kind::Text,
    about: "Where the engine is mounted; else the path begins with it",
}];

const VERSIONS: &[Flag] = &[Flag {
    names: &["versions"],
    kind: Kind::Many,
    about: "Version numbers: 1,2,3; may come more than once",
}];

/// Every verb, in the order of the help.
pub static TABLE: &[Verb] = &[
    Verb {
        words: &["status"],
        about: "Tell whether the server is initialised and unsealed",
        example: "status",
        run: status::run,
        ..BASE
    },
    Verb {
        words: &["login"],
        about: "Check a token and keep it for later commands",
        takes: "[TOKEN | -]",
        example: "login    (asks for the token, without echo)",
        max: None,
        flags: &[HTTP, FORMAT, FIELD, login::FLAGS],
        run: login::run,
        ..BASE
    },
    Verb {
        words: &["read"],
        about: "Read what is at a path",
        takes: "PATH [KEY=VALUE...]",
        example: "read secret/data/app",
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD],
        raw: true,
        run: logical::read,
    },
    Verb {
        words: &["write"],
        about: "Write data to a path",
        takes: "PATH [KEY=VALUE...]",
        example: "write cubbyhole/note text=@note.txt",
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, logical::FORCE],
        run: logical::write,
        ..BASE
    },
    Verb {
        words: &["patch"],
        about: "Change some of the data at a path",
        takes: "PATH [KEY=VALUE...]",
        example: "patch secret/data/app @changes.json",
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, logical::FORCE],
        run: logical::patch,
        ..BASE
    },
    Verb {
        words: &["delete"],
        about: "Delete what is at a path",
        takes: "PATH [KEY=VALUE...]",
        example: "delete cubbyhole/note",
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD],
        run: logical::delete,
        ..BASE
    },
    Verb {
        words: &["list"],
        about: "List the names below a path",
        takes: "PATH",
        example: "list secret/metadata",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, PAGE],
        run: logical::list,
        ..BASE
    },
    Verb {
        words: &["scan"],
        about: "List all names below a path, those in folders too",
        takes: "PATH",
        example: "scan secret/metadata",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, PAGE],
        run: logical::scan,
        ..BASE
    },
    Verb {
        words: &["kv", "get"],
        about: "Read a secret",
        takes: "PATH",
        example: "kv get -mount=secret app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD, MOUNT, kv::VERSION],
        run: kv::get,
        ..BASE
    },
    Verb {
        words: &["kv", "put"],
        about: "Write a secret; in version 2, as its next version",
        takes: "PATH KEY=VALUE...",
        example: "kv put -mount=secret app user=ann password=@password.txt",
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, MOUNT, kv::CAS],
        run: kv::put,
        ..BASE
    },
    Verb {
        words: &["kv", "delete"],
        about: "Delete a secret; in version 2, its newest version or those named",
        takes: "PATH",
        example: "kv delete -mount=secret -versions=1,2 app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, VERSIONS],
        run: kv_versions::delete,
        ..BASE
    },
    Verb {
        words: &["kv", "undelete"],
        about: "Bring deleted versions back",
        takes: "PATH",
        example: "kv undelete -mount=secret -versions=2 app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, VERSIONS],
        run: kv_versions::undelete,
        ..BASE
    },
    Verb {
        words: &["kv", "destroy"],
        about: "Destroy versions for good",
        takes: "PATH",
        example: "kv destroy -mount=secret -versions=1 app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, VERSIONS],
        run: kv_versions::destroy,
        ..BASE
    },
    Verb {
        words: &["kv", "list"],
        about: "List secrets",
        takes: "[PATH]",
        example: "kv list -mount=secret",
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, PAGE],
        run: kv::list,
        ..BASE
    },
    Verb {
        words: &["kv", "scan"],
        about: "List secrets, those in folders too",
        takes: "[PATH]",
        example: "kv scan -mount=secret",
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, PAGE],
        run: kv::scan,
        ..BASE
    },
    Verb {
        words: &["kv", "metadata", "get"],
        about: "What is known of a secret beside its data",
        takes: "PATH",
        example: "kv metadata get -mount=secret app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT],
        run: kv_versions::metadata_get,
        ..BASE
    },
    Verb {
        words: &["kv", "metadata", "delete"],
        about: "Delete a secret with all its versions",
        takes: "PATH",
        example: "kv metadata delete -mount=secret app",
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT],
        run: kv_versions::metadata_delete,
        ..BASE
    },
    Verb {
        words: &["operator", "init"],
        about: "Initialise the server: make its keys and the first root token",
        example: "operator init -key-shares=5 -key-threshold=3",
        flags: &[HTTP, FORMAT, init::FLAGS],
        run: init::run,
        ..BASE
    },
    Verb {
        words: &["operator", "unseal"],
        about: "Give the server one unseal key",
        takes: "[KEY]",
        example: "operator unseal    (asks for the key, without echo)",
        max: Some(1),
        flags: &[HTTP, FORMAT, operator::UNSEAL],
        run: operator::unseal,
        ..BASE
    },
    Verb {
        words: &["operator", "seal"],
        about: "Seal the server: it forgets its keys and refuses everything",
        example: "operator seal",
        run: operator::seal,
        ..BASE
    },
    Verb {
        words: &["print", "token"],
        about: "Print the token in use",
        example: "print token",
        flags: &[],
        run: login::print_token,
        ..BASE
    },
    Verb {
        words: &["version"],
        about: "Print the version",
        example: "version",
        max: None,
        flags: &[FORMAT],
        run: version::run,
        ..BASE
    },
];
