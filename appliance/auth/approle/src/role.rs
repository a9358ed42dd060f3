//! Roles: what is stored of one, and how it changes.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_engine::auth::{TOKEN_FIELDS, TOKEN_PERIOD, TOKEN_POLICIES, lasting};
use strongroom_engine::{
    Call, Cx, Entry, Field, FieldSpec, JsonMap, Name, Refusal, Seconds, TokenWish, Write, record,
};
use strongroom_types::Cidr;
use strongroom_types::cidr::parse_all;
use strongroom_types::id::random_uuid;

use crate::keys::Keys;
use crate::{ROLE, SHAPE};

/// Longest id of a role, in bytes: it is the name of an alias.
const LONGEST_ID: usize = 512;

/// The id that the role is to have.
pub const ROLE_ID: Field<String> = Field::new("role_id", "The id to log in by; a random one by default.");
/// Whether a secret-id is needed.
pub const BIND: Field<bool> = Field::new("bind_secret_id", "Whether a secret-id is needed to log in.");
/// From where secret-ids are accepted.
pub const BOUND: Field<Vec<String>> =
    Field::new("secret_id_bound_cidrs", "The networks to log in from with a secret-id.");
/// The older name of it.
pub const OLD_BOUND: Field<Vec<String>> =
    Field::new("bound_cidr_list", "The older name of 'secret_id_bound_cidrs'.");
/// How often a secret-id can be used.
pub const USES: Field<i64> =
    Field::new("secret_id_num_uses", "How often a secret-id can be used; 0 is unlimited.");
/// How long a secret-id can be used.
pub const TTL: Field<Seconds> =
    Field::new("secret_id_ttl", "How long a secret-id can be used; 0 is for ever.");
/// Whether secret-ids stay on this cluster.
pub const LOCAL: Field<bool> =
    Field::new("local_secret_ids", "Whether secret-ids stay on this cluster; only when the role is made.");
/// The older name of `token_policies`.
pub const OLD_POLICIES: Field<Vec<String>> = Field::new("policies", "The older name of 'token_policies'.");
/// The older name of `token_period`.
pub const OLD_PERIOD: Field<Seconds> = Field::new("period", "The older name of 'token_period'.");

/// All of them, for the route table.
pub const FIELDS: &[FieldSpec] = &{
    let [a, b, c, d, e, f, g, h, i, j] = TOKEN_FIELDS;
    let [k, l, m] = [BIND.spec(), BOUND.spec(), OLD_BOUND.spec()];
    let [n, o, p] = [USES.spec(), TTL.spec(), LOCAL.spec()];
    let [q, r, s] = [OLD_POLICIES.spec(), OLD_PERIOD.spec(), ROLE_ID.spec()];
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s]
};

/// What is stored of a role.
#[derive(Clone, Serialize, Deserialize)]
pub struct Role {
    /// What its secret-ids belong to; no two roles ever have the same.
    pub uid: String,
    /// In lower case.
    pub name: String,
    /// What logins name.
    pub role_id: String,
    /// Whether a secret-id is needed.
    pub bind_secret_id: bool,
    /// From where secret-ids are accepted; none is everywhere.
    pub secret_id_bound_cidrs: Vec<Cidr>,
    /// Of a new secret-id; 0 is unlimited.
    pub secret_id_num_uses: u64,
    /// Of a new secret-id, in seconds; 0 is for ever.
    pub secret_id_ttl: i64,
    /// Accepted and shown; there is one cluster.
    pub local_secret_ids: bool,
    /// What the token of a login is to be.
    pub token: TokenWish,
    /// Whether `policies` was used, which is shown then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_old_policies: bool,
    /// Whether `period` was used, which is shown then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_old_period: bool,
}

impl Role {
    /// A new one.
    pub fn new(cx: &Cx, name: &str) -> Result<Self, Refusal> {
        Ok(Self {
            uid: HEXLOWER.encode(&cx.random::<16>()?),
            name: name.to_owned(),
            role_id: random_uuid(cx.entropy.as_ref())?,
            bind_secret_id: true,
            secret_id_bound_cidrs: Vec::new(),
            secret_id_num_uses: 0,
            secret_id_ttl: 0,
            local_secret_ids: false,
            token: TokenWish::default(),
            by_old_policies: false,
            by_old_period: false,
        })
    }

