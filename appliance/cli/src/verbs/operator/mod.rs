//! `operator`: keys, seals and what runs the server.

mod generate_root;
mod init;
mod keys;
mod keys_typed;
mod pgp;
pub mod raft;
mod rekey;
mod unseal;
mod validate;

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
        words: &["operator", "rekey"],
        about: "Make new unseal keys, with a threshold of the old ones",
        takes: "[KEY | -]",
        example: "operator rekey -init -key-shares=5 -key-threshold=3 -verify",
        max: Some(1),
        flags: &[HTTP, FORMAT, rekey::FLAGS, rekey::SHARES],
        run: rekey::rekey,
        ..BASE
    },
    Verb {
        words: &["operator", "rotate-keys"],
        about: "The same as rekey, for those who may by their token",
        takes: "[KEY | -]",
        example: "operator rotate-keys -target=recovery -init -key-shares=5 -key-threshold=3",
        max: Some(1),
        flags: &[HTTP, FORMAT, rekey::FLAGS, rekey::SHARES],
        run: rekey::rotate_keys,
        ..BASE
    },
    Verb {
        words: &["operator", "generate-root"],
        about: "Make a new root token, with a threshold of keys",
        takes: "[KEY | -]",
        example: "operator generate-root -init",
        max: Some(1),
        flags: &[HTTP, FORMAT, generate_root::FLAGS],
        run: generate_root::run,
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
    Verb {
        words: &["operator", "validate-config"],
        about: "Check a server's configuration without starting it",
        example: "operator validate-config -config=/etc/strongroom/strongroom.hcl",
        flags: &[validate::FLAGS],
        run: validate::run,
        ..BASE
    },
];
