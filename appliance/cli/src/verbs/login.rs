//! `login` and `print token`. Methods other than `token` are one entry in [`METHODS`].

use serde_json::{Value, json};
use strongroom_types::Secret as Hidden;

use super::{BASE, FIELD, FORMAT, HTTP, login_password};
use crate::args::{Flag, Kind};
use crate::client::{Ask, Client};
use crate::input;
use crate::secret::Secret;
use crate::show::{self, Format};
use crate::verb::{Call, Failure, Verb};
use crate::{env, token};

/// The verbs of this file.
pub const VERBS: &[Verb] = &[
    Verb {
        words: &["login"],
        about: "Log in, and keep the token for later commands",
        takes: "[TOKEN | - | KEY=VALUE...]",
        example: "login    (asks for the token, without echo)",
        max: None,
        flags: &[HTTP, FORMAT, FIELD, FLAGS],
        run,
        ..BASE
    },
    Verb {
        words: &["print", "token"],
        about: "Print the token in use",
        example: "print token",
        flags: &[],
        run: print_token,
        ..BASE
    },
];

/// The flags of `login`.
const FLAGS: &[Flag] = &[
    Flag {
        names: &["method"],
        kind: Kind::Text,
        about: "How to log in: token, userpass, ldap, radius (token)",
    },
    Flag { names: &["path"], kind: Kind::Text, about: "Where the method is mounted, if not at its own name" },
    Flag { names: &["no-store"], kind: Kind::Bool, about: "Do not keep the token" },
    Flag { names: &["no-print"], kind: Kind::Bool, about: "Do not print the token" },
    Flag { names: &["token-only"], kind: Kind::Bool, about: "Print only the token, and do not keep it" },
];

/// A way to log in: from the arguments to an answer with a token.
type Method = fn(&mut Call<'_>, Client) -> Result<Secret, Failure>;

/// The ways: a name, what does it, and how it is used.
const METHODS: &[(&str, Method, &str)] = &[
    (
        "token",
        by_token,
        "Log in with a token that you have:\n\n    $ strongroom login    (asks for the token, without echo)\n    \
         $ echo \"$TOKEN\" | strongroom login -",
    ),
    (
        "userpass",
        login_password::run,
        "Log in with a name and a password:\n\n    $ strongroom login -method=userpass username=ann    (asks for the \
         password, without echo)\n\nIf it is mounted elsewhere, add -path=PLACE.",
    ),
    (
        "ldap",
        login_password::run,
        "Log in with a name and a password of the directory:\n\n    $ strongroom login -method=ldap username=ann",
    ),
    (
        "radius",
        login_password::run,
        "Log in with a name and a password of RADIUS:\n\n    $ strongroom login -method=radius username=ann",
    ),
];

/// How to log in by `name`, if this command can.
pub fn help(name: &str) -> Option<&'static str> {
    METHODS.iter().find(|(known, ..)| *known == name).map(|(.., help)| *help)
}

pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let only_token = call.flags.on("token-only");
    let (no_store, no_print) = (call.flags.on("no-store") || only_token, call.flags.on("no-print"));
    if only_token && no_print {
        return Err(Failure::local("-token-only cannot be used with -no-print"));
    }
    if only_token && call.flags.text("field").is_some() {
        return Err(Failure::local("-token-only cannot be used with -field"));
    }
    let name = call.flags.text("method").unwrap_or("token");
    let Some((_, method, _)) = METHODS.iter().find(|(known, ..)| *known == name) else {
        return Err(Failure::local(format!(
            "Unknown auth method: {name}. This command logs in with: {}. Every other method is a write, as in\n\
             strongroom write auth/{name}/login KEY=VALUE...",
            METHODS.iter().map(|(known, ..)| *known).collect::<Vec<_>>().join(", ")
        )));
    };
    // The old token is nobody's business here: it may have expired, or be another's.
    let client = call.client()?.without_token();
    let secret = method(call, client)?;
    let made = secret.auth.get("client_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    if made.is_empty() {
        return Err(Failure::remote("Error authenticating: the server's answer holds no token"));
    }
    if !no_store {
        token::store(call.io, &made)
            .map_err(|cause| Failure::local(format!("Error storing token: {cause}")))?;
    }
    drop(Hidden::from(made));
    if !only_token {
        warn(call, no_store);
    }
    if no_print {
        return Ok(0);
    }
    if only_token {
        return show::field(call.io, call.format, &secret, "token");
    }
    if let Some(name) = call.flags.text("field") {
        return show::field(call.io, call.format, &secret, name);
    }
    if call.format == Format::Table && !no_store {
        call.io.say(
            "Success! You are logged in. The token below is kept for later commands: there is no need to log in again.\n",
        );
    }
    show::secret(call.io, call.format, &secret)
}

