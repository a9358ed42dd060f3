//! `secrets`: the engines that are mounted.

use strongroom_types::JsonMap;

use super::mounts::list::{Column, setting};
use super::mounts::{CONFIG, DESCRIPTION, FIXED, Family, OPTIONS, PATH, WHAT};
use super::{BASE, DETAILED, FORMAT, HTTP};
use crate::verb::{Call, Failure, First, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["secrets", "enable"],
        about: "Mount a secrets engine",
        takes: "TYPE",
        example: "secrets enable -path=team -version=2 kv",
        first: First::Word(&["kv", "database", "pki", "ssh", "totp", "transit"]),
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, PATH, WHAT, OPTIONS, CONFIG, FIXED],
        run: enable,
        ..BASE
    },
    Verb {
        words: &["secrets", "disable"],
        about: "Unmount an engine: everything in it is gone",
        takes: "PATH",
        example: "secrets disable team/",
        first: First::Mount,
        min: 1,
        max: Some(1),
        run: |call| SECRETS.disable(call),
        ..BASE
    },
    Verb {
        words: &["secrets", "list"],
        about: "List the engines that are mounted",
        example: "secrets list -detailed",
        flags: &[HTTP, FORMAT, &[DETAILED]],
        run: |call| SECRETS.list(call, "Error listing secrets engines", &[], CACHE),
        ..BASE
    },
    Verb {
        words: &["secrets", "tune"],
        about: "Change how an engine's requests are treated",
        takes: "PATH",
        example: "secrets tune -max-lease-ttl=4h team/",
        first: First::Mount,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, DESCRIPTION, OPTIONS, CONFIG],
        run: |call| SECRETS.tune(call, JsonMap::new()),
        ..BASE
    },
    Verb {
        words: &["secrets", "move"],
        about: "Mount an engine elsewhere, with everything in it",
        takes: "FROM TO",
        example: "secrets move team/ people/",
        first: First::Mount,
        min: 2,
        max: Some(2),
        run: |call| SECRETS.remount(call),
        ..BASE
    },
];

/// The engines.
pub const SECRETS: Family = Family { root: "sys/mounts", prefix: "", noun: "secrets engine" };

const CACHE: Column = ("Force No Cache", |mount| setting(mount, "force_no_cache"));

fn enable(call: &mut Call<'_>) -> Result<u8, Failure> {
    let path = SECRETS.enable(call, "Error enabling", JsonMap::new())?;
    let text = format!("Success! Enabled the {} secrets engine at: {path}/", call.path(0));
    call.io.say(&text);
    Ok(0)
}
