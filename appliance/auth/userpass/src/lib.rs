//! Userpass: people log in by name and password.
//!
//! # Storage
//!
//! | name | shape | value |
//! |---|---|---|
//! | `user`, the name in lower case | 1 | the [`User`], as JSON: the password's hash, and what the token is to be |
//! | `foreign`, the cost in two digits, the name in lower case | | nothing: the user has a bcrypt hash ([`foreign`]) |
//!
//! A password is kept as its Argon2id hash ([`hash`]). A bcrypt hash from elsewhere is taken as it is, and replaced at
//! the first login. Whoever logs in with a wrong password, whatever its hash, and who does not exist, is told the same,
//! after the same work.

mod foreign;
mod hash;

use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_engine::auth::{TOKEN_FIELDS, TOKEN_MAX_TTL, TOKEN_POLICIES, TOKEN_TTL, lasting};
use strongroom_engine::{
    Call, Cx, Endpoint, Engine, Entry, Field, FieldSpec, Handler, JsonMap, Knock, Login, Method,
    MountOptions, Name, NoLogin, Outcome, Param, ParamKind, Refusal, Reply, Route, Seconds, Table, TokenWish,
    Write, record,
};
use strongroom_types::Secret;

use hash::Hash;

/// The method, for the registry.
pub static METHOD: Method = Method {
    engine: Engine { kind: "userpass", help: "People log in by name and password.", routes, ..Engine::BASE },
    knock: Some(|cx, call| {
        let username = call.param(USERNAME.name);
        // A name that could not be stored is nobody's.
        let is_known = name_of(username).ok().map(|name| cx.has(&name)).transpose()?.unwrap_or_default();
        Ok(Knock { alias: username.to_owned(), is_known, turn: None, role: None })
    }),
    has_roles: false,
    renew,
};

/// The shape of a record.
const SHAPE: u8 = 1;
/// Longest password; a longer one only costs time.
const LONGEST: usize = 4096;

const USERNAME: Param =
    Param { name: "username", help: "The name; upper case is taken as lower case.", kind: ParamKind::Folded };
const PASSWORD: Field<String> = Field::new("password", "The password.");
const HASH: Field<String> = Field::new("password_hash", "Its bcrypt hash, instead of the password.");
const OLD_POLICIES: Field<Vec<String>> = Field::new("policies", "The older name of 'token_policies'.");
const OLD_TTL: Field<Seconds> = Field::new("ttl", "The older name of 'token_ttl'.");
const OLD_MAX_TTL: Field<Seconds> = Field::new("max_ttl", "The older name of 'token_max_ttl'.");

const SECRETS: &[FieldSpec] = &[PASSWORD.spec(), HASH.spec()];
const POLICIES: &[FieldSpec] = &[TOKEN_POLICIES.spec(), OLD_POLICIES.spec()];
const USER: &[FieldSpec] = &{
    let [a, b, c, d, e, f, g, h, i, j] = TOKEN_FIELDS;
    let old = [OLD_POLICIES.spec(), OLD_TTL.spec(), OLD_MAX_TTL.spec()];
    let [k, l, m] = old;
    [PASSWORD.spec(), HASH.spec(), a, b, c, d, e, f, g, h, i, j, k, l, m]
};

const ROUTES: Table<Handler> = &[
    Route {
        path: "users",
        help: "All users.",
        endpoints: &[Endpoint::list("List the users.", list)],
        ..Route::BASE
    },
    Route {
        path: "users/{username}",
        params: &[USERNAME],
        help: "A user.",
        exists: Some(|cx, call| Ok(find(cx, call)?.is_some())),
        endpoints: &[
            Endpoint::read("Read the user; never the password.", &[], read),
            Endpoint::compute("Make or change the user.", USER, write),
            Endpoint::delete("Remove the user.", remove),
        ],
        ..Route::BASE
    },
    Route {
        path: "users/{username}/password",
        params: &[USERNAME],
        help: "A user's password.",
        endpoints: &[Endpoint::compute("Change the password.", SECRETS, change_password)],
        ..Route::BASE
    },
    Route {
        path: "users/{username}/policies",
        params: &[USERNAME],
        help: "A user's policies.",
        endpoints: &[Endpoint::write("Change the policies.", POLICIES, change_policies)],
        ..Route::BASE
    },
    Route {
        path: "login/{username}",
        params: &[USERNAME],
        help: "Log in.",
        unauthenticated: true,
        endpoints: &[Endpoint::slow_login("Log in with a password.", &[PASSWORD.required().spec()], login)],
        ..Route::BASE
    },
];

