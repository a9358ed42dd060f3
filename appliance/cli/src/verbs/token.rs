//! `token`: tokens of one's own and of others.

use serde_json::{Value, json};

use super::{BASE, FIELD, FORMAT, HTTP};
use crate::args::{Flag, Kind};
use crate::client::Ask;
use crate::secret::Secret;
use crate::show::{self, Format, plain};
use crate::verb::{Call, Failure, First, Verb};
use crate::{env, token};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["token", "create"],
        about: "Make a token",
        example: "token create -policy=app -ttl=1h",
        flags: &[HTTP, FORMAT, FIELD, CREATE, POLICIES, ROLE],
        run: create,
        ..BASE
    },
    Verb {
        words: &["token", "lookup"],
        about: "Tell what a token is; without an argument, one's own",
        takes: "[TOKEN | ACCESSOR]",
        example: "token lookup -accessor 9793c9b3-e04a-46f3-e7b8-748d7da248da",
        max: None,
        flags: &[HTTP, FORMAT, FIELD, ACCESSOR],
        run: lookup,
        ..BASE
    },
    Verb {
        words: &["token", "renew"],
        about: "Let a token live longer; without an argument, one's own",
        takes: "[TOKEN | ACCESSOR]",
        example: "token renew -increment=30m",
        max: None,
        flags: &[HTTP, FORMAT, FIELD, ACCESSOR, INCREMENT],
        run: renew,
        ..BASE
    },
    Verb {
        words: &["token", "revoke"],
        about: "End a token and all that were made with it",
        takes: "[TOKEN | ACCESSOR]",
        example: "token revoke -self",
        max: None,
        flags: &[HTTP, FORMAT, ACCESSOR, REVOKE],
        run: revoke,
        ..BASE
    },
    Verb {
        words: &["token", "capabilities"],
        about: "Tell what a token may do at a path; without a token, one's own",
        takes: "[TOKEN] PATH",
        example: "token capabilities secret/data/app",
        first: First::Path,
        max: None,
        run: capabilities,
        ..BASE
    },
];

const CREATE: &[Flag] = &[
    Flag { names: &["id"], kind: Kind::Text, about: "The token itself; only root may choose it" },
    Flag { names: &["display-name"], kind: Kind::Text, about: "A name for the audit log" },
    Flag { names: &["ttl"], kind: Kind::Duration, about: "How long it lives unless it is renewed" },
    Flag { names: &["explicit-max-ttl"], kind: Kind::Duration, about: "How long it lives at most" },
    Flag {
        names: &["period"],
        kind: Kind::Duration,
        about: "It lives on as long as it is renewed within this time",
    },
    Flag { names: &["renewable"], kind: Kind::Bool, about: "Whether it can be renewed (true)" },
    Flag { names: &["no-default-policy"], kind: Kind::Bool, about: "Without the policy default" },
    Flag { names: &["type"], kind: Kind::Text, about: "service or batch" },
    Flag { names: &["entity-alias"], kind: Kind::Text, about: "For whom; needs a role that allows it" },
];

const POLICIES: &[Flag] = &[
    Flag { names: &["policy"], kind: Kind::Many, about: "A policy; may come more than once" },
    Flag { names: &["metadata"], kind: Kind::Pairs, about: "For the audit log; may come more than once" },
    Flag { names: &["use-limit"], kind: Kind::Number, about: "How often it can be used; 0: without limit" },
    Flag { names: &["orphan"], kind: Kind::Bool, about: "It outlives the token that makes it" },
];

const ROLE: &[Flag] = &[Flag { names: &["role"], kind: Kind::Text, about: "By the rules of this role" }];

const ACCESSOR: &[Flag] =
    &[Flag { names: &["accessor"], kind: Kind::Bool, about: "The argument is a token's accessor" }];

/// By how long.
pub const INCREMENT: &[Flag] = &[Flag {
    names: &["increment", "i"],
    kind: Kind::Duration,
    about: "By how long; the server may give less",
}];

const REVOKE: &[Flag] = &[
    Flag { names: &["self"], kind: Kind::Bool, about: "One's own" },
    Flag {
        names: &["mode"],
        kind: Kind::Text,
        about: "orphan: those made with it live on; path: all tokens made at the path",
    },
];

fn create(call: &mut Call<'_>) -> Result<u8, Failure> {
    let mut body = call.flags.body(CREATE);
    let policies = call.flags.all("policy");
    if !policies.is_empty() {
        body.insert("policies".into(), policies.into());
    }
    if call.flags.text("metadata").is_some() {
        body.insert("meta".into(), call.flags.pairs("metadata").into());
    }
    if let Some(uses) = call.flags.number("use-limit") {
        body.insert("num_uses".into(), uses.into());
    }
    if call.flags.on("orphan") {
        body.insert("no_parent".into(), true.into());
    }
    let path = match call.flags.text("role") {
        Some(role) => format!("auth/token/create/{role}"),
        None => "auth/token/create".into(),
    };
    let body = Value::Object(body);
    let secret = Secret::must(&call.client()?, "Error creating token", &Ask::post(&path, &body))?;
    show::whole_or_field(call, &secret)
}

