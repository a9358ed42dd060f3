//! `kv`: secrets of both versions of the engine.

mod data;
mod enable;
mod metadata;
mod patch;
mod place;
mod versions;

use super::{BASE, FIELD, FORMAT, HTTP, PAGE};
use crate::args::{Flag, Kind};
use crate::verb::{First, Verb};

/// Check-and-set.
const CAS: &[Flag] = &[Flag {
    names: &["cas"],
    kind: Kind::Number,
    about: "Only if the newest version has this number; 0: only if there is none",
}];

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

/// The verbs of this folder.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["kv", "get"],
        about: "Read a secret",
        takes: "PATH",
        example: "kv get -mount=secret app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD, MOUNT, data::VERSION],
        run: data::get,
        ..BASE
    },
    Verb {
        words: &["kv", "put"],
        about: "Write a secret; in version 2, as its next version",
        takes: "PATH KEY=VALUE...",
        example: "kv put -mount=secret app user=ann password=@password.txt",
        first: First::Secret,
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, MOUNT, CAS],
        run: data::put,
        ..BASE
    },
    Verb {
        words: &["kv", "patch"],
        about: "Change some of a secret's data, as its next version",
        takes: "PATH [KEY=VALUE...]",
        example: "kv patch -mount=secret app password=@password.txt",
        first: First::Secret,
        min: 1,
        max: None,
        flags: &[HTTP, FORMAT, FIELD, MOUNT, CAS, patch::PATCH],
        run: patch::patch,
        ..BASE
    },
    Verb {
        words: &["kv", "rollback"],
        about: "Bring an old version back, as the next one",
        takes: "PATH",
        example: "kv rollback -mount=secret -version=2 app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, FIELD, MOUNT, patch::ROLLBACK],
        run: patch::rollback,
        ..BASE
    },
    Verb {
        words: &["kv", "delete"],
        about: "Delete a secret; in version 2, its newest version or those named",
        takes: "PATH",
        example: "kv delete -mount=secret -versions=1,2 app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, VERSIONS],
        run: versions::delete,
        ..BASE
    },
    Verb {
        words: &["kv", "undelete"],
        about: "Bring deleted versions back",
        takes: "PATH",
        example: "kv undelete -mount=secret -versions=2 app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, VERSIONS],
        run: versions::undelete,
        ..BASE
    },
    Verb {
        words: &["kv", "destroy"],
        about: "Destroy versions for good",
        takes: "PATH",
        example: "kv destroy -mount=secret -versions=1 app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, VERSIONS],
        run: versions::destroy,
        ..BASE
    },
    Verb {
        words: &["kv", "list"],
        about: "List secrets",
        takes: "[PATH]",
        example: "kv list -mount=secret",
        first: First::Secret,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, PAGE],
        run: data::list,
        ..BASE
    },
    Verb {
        words: &["kv", "scan"],
        about: "List secrets, those in folders too",
        takes: "[PATH]",
        example: "kv scan -mount=secret",
        first: First::Secret,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, PAGE],
        run: data::scan,
        ..BASE
    },
    Verb {
        words: &["kv", "metadata", "get"],
        about: "What is known of a secret beside its data",
        takes: "PATH",
        example: "kv metadata get -mount=secret app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT],
        run: metadata::get,
        ..BASE
    },
    Verb {
        words: &["kv", "metadata", "put"],
        about: "Set what is known of a secret; custom metadata is replaced as a whole",
        takes: "PATH",
        example: "kv metadata put -mount=secret -max-versions=5 -custom-metadata=owner=ann app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, metadata::SETTINGS, metadata::CAS],
        run: metadata::put,
        ..BASE
    },
    Verb {
        words: &["kv", "metadata", "patch"],
        about: "Change some of what is known of a secret",
        takes: "PATH",
        example: "kv metadata patch -mount=secret -custom-metadata=owner=bob app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT, metadata::SETTINGS, metadata::CAS, metadata::REMOVE],
        run: metadata::patch,
        ..BASE
    },
    Verb {
        words: &["kv", "metadata", "delete"],
        about: "Delete a secret with all its versions",
        takes: "PATH",
        example: "kv metadata delete -mount=secret app",
        first: First::Secret,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, MOUNT],
        run: metadata::delete,
        ..BASE
    },
    Verb {
        words: &["kv", "enable-versioning"],
        about: "Let a mount keep versions from now on; there is no way back",
        takes: "PATH",
        example: "kv enable-versioning secret/",
        first: First::Mount,
        min: 1,
        max: Some(1),
        run: enable::versioning,
        ..BASE
    },
];
