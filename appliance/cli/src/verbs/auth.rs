//! `auth`: the ways to log in that are mounted.

use strongroom_types::JsonMap;

use super::mounts::list::{Column, VERSION, setting};
use super::mounts::{CONFIG, DESCRIPTION, FIXED, Family, OPTIONS, PATH, WHAT};
use super::{BASE, DETAILED, FORMAT, HTTP, login, path_help};
use crate::args::{Flag, Kind};
use crate::show::plain;
use crate::verb::{Call, Failure, First, Verb};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["auth", "enable"],
        about: "Mount a way to log in",
        takes: "TYPE",
        example: "auth enable -description=people userpass",
        first: First::Word(&["approle", "cert", "jwt", "kubernetes", "ldap", "oidc", "userpass"]),
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, PATH, WHAT, OPTIONS, CONFIG, FIXED, TOKEN_TYPE],
        run: enable,
        ..BASE
    },
    Verb {
        words: &["auth", "disable"],
        about: "Unmount a way to log in: its users and tokens are gone",
        takes: "PATH",
        example: "auth disable userpass/",
        first: First::Auth,
        min: 1,
        max: Some(1),
        run: |call| AUTH.disable(call),
        ..BASE
    },
    Verb {
        words: &["auth", "list"],
        about: "List the ways to log in",
        example: "auth list -detailed",
        flags: &[HTTP, FORMAT, &[DETAILED]],
        run: |call| AUTH.list(call, "Error listing enabled authentications", &[VERSION], TOKEN_TYPES),
        ..BASE
    },
    Verb {
        words: &["auth", "tune"],
        about: "Change how a way to log in is treated",
        takes: "PATH",
        example: "auth tune -default-lease-ttl=1h userpass/",
        first: First::Auth,
        min: 1,
        max: Some(1),
        flags: &[HTTP, FORMAT, DESCRIPTION, OPTIONS, CONFIG, TOKEN_TYPE, LOCKOUT],
        run: tune,
        ..BASE
    },
    Verb {
        words: &["auth", "move"],
        about: "Mount a way to log in elsewhere",
        takes: "FROM TO",
        example: "auth move userpass/ people/",
        first: First::Auth,
        min: 2,
        max: Some(2),
        run: |call| AUTH.remount(call),
        ..BASE
    },
    Verb {
        words: &["auth", "help"],
        about: "Tell how to log in with a type, or what is at a path",
        takes: "TYPE | PATH",
        example: "auth help userpass",
        first: First::Auth,
        min: 1,
        max: Some(1),
        run: help,
        ..BASE
    },
];

/// The ways to log in.
const AUTH: Family = Family { root: "sys/auth", prefix: "auth/", noun: "auth method" };

const TOKEN_TYPES: Column = ("Token Type", |mount| setting(mount, "token_type"));

const TOKEN_TYPE: &[Flag] = &[Flag {
    names: &["token-type"],
    kind: Kind::Text,
    about: "What tokens it makes: service, batch, default-service, default-batch",
}];

const LOCKOUT: &[Flag] = &[
    Flag {
        names: &["user-lockout-threshold"],
        kind: Kind::Number,
        about: "After so many failures a user is locked out",
    },
    Flag { names: &["user-lockout-duration"], kind: Kind::Duration, about: "For how long" },
    Flag {
        names: &["user-lockout-counter-reset-duration"],
        kind: Kind::Duration,
        about: "After how long without a failure they are forgotten",
    },
    Flag { names: &["user-lockout-disable"], kind: Kind::Bool, about: "Nobody is locked out" },
];

fn enable(call: &mut Call<'_>) -> Result<u8, Failure> {
    let what = format!("Error enabling {} auth", call.path(0));
    let config = call.flags.body(TOKEN_TYPE);
    let path = AUTH.enable(call, &what, config)?;
    let text = format!("Success! Enabled {} auth method at: {path}/", call.path(0));
    call.io.say(&text);
    Ok(0)
}

fn tune(call: &mut Call<'_>) -> Result<u8, Failure> {
    let mut body = call.flags.body(TOKEN_TYPE);
    let lockout: JsonMap = call
        .flags
        .body(LOCKOUT)
        .into_iter()
        // The API takes each of them as text.
        .map(|(name, value)| (name.trim_start_matches("user_").to_owned(), plain(&value).into()))
        .collect();
    if !lockout.is_empty() {
        body.insert("user_lockout_config".into(), lockout.into());
    }
    AUTH.tune(call, body)
}

fn help(call: &mut Call<'_>) -> Result<u8, Failure> {
    let name = call.path(0);
    match login::help(&name) {
        Some(text) => {
            call.io.say(text);
            Ok(0)
        }
        None => path_help::show(call, &format!("auth/{name}")),
    }
}