fn warn(call: &mut Call<'_>, no_store: bool) {
    if no_store {
        call.io.error(
            "The token was not stored. Set the environment variable VAULT_TOKEN or pass the token with each request.",
        );
    } else if env::get(call.io, "TOKEN").is_some() {
        call.io.error(
            "WARNING! The environment variable VAULT_TOKEN is set and wins over the token that was just stored: \
             unset it to use the new one.",
        );
    }
}

/// Looks the token up with itself, so that a wrong one is never stored.
fn by_token(call: &mut Call<'_>, client: Client) -> Result<Secret, Failure> {
    let given = given_token(call)?;
    let text = given.expose_str().unwrap_or_default().to_owned();
    let client = client.with_token(given);
    let what = "Error authenticating: error looking up token";
    let found = Secret::must(&client, what, &Ask { bare: true, ..Ask::get("auth/token/lookup-self") })?;
    Ok(as_auth(&found, &text))
}

/// What a lookup says of a token, in the shape of a login.
fn as_auth(found: &Secret, token: &str) -> Secret {
    let get = |name: &str| found.get(name).cloned().unwrap_or_default();
    let policies = get("policies");
    let identity = get("identity_policies");
    let all: Vec<Value> =
        [&policies, &identity].into_iter().filter_map(Value::as_array).flatten().cloned().collect();
    Secret {
        request_id: found.request_id.clone(),
        lease_id: "".into(),
        lease_duration: 0.into(),
        renewable: false.into(),
        auth: json!({
            "client_token": token,
            "accessor": get("accessor"),
            "policies": all,
            "token_policies": policies,
            "identity_policies": identity,
            "metadata": get("meta"),
            "orphan": get("orphan"),
            "entity_id": get("entity_id"),
            "lease_duration": get("ttl"),
            "renewable": found.get("renewable").cloned().unwrap_or(Value::Bool(false)),
            "mfa_requirement": null,
        }),
        ..Secret::default()
    }
}

/// The argument, `token=…`, stdin for `-`, or typed without echo.
fn given_token(call: &mut Call<'_>) -> Result<Hidden, Failure> {
    let arguments = std::mem::take(&mut call.arguments);
    let given = match arguments.as_slice() {
        [] => return asked(call),
        [stdin] if stdin == "-" => {
            let text =
                call.io.read_stdin().map_err(|e| Failure::local(format!("Failed to read stdin: {e}")))?;
            Hidden::copy_of(text.trim_ascii())
        }
        // A token may hold equals signs of its own.
        [word] if !word.starts_with("token=") => Hidden::copy_of(word.trim().as_bytes()),
        pairs => {
            let members = input::object(pairs, call.io)?;
            let token = members.get("token").and_then(Value::as_str);
            let token = token.ok_or_else(|| Failure::local("Error authenticating: no token was given"))?;
            Hidden::copy_of(token.trim().as_bytes())
        }
    };
    match given.is_empty() {
        false => Ok(given),
        true => Err(Failure::remote("Error authenticating: a token must be passed to auth")),
    }
}

fn asked(call: &mut Call<'_>) -> Result<Hidden, Failure> {
    if call.flags.on("non-interactive") {
        return Err(Failure::local("a token is needed, and -non-interactive forbids to ask for it"));
    }
    let typed = call.io.ask_hidden("Token (will be hidden): ").map_err(|cause| {
        Failure::remote(format!(
            "Error authenticating: the token cannot be asked for: {cause}; give it through stdin: login -"
        ))
    })?;
    match typed.is_empty() {
        false => Ok(typed),
        true => Err(Failure::remote("Error authenticating: a token must be passed to auth")),
    }
}

/// The token in use, nothing else; an empty line without one.
pub fn print_token(call: &mut Call<'_>) -> Result<u8, Failure> {
    let token = token::current(call.io).map_err(|e| Failure::local(format!("cannot read the token: {e}")))?;
    let text = token.as_ref().and_then(Hidden::expose_str).unwrap_or_default().to_owned();
    call.io.say(&text);
    Ok(0)
}
