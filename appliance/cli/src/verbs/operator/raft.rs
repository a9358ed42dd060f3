//! `operator raft …`: what scripts written for a cluster ask. There is no Raft here: each says so, and what to do instead.

use super::BASE;
use crate::args::{Flag, Kind};
use crate::verb::{Call, Failure, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb { words: &["operator", "raft", "list-peers"], example: "operator raft list-peers", ..NONE },
    Verb {
        words: &["operator", "raft", "join"],
        takes: "[ADDRESS]",
        example: "operator raft join https://node-2:8200",
        ..NONE
    },
    Verb {
        words: &["operator", "raft", "remove-peer"],
        takes: "ID",
        example: "operator raft remove-peer node-2",
        ..NONE
    },
    Verb {
        words: &["operator", "raft", "snapshot"],
        takes: "save FILE | restore FILE",
        example: "operator raft snapshot save backup.snap",
        ..NONE
    },
    Verb {
        words: &["operator", "raft", "autopilot"],
        takes: "state | get-config | set-config",
        example: "operator raft autopilot state",
        ..NONE
    },
];

const NONE: Verb = Verb {
    about: "Of clusters with Raft, which this server has not",
    max: None,
    flags: &[super::HTTP, super::FORMAT, FOREIGN],
    run: refuse,
    ..BASE
};

/// Flags that are understood so that the answer is the one that helps.
const FOREIGN: &[Flag] = &[
    Flag { names: &["force", "retry", "non-voter"], kind: Kind::Bool, about: "Vault's" },
    Flag {
        names: &["leader-ca-cert", "leader-client-cert", "leader-client-key"],
        kind: Kind::Text,
        about: "Vault's",
    },
];

fn refuse(_: &mut Call<'_>) -> Result<u8, Failure> {
    Err(Failure::remote(
        "No raft cluster configuration found: this server's storage is one file. To save it, stop the server and copy \
         the file",
    ))
}
