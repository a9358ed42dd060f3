//! The login itself: one commit, and no work that a stranger could make long.
//!
//! An unknown role and a wrong secret-id take the same steps and are told the same: as many records are looked up, and
//! none is compared with what was sent.

use strongroom_engine::{
    Call, Cx, Entry, Field, FieldSpec, JsonMap, Knock, Login, NoLogin, Refusal, TokenWish, Write,
};
use strongroom_types::cidr::narrowed;
use strongroom_types::{Cidr, Secret};

use crate::keys::Keys;
use crate::role::{self, Role};
use crate::secret_id::{self, SecretId};
use crate::secret_id_routes::LONGEST;

const ROLE_ID: Field<String> = Field::new("role_id", "The id of the role.");
const SECRET_ID: Field<String> = Field::new("secret_id", "One of the role's secret-ids.");

/// For the route table.
pub const FIELDS: &[FieldSpec] = &[ROLE_ID.spec(), SECRET_ID.spec()];

/// What stands for the uid of a role that is not there: no role has it.
const NOBODY: &str = "-";

/// What was sent, and what is stored of it.
struct Attempt {
    role_id: String,
    role: Option<Role>,
    /// Its hash, if one was sent.
    hash: Option<String>,
    secret_id: Option<(SecretId, Entry)>,
}

impl Attempt {
    fn of(cx: &Cx, call: &Call) -> Result<Self, Refusal> {
        let text = |field| call.get(&field).map(|text: String| text.trim().to_owned());
        let role_id = text(ROLE_ID).filter(|text| !text.is_empty());
        let role_id = role_id.ok_or_else(|| Refusal::bad_request("missing role_id"))?;
        let secret =
            text(SECRET_ID).filter(|text| !text.is_empty() && text.len() <= LONGEST).map(Secret::from);
        let Some(keys) = Keys::load(cx)? else {
            return Ok(Self { role_id, role: None, hash: secret.map(|_| String::new()), secret_id: None });
        };
        let role = role::find_by_id(cx, &keys, &role_id)?;
        if role.is_none() {
            // As many steps as for one that is there.
            cx.has(&role::name_of(NOBODY)?)?;
        }
        let uid = role.as_ref().map_or(NOBODY, |role| role.uid.as_str());
        let hash = secret.map(|secret| keys.of_secret_id(uid, &secret));
        let found = hash.as_ref().map(|hash| secret_id::find(cx, uid, hash)).transpose()?;
        Ok(Self { role_id, role, hash, secret_id: found.flatten() })
    }
}

/// Who it is for: the role's id, as it is stored.
pub fn knock(cx: &Cx, call: &Call) -> Result<Knock, Refusal> {
    let attempt = Attempt::of(cx, call)?;
    let is_counted = attempt.secret_id.is_some_and(|(record, _)| record.num_uses > 0);
    let turn = attempt.hash.filter(|_| is_counted);
    let is_known = attempt.role.is_some();
    Ok(Knock { alias: attempt.role_id, is_known, turn, role: attempt.role.map(|role| role.name) })
}

/// Lets in whoever has a secret-id of the role, within what both are bound to.
pub fn login(cx: &Cx, call: &Call) -> Result<Login, NoLogin> {
    let wrong = || NoLogin::wrong("invalid role or secret ID");
    let Attempt { role_id, role, hash, secret_id } = Attempt::of(cx, call)?;
    let needs_secret = role.as_ref().is_none_or(|role| role.bind_secret_id);
    if needs_secret && hash.is_none() {
        return Err(Refusal::bad_request("missing secret_id").into());
    }
    let role = role.ok_or_else(wrong)?;
    if !is_from(cx, &role.secret_id_bound_cidrs) {
        return Err(wrong());
    }
    let (writes, metadata, networks) = match (role.bind_secret_id, hash, secret_id) {
        (false, ..) => (Vec::new(), JsonMap::new(), Vec::new()),
        (true, Some(hash), Some((record, seen))) if record.is_live(cx) && is_from(cx, &record.cidr_list) => {
            let writes: Vec<Write> = secret_id::used(&role.uid, &hash, &record, &seen, cx.now)?;
            (writes, record.metadata, record.token_bound_cidrs)
        }
        (true, ..) => return Err(wrong()),
    };
    let mut metadata = metadata;
    metadata.insert("role_name".into(), role.name.into());
    // The role's may have become narrower than they were when the secret-id was made.
    let bound_cidrs = narrowed(&role.token.bound_cidrs, &networks).ok_or_else(wrong)?;
    let token = TokenWish { bound_cidrs, ..role.token };
    Ok(Login { alias: role_id, display_name: String::new(), metadata, token, writes })
}

/// An address that is not known is in no network.
fn is_from(cx: &Cx, networks: &[Cidr]) -> bool {
    let near = |remote| networks.iter().any(|network| network.contains(remote));
    networks.is_empty() || cx.remote.is_some_and(near)
}

/// A role that is gone, or has another id by now, renews nothing.
pub fn renew(cx: &Cx, role_id: &str) -> Result<TokenWish, Refusal> {
    let keys = Keys::load(cx)?;
    let role = keys.map(|keys| role::find_by_id(cx, &keys, role_id)).transpose()?.flatten();
    role.map(|role| role.token).ok_or_else(|| Refusal::bad_request("the role is gone, not renewing"))
}