/// What is stored of a user.
#[derive(Clone, Serialize, Deserialize)]
struct User {
    hash: Hash,
    token: TokenWish,
    /// Whether the older names of fields were used, which are shown then.
    #[serde(default)]
    by_old_names: bool,
}

fn routes(_: &MountOptions) -> Result<Table<Handler>, Refusal> {
    Ok(ROUTES)
}

fn name_of(user: &str) -> Result<Name, Refusal> {
    record::name("user", user)
}

fn find(cx: &Cx, call: &Call) -> Result<Option<(User, Entry)>, Refusal> {
    find_by_name(cx, call.param(USERNAME.name))
}

fn find_by_name(cx: &Cx, user: &str) -> Result<Option<(User, Entry)>, Refusal> {
    let Some(entry) = cx.get(&name_of(user)?)? else { return Ok(None) };
    Ok(Some((record::decode(SHAPE, &entry)?, entry)))
}

// === users ===

fn list(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    Ok(Outcome::reply(Reply::keys(cx.list(&record::name("user", "")?, call)?)))
}

fn read(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let (user, _) = find(cx, call)?.ok_or_else(Refusal::not_found)?;
    let mut shown = user.token.shown();
    if user.by_old_names {
        shown.insert("policies".into(), json!(user.token.policies));
        shown.insert("ttl".into(), user.token.ttl.into());
        shown.insert("max_ttl".into(), user.token.max_ttl.into());
    }
    Ok(Outcome::reply(Reply::data(shown.into())))
}

fn write(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let seen = find(cx, call)?;
    let mut user = match (&seen, given_hash(cx, call)?) {
        (Some((user, _)), None) => user.clone(),
        (Some((user, _)), Some(hash)) => User { hash, ..user.clone() },
        (None, Some(hash)) => User { hash, token: TokenWish::default(), by_old_names: false },
        (None, None) => return Err(no_password()),
    };
    user.token.take(call)?;
    take_old_names(call, &mut user)?;
    changed(call, seen.as_ref(), Some(&user)).map(Outcome::done)
}

fn remove(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    changed(call, find(cx, call)?.as_ref(), None).map(Outcome::done)
}

/// The older names count where the newer ones are not given.
fn take_old_names(call: &Call, user: &mut User) -> Result<(), Refusal> {
    let secs = |value: Seconds| match value.secs() {
        secs if secs >= 0 => Ok(secs),
        _ => Err(Refusal::bad_request("'ttl' and 'max_ttl' cannot be negative")),
    };
    let mut old = false;
    if let (None, Some(policies)) = (call.get(&TOKEN_POLICIES), call.get(&OLD_POLICIES)) {
        user.token.policies = lasting(policies)?;
        old = true;
    }
    if let (None, Some(ttl)) = (call.get(&TOKEN_TTL), call.get(&OLD_TTL)) {
        user.token.ttl = secs(ttl)?;
        old = true;
    }
    if let (None, Some(max)) = (call.get(&TOKEN_MAX_TTL), call.get(&OLD_MAX_TTL)) {
        user.token.max_ttl = secs(max)?;
        old = true;
    }
    user.by_old_names |= old;
    user.token.check()
}

fn change_password(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let hash = given_hash(cx, call)?.ok_or_else(no_password)?;
    let seen = find(cx, call)?.ok_or_else(no_user)?;
    let user = User { hash, ..seen.0.clone() };
    changed(call, Some(&seen), Some(&user)).map(Outcome::done)
}