    /// Takes over the fields that `call` names; a null takes one back. The older names count where the newer ones are
    /// not given.
    pub fn take(&mut self, call: &Call) -> Result<(), Refusal> {
        self.token.take(call)?;
        if let (None, Some(policies)) = (call.get(&TOKEN_POLICIES), call.setting(&OLD_POLICIES)) {
            self.token.policies = lasting(policies)?;
            self.by_old_policies = true;
        }
        if let (None, Some(period)) = (call.get(&TOKEN_PERIOD), call.setting(&OLD_PERIOD)) {
            self.token.period = not_negative(period.secs(), "period")?;
            self.by_old_period = true;
        }
        self.bind_secret_id = call.setting_or(&BIND, true).unwrap_or(self.bind_secret_id);
        for field in [OLD_BOUND, BOUND] {
            if let Some(given) = call.setting(&field) {
                self.secret_id_bound_cidrs = parse_all(field.spec().name, &given)?;
            }
        }
        if let Some(uses) = call.setting(&USES) {
            self.secret_id_num_uses = not_negative(uses, USES.spec().name)?.unsigned_abs();
        }
        if let Some(ttl) = call.setting(&TTL) {
            self.secret_id_ttl = not_negative(ttl.secs(), TTL.spec().name)?;
        }
        self.token.check()?;
        let is_bound = self.bind_secret_id
            || !self.secret_id_bound_cidrs.is_empty()
            || !self.token.bound_cidrs.is_empty();
        match is_bound {
            true => Ok(()),
            false => Err(Refusal::bad_request("at least one constraint should be enabled on the role")),
        }
    }

    /// As clients read it.
    pub fn shown(&self) -> JsonMap {
        let mut shown = self.token.shown();
        let bound = with_bits(&self.secret_id_bound_cidrs);
        let mut put = |name: &str, value| shown.insert(name.to_owned(), value);
        put("bind_secret_id", self.bind_secret_id.into());
        put("local_secret_ids", self.local_secret_ids.into());
        put("secret_id_bound_cidrs", if bound.is_empty() { json!(null) } else { json!(bound) });
        put("secret_id_num_uses", self.secret_id_num_uses.into());
        put("secret_id_ttl", self.secret_id_ttl.into());
        if self.by_old_policies {
            put("policies", json!(self.token.policies));
        }
        if self.by_old_period {
            put("period", self.token.period.into());
        }
        shown
    }
}

/// Networks as AppRole shows them: a single address with its bits, too.
pub fn with_bits(networks: &[Cidr]) -> Vec<String> {
    let text = |network: &Cidr| match network.to_string() {
        text if text.contains('/') => text,
        text if text.contains(':') => text + "/128",
        text => text + "/32",
    };
    networks.iter().map(text).collect()
}

/// A number of the client's that cannot be negative.
pub fn not_negative(value: i64, field: &str) -> Result<i64, Refusal> {
    if value < 0 { Err(Refusal::bad_request(format!("'{field}' cannot be negative"))) } else { Ok(value) }
}

/// Where the role with this name is stored.
pub fn name_of(role: &str) -> Result<Name, Refusal> {
    record::name("role", role)
}

/// Where the name of the role with the id of this hash is stored.
pub fn name_of_id(hash: &str) -> Result<Name, Refusal> {
    record::name("role-id", hash)
}

/// The role in the path.
pub fn find(cx: &Cx, call: &Call) -> Result<Option<(Role, Entry)>, Refusal> {
    let Some(entry) = cx.get(&name_of(call.param(ROLE.name))?)? else { return Ok(None) };
    Ok(Some((record::decode(SHAPE, &entry)?, entry)))
}

/// The role in the path, which must be there.
pub fn required(cx: &Cx, call: &Call) -> Result<(Role, Entry), Refusal> {
    find(cx, call)?
        .ok_or_else(|| Refusal::new(strongroom_types::error::Kind::NotFound, "the role does not exist"))
}

/// The role with this id.
pub fn find_by_id(cx: &Cx, keys: &Keys, role_id: &str) -> Result<Option<Role>, Refusal> {
    let Some(entry) = cx.get(&name_of_id(&keys.of_role_id(role_id))?)? else { return Ok(None) };
    let name: String = record::decode(SHAPE, &entry)?;
    let Some(entry) = cx.get(&name_of(&name)?)? else { return Ok(None) };
    let role: Role = record::decode(SHAPE, &entry)?;
    Ok((role.role_id == role_id).then_some(role))
}

/// Stores `role`, which was `seen` before, with its id `was`; both are `None` for a new one.
pub fn put(cx: &Cx, role: &Role, seen: Option<&Entry>, was: Option<&str>) -> Result<Vec<Write>, Refusal> {
    let mut writes = Vec::new();
    if was != Some(role.role_id.as_str()) {
        check_id(&role.role_id)?;
        let keys = Keys::load_or_make(cx, &mut writes)?;
        let name = name_of_id(&keys.of_role_id(&role.role_id))?;
        if cx.has(&name)? {
            return Err(Refusal::bad_request("role_id already in use by another role"));
        }
        writes.push(Write::put(name, record::encode(SHAPE, &role.name)?).if_unchanged(None));
        if let Some(was) = was {
            writes.push(Write::delete(name_of_id(&keys.of_role_id(was))?));
        }
    }
    writes.push(Write::put(name_of(&role.name)?, record::encode(SHAPE, role)?).if_unchanged(seen));
    Ok(writes)
}

fn check_id(role_id: &str) -> Result<(), Refusal> {
    let is_fine = !role_id.is_empty()
        && role_id.len() <= LONGEST_ID
        && role_id.trim() == role_id
        && !role_id.chars().any(char::is_control);
    match is_fine {
        true => Ok(()),
        false => Err(Refusal::bad_request(
            "'role_id' must be text of 1 to 512 bytes, without control characters or spaces around it",
        )),
    }
}