/// Whom the arguments name.
enum Whose {
    Own,
    Token(String),
    Accessor(String),
}

impl Whose {
    fn of(call: &mut Call<'_>) -> Result<Self, Failure> {
        let mut given = std::mem::take(&mut call.arguments).into_iter().map(|word| word.trim().to_owned());
        let count = given.len();
        match (call.flags.on("accessor"), given.next()) {
            (true, Some(accessor)) if count == 1 => Ok(Self::Accessor(accessor)),
            (true, None) => Err(Failure::local("Not enough arguments with -accessor (expected 1, got 0)")),
            (true, _) => {
                Err(Failure::local(format!("Too many arguments with -accessor (expected 1, got {count})")))
            }
            (false, None) => Ok(Self::Own),
            (false, Some(token)) if count == 1 => Ok(Self::Token(token)),
            (false, _) => Err(Failure::local(format!("Too many arguments (expected 0-1, got {count})"))),
        }
    }
}

fn lookup(call: &mut Call<'_>) -> Result<u8, Failure> {
    let whose = Whose::of(call)?;
    let client = call.client()?;
    let what = "Error looking up token";
    let secret = match whose {
        Whose::Own => Secret::must(&client, what, &Ask::get("auth/token/lookup-self")),
        Whose::Token(token) => {
            Secret::must(&client, what, &Ask::post("auth/token/lookup", &json!({ "token": token })))
        }
        Whose::Accessor(accessor) => {
            let body = json!({ "accessor": accessor });
            Secret::must(&client, what, &Ask::post("auth/token/lookup-accessor", &body))
        }
    }?;
    show::whole_or_field(call, &secret)
}

fn renew(call: &mut Call<'_>) -> Result<u8, Failure> {
    let (path, mut body) = match Whose::of(call)? {
        Whose::Own => ("auth/token/renew-self", json!({})),
        Whose::Token(token) => ("auth/token/renew", json!({ "token": token })),
        Whose::Accessor(accessor) => ("auth/token/renew-accessor", json!({ "accessor": accessor })),
    };
    if let (Some(seconds), Some(body)) = (call.flags.seconds("increment"), body.as_object_mut()) {
        body.insert("increment".into(), format!("{seconds}s").into());
    }
    let secret = Secret::must(&call.client()?, "Error renewing token", &Ask::put(path, &body))?;
    show::whole_or_field(call, &secret)
}

fn revoke(call: &mut Call<'_>) -> Result<u8, Failure> {
    let (own, mode) = (call.flags.on("self"), call.flags.text("mode").unwrap_or_default().to_owned());
    let whose = Whose::of(call)?;
    let local = |text: &str| Err(Failure::local(text));
    let (path, body) = match (own, whose, mode.as_str()) {
        (true, Whose::Own, "") => ("auth/token/revoke-self".to_owned(), json!({})),
        (true, Whose::Own, _) => return local("-self cannot be used with -mode"),
        (true, ..) => return local("Too many arguments with -self (expected 0, got 1)"),
        (false, Whose::Own, _) => {
            return local("Not enough arguments (expected 1, got 0): name a token, or use -self");
        }
        (_, Whose::Token(token), "") => ("auth/token/revoke".into(), json!({ "token": token })),
        (_, Whose::Token(token), "orphan") => ("auth/token/revoke-orphan".into(), json!({ "token": token })),
        (_, Whose::Token(path), "path") => (format!("sys/leases/revoke-prefix/{path}"), json!({})),
        (_, Whose::Accessor(accessor), "") => {
            ("auth/token/revoke-accessor".into(), json!({ "accessor": accessor }))
        }
        (_, Whose::Accessor(_), _) => return local("-accessor cannot be used with -mode"),
        (_, Whose::Token(_), _) => return local("-mode is orphan or path"),
    };
    let answer = Secret::ask(&call.client()?, "Error revoking token", &Ask::put(&path, &body))?;
    answer.iter().for_each(|secret| show::warnings(call.io, secret));
    // What is kept for later commands opens nothing any more.
    if own && env::get(call.io, "TOKEN").is_none() {
        token::erase(call.io).map_err(|cause| Failure::local(format!("Error erasing token: {cause}")))?;
    }
    call.io.say("Success! Revoked token (if it existed)");
    Ok(0)
}

fn capabilities(call: &mut Call<'_>) -> Result<u8, Failure> {
    let (path, body) = match call.arguments.as_slice() {
        [path] => ("sys/capabilities-self", json!({ "path": path.trim() })),
        [token, path] => ("sys/capabilities", json!({ "token": token.trim(), "path": path.trim() })),
        [] => return Err(Failure::local("Not enough arguments (expected 1-2, got 0)")),
        more => return Err(Failure::local(format!("Too many arguments (expected 1-2, got {})", more.len()))),
    };
    let secret = Secret::must(&call.client()?, "Error listing capabilities", &Ask::post(path, &body))?;
    let mut words: Vec<String> =
        secret.get("capabilities").and_then(Value::as_array).into_iter().flatten().map(plain).collect();
    words.sort_unstable();
    match call.format {
        Format::Table => call.io.say(&words.join(", ")),
        format => show::document(call.io, format, &words)?,
    }
    Ok(0)
}