fn change_policies(cx: &Cx, call: &Call) -> Result<Outcome, Refusal> {
    let seen = find(cx, call)?.ok_or_else(no_user)?;
    let mut user = seen.0.clone();
    if let Some(policies) = call.get(&TOKEN_POLICIES).or_else(|| call.get(&OLD_POLICIES)) {
        user.token.policies = lasting(policies)?;
    }
    changed(call, Some(&seen), Some(&user)).map(Outcome::done)
}

/// What has to be written when the user that was `seen` becomes another, or is no more.
fn changed(call: &Call, seen: Option<&(User, Entry)>, user: Option<&User>) -> Result<Vec<Write>, Refusal> {
    let username = call.param(USERNAME.name);
    let name = name_of(username)?;
    let write = match user {
        Some(user) => Write::put(name, record::encode(SHAPE, user)?),
        None => Write::delete(name),
    };
    let before = seen.map(|(user, _)| &user.hash);
    let mut writes = foreign::changed(username, before, user.map(|user| &user.hash))?;
    writes.push(write.if_unchanged(seen.map(|(_, entry)| entry)));
    Ok(writes)
}

/// The hash of the password in the call, or the one that was sent instead.
fn given_hash(cx: &Cx, call: &Call) -> Result<Option<Hash>, Refusal> {
    let given = |field| call.get(&field).filter(|text: &String| !text.is_empty());
    match (given(PASSWORD), given(HASH)) {
        (Some(_), Some(_)) => {
            Err(Refusal::bad_request("'password' and 'password_hash' cannot both be given"))
        }
        (Some(password), None) => Hash::new(&checked(password)?, cx.entropy.as_ref()).map(Some),
        (None, Some(hash)) => Hash::foreign(&hash).map(Some),
        (None, None) => Ok(None),
    }
}

fn checked(password: String) -> Result<Secret, Refusal> {
    if password.len() > LONGEST {
        return Err(Refusal::bad_request("the password is too long"));
    }
    Ok(Secret::from(password))
}

fn no_password() -> Refusal {
    Refusal::bad_request("must provide either password or password_hash")
}

fn no_user() -> Refusal {
    Refusal::bad_request("username does not exist")
}

// === login ===

fn login(cx: &Cx, call: &Call) -> Result<Login, NoLogin> {
    let wrong = || NoLogin::wrong("invalid username or password");
    let password = call.get(&PASSWORD).filter(|password| !password.is_empty());
    let password = checked(password.ok_or_else(|| Refusal::bad_request("missing password"))?)?;
    let username = call.param(USERNAME.name);
    // A name that could not be stored is nobody's.
    let found = find_by_name(cx, username).ok().flatten();
    let highest_cost = foreign::highest_cost(cx)?;
    let fits = found.as_ref().map_or(Ok(false), |(user, _)| user.hash.verify(&password))?;
    let Some(seen) = found.as_ref().filter(|_| fits) else {
        Hash::fill_up(found.as_ref().map(|(user, _)| &user.hash), highest_cost, &password)?;
        return Err(wrong());
    };
    let (mut writes, token) = (Vec::new(), seen.0.token.clone());
    if seen.0.hash.bcrypt_cost().is_some() {
        let user = User { hash: Hash::new(&password, cx.entropy.as_ref())?, ..seen.0.clone() };
        writes = changed(call, Some(seen), Some(&user))?;
    }
    let mut metadata = JsonMap::new();
    metadata.insert("username".into(), username.into());
    Ok(Login { alias: username.to_owned(), display_name: username.to_owned(), metadata, token, writes })
}

fn renew(cx: &Cx, alias: &str) -> Result<TokenWish, Refusal> {
    let found = find_by_name(cx, alias)?;
    found.map(|(user, _)| user.token).ok_or_else(|| Refusal::bad_request("the user is gone, not renewing"))
}

#[cfg(test)]
mod tests;
