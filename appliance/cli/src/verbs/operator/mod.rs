//! `operator`: keys, seals and what runs the server.

mod init;
mod keys;
mod unseal;

use super::{BASE, FORMAT, HTTP};
use crate::verb::Verb;

/// The verbs of this folder.
pub const VERBS: &[Verb] = &[
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
        flags: &[HTTP, FORMAT, unseal::FLAGS],
        run: unseal::unseal,
        ..BASE
    },
    Verb {
        words: &["operator", "seal"],
        about: "Seal the server: it forgets its keys and refuses everything",
        example: "operator seal",
        run: unseal::seal,
        ..BASE
    },
    Verb {
        words: &["operator", "key-status"],
        about: "Tell which key encrypts what is written",
        example: "operator key-status",
        run: keys::key_status,
        ..BASE
    },
    Verb {
        words: &["operator", "rotate"],
        about: "Make a new key for what is written from now on",
        example: "operator rotate",
        run: keys::rotate,
        ..BASE
    },
    Verb {
        words: &["operator", "step-down"],
        about: "Let another node of the cluster become the active one",
        example: "operator step-down",
        run: keys::step_down,
        ..BASE
    },
    Verb {
        words: &["operator", "members"],
        about: "List the nodes of the cluster",
        example: "operator members",
        run: keys::members,
        ..BASE
    },
];
