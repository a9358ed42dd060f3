//! AppRole: programs log in by the id of a role and one of its secret-ids.
//!
//! # Storage
//!
//! | name | value |
//! |---|---|
//! | `salt` | 32 random bytes in hexadecimal, made with the first role |
//! | `role`, name in lower case | the [`Role`](role::Role) |
//! | `role-id`, hash | the name of the role with this id |
//! | `secret-id`, uid, hash | the [`SecretId`](secret_id::SecretId) |
//! | `accessor`, uid, accessor | the hash of the secret-id that it names |
//! | `gone`, uid | nothing: a role that was deleted, whose secret-ids are to be removed |
//! | uid, hash; ordered by expiry | nothing: a secret-id that expires |
//!
//! Each value is JSON behind the byte 1, a secret-id behind the byte 2 (1 is the same without an era). A *hash* is an HMAC-SHA256 under the salt ([`keys`]): no secret-id is stored, and
//! none is ever compared, it is looked up. *uid* is drawn when a role is made. A secret-id belongs to it and not to the
//! role's name: with the role all of them are out of reach at once, and another role of the same name has none of them.
//!
//! Expired secret-ids are refused at their use; the [sweep](mod@sweep) only gives their space back.

mod keys;
mod login;
mod metadata;
mod role;
mod role_routes;
mod secret_id;
mod secret_id_routes;
mod settings;
mod sweep;
#[cfg(test)]
mod tests;

use strongroom_engine::{
    Call, Cx, Endpoint, Engine, Handler, Method, MountOptions, Outcome, Param, ParamKind, Refusal, Reply,
    Route, Table,
};
use strongroom_types::reply::Logical;

/// The method, for the registry.
pub static METHOD: Method = Method {
    engine: Engine {
        kind: "approle",
        help: "Programs log in by the id of a role and a secret.",
        routes,
        sweep: Some(sweep::sweep),
        ..Engine::BASE
    },
    knock: Some(login::knock),
    has_roles: true,
    renew: login::renew,
};

/// The shape of every record but that of a secret-id, which has its own.
const SHAPE: u8 = 1;

const ROLE: Param = Param {
    name: "role_name",
    help: "The role; upper case is taken as lower case.",
    kind: ParamKind::Folded,
};

const ROUTES: Table<Handler> = &{
    let [r1, r2, r3] = role_routes::ROUTES;
    let [i1, i2, i3, i4, i5, i6] = secret_id_routes::ROUTES;
    let [s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12] = settings::ROUTES;
    [
        r1,
        r2,
        r3,
        i1,
        i2,
        i3,
        i4,
        i5,
        i6,
        s1,
        s2,
        s3,
        s4,
        s5,
        s6,
        s7,
        s8,
        s9,
        s10,
        s11,
        s12,
        Route {
            path: "tidy/secret-id",
            help: "Secret-ids that have expired.",
            endpoints: &[Endpoint::write("Remove what has expired now, not at the next sweep.", &[], tidy)],
            ..Route::BASE
        },
        Route {
            path: "login",
            help: "Log in.",
            unauthenticated: true,
            endpoints: &[Endpoint::login(
                "Log in with a role id and a secret-id.",
                login::FIELDS,
                login::login,
            )],
            ..Route::BASE
        },
    ]
};

fn routes(_: &MountOptions) -> Result<Table<Handler>, Refusal> {
    Ok(ROUTES)
}

/// A first slice at once; the sweep does the rest.
fn tidy(cx: &Cx, _: &Call) -> Result<Outcome, Refusal> {
    let text = "Tidy operation successfully started. What is left is removed by the sweep.";
    let reply = Logical { status: Some(202), warnings: vec![text.into()], ..Logical::default() };
    Ok(Outcome::new(Reply::Logical(Box::new(reply)), sweep::sweep(cx)?))
}
