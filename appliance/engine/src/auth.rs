//! Auth methods: engines whose routes log somebody in.
//!
//! A method is an [`Engine`] like any other, mounted below `auth/`, with a route whose handler is
//! [`crate::Handler::Login`]. It proves who asks and says what the token is to be; core makes the token, in the same
//! commit as the method's writes. Before each renewal core asks the method again.
//!
//! How a method is added: as an engine is, in `appliance/auth/<name>`, with a [`Method`] instead of the [`Engine`] in
//! the binary's `registry.rs`. Userpass (`appliance/auth/userpass`) is the worked example.

use serde::{Deserialize, Serialize};
use serde_json::json;
use strongroom_policy::PolicyName;
use strongroom_types::cidr::parse_all;
use strongroom_types::{Cidr, JsonMap, Refusal};

use crate::{Call, Cx, Engine, Field, Seconds, Write};

/// An auth method.
pub struct Method {
    /// What answers below the mount.
    pub engine: Engine,
    /// Who a login is for, before its proof is looked at: core counts wrong proofs by this name. `None` where only the
    /// proof says who it is (a certificate, a signed token): there is nothing to guess then, and nobody is locked out.
    pub knock: Option<KnockRun>,
    /// Whether what is knocked for may have a role.
    pub has_roles: bool,
    /// What the token of whoever has logged in as this alias may be now. Refused if they could log in no more.
    pub renew: fn(&Cx, &str) -> Result<TokenWish, Refusal>,
}

/// See [`Method::knock`].
pub type KnockRun = fn(&Cx, &Call) -> Result<Knock, Refusal>;

impl Method {
    /// A method without anything; use with struct update syntax.
    pub const BASE: Self = Self {
        engine: Engine::BASE,
        knock: None,
        has_roles: false,
        renew: |_, _| Err(Refusal::bad_request("not renewable")),
    };
}

/// Somebody asks to be let in.
pub struct Knock {
    /// Whom they say they are: the very name that [`Login::alias`] will have, made canonical by the same function. A login
    /// that ends as anybody else is refused.
    pub alias: String,
    /// Whether there is such a one: failures of nobody are counted too, so that nothing tells, but not stored.
    pub is_known: bool,
    /// What of the method's records is used up by the login, if something is: one login after the other has its turn
    /// with it.
    pub turn: Option<String>,
    /// The role it is for, by whose quota it is charged; `None` where the method has no roles, or there is no such one.
    pub role: Option<String>,
}

/// Somebody has proven who they are.
pub struct Login {
    /// The one canonical name of who it is, within the mount.
    pub alias: String,
    /// What follows the mount's name in the token's display name; empty is nothing.
    pub display_name: String,
    /// For look-ups and the audit log.
    pub metadata: JsonMap,
    /// What the token is to be.
    pub token: TokenWish,
    /// What of the method's own records follows.
    pub writes: Vec<Write>,
}

/// Why somebody is not let in.
pub enum NoLogin {
    /// The proof is wrong: it counts against whoever it was for.
    Wrong(Refusal),
    /// Anything else.
    Refused(Refusal),
}

impl NoLogin {
    /// A wrong proof: 400 with this text, which must be the same for everybody.
    pub fn wrong(text: &'static str) -> Self {
        Self::Wrong(Refusal::bad_request(text))
    }

    /// What the client is told.
    pub fn into_refusal(self) -> Refusal {
        let (Self::Wrong(refusal) | Self::Refused(refusal)) = self;
        refusal
    }
}

impl From<Refusal> for NoLogin {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What a token is to be that a login makes: the `token_…` fields that all methods share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenWish {
    /// In lower case, trimmed, sorted.
    pub policies: Vec<String>,
    /// Seconds; 0 is the mount's.
    pub ttl: i64,
    /// Seconds that renewals reach at most; 0 is the mount's.
    pub max_ttl: i64,
    /// Seconds that it lives at most, whatever is changed later; 0 is no such limit.
    pub explicit_max_ttl: i64,
    /// Seconds; 0 is not periodic.
    pub period: i64,
    /// 0 is unlimited.
    pub num_uses: u64,
    /// Whether the default policy is left out.
    pub no_default_policy: bool,
    /// The networks to log in and to use the token from; none is everywhere.
    pub bound_cidrs: Vec<Cidr>,
    /// Whether the token is bound to the address of its login.
    pub strictly_bind_ip: bool,
    /// `service`, `batch`, `default-service`, `default-batch`; empty is the mount's.
    pub token_type: String,
}

/// The policies of the token.
pub const TOKEN_POLICIES: Field<Vec<String>> = Field::new("token_policies", "The policies of the token.");
/// How long the token lives.
pub const TOKEN_TTL: Field<Seconds> = Field::new("token_ttl", "How long the token lives at first.");
/// How long renewals reach.
pub const TOKEN_MAX_TTL: Field<Seconds> =
    Field::new("token_max_ttl", "How long renewals let it live at most.");
/// How long the token lives at most.
pub const TOKEN_EXPLICIT_MAX_TTL: Field<Seconds> =
    Field::new("token_explicit_max_ttl", "How long it lives at most, whatever is changed later.");
/// What each renewal gives.
pub const TOKEN_PERIOD: Field<Seconds> = Field::new("token_period", "What each renewal gives.");
/// How often the token may be used.
pub const TOKEN_NUM_USES: Field<i64> =
    Field::new("token_num_uses", "How often it may be used; 0 is unlimited.");
/// Whether the default policy is left out.
pub const TOKEN_NO_DEFAULT: Field<bool> =
    Field::new("token_no_default_policy", "Whether the default policy is left out.");
/// The networks of login and token.
pub const TOKEN_BOUND_CIDRS: Field<Vec<String>> =
    Field::new("token_bound_cidrs", "The networks to log in and to use the token from.");
/// Whether the token is bound to its login's address.
pub const TOKEN_STRICTLY: Field<bool> =
    Field::new("token_strictly_bind_ip", "Whether the token is bound to the address of its login.");
/// The token's type.
pub const TOKEN_TYPE: Field<String> =
    Field::new("token_type", "service, batch, default-service or default-batch.");

/// All of them, for a route table.
pub const TOKEN_FIELDS: [crate::FieldSpec; 10] = [
    TOKEN_POLICIES.spec(),
    TOKEN_TTL.spec(),
    TOKEN_MAX_TTL.spec(),
    TOKEN_EXPLICIT_MAX_TTL.spec(),
    TOKEN_PERIOD.spec(),
    TOKEN_NUM_USES.spec(),
    TOKEN_NO_DEFAULT.spec(),
    TOKEN_BOUND_CIDRS.spec(),
    TOKEN_STRICTLY.spec(),
    TOKEN_TYPE.spec(),
];

impl TokenWish {
    /// Takes over the fields that `call` names; a null takes one back.
    pub fn take(&mut self, call: &Call) -> Result<(), Refusal> {
        if let Some(policies) = call.setting(&TOKEN_POLICIES) {
            self.policies = lasting(policies)?;
        }
        for (field, value) in [
            (TOKEN_TTL, &mut self.ttl),
            (TOKEN_MAX_TTL, &mut self.max_ttl),
            (TOKEN_EXPLICIT_MAX_TTL, &mut self.explicit_max_ttl),
            (TOKEN_PERIOD, &mut self.period),
        ] {
            if let Some(given) = call.setting(&field) {
                *value = positive(given.secs(), field.spec().name)?;
            }
        }
        if let Some(uses) = call.setting(&TOKEN_NUM_USES) {
            self.num_uses = positive(uses, TOKEN_NUM_USES.spec().name)?.unsigned_abs();
        }
        if let Some(given) = call.setting(&TOKEN_BOUND_CIDRS) {
            self.bound_cidrs = parse_all(TOKEN_BOUND_CIDRS.spec().name, &given)?;
        }
        self.no_default_policy = call.setting(&TOKEN_NO_DEFAULT).unwrap_or(self.no_default_policy);
        self.strictly_bind_ip = call.setting(&TOKEN_STRICTLY).unwrap_or(self.strictly_bind_ip);
        if let Some(kind) = call.setting(&TOKEN_TYPE) {
            self.token_type = match kind.as_str() {
                "" | "default" => String::new(),
                "service" | "batch" | "default-service" | "default-batch" => kind,
                _ => return Err(Refusal::bad_request("invalid value for 'token_type'")),
            };
        }
        self.check()
    }

    /// Whether the values go together.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.max_ttl > 0 && self.ttl > self.max_ttl {
            return Err(Refusal::bad_request("'token_ttl' cannot be greater than 'token_max_ttl'"));
        }
        let counted = self.period > 0 || self.num_uses > 0 || self.explicit_max_ttl > 0;
        if self.token_type == "batch" && counted {
            return Err(Refusal::bad_request(
                "batch tokens cannot have a period, an explicit maximum or a number of uses",
            ));
        }
        Ok(())
    }

    /// As clients read it.
    pub fn shown(&self) -> JsonMap {
        let shown = json!({
            "token_bound_cidrs": self.bound_cidrs,
            "token_explicit_max_ttl": self.explicit_max_ttl,
            "token_max_ttl": self.max_ttl,
            "token_no_default_policy": self.no_default_policy,
            "token_num_uses": self.num_uses,
            "token_period": self.period,
            "token_policies": self.policies,
            "token_strictly_bind_ip": self.strictly_bind_ip,
            "token_ttl": self.ttl,
            "token_type": if self.token_type.is_empty() { "default" } else { &self.token_type },
        });
        shown.as_object().cloned().unwrap_or_default()
    }
}

/// The canonical names of policies that a login may give: never `root`, and none that no policy can have. Core checks
/// them again at each login.
pub fn lasting(given: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut policies = Vec::new();
    for text in given.iter().filter(|text| !text.trim().is_empty()) {
        let name = PolicyName::parse_lasting(text).map_err(|why| Refusal::bad_request(why.to_string()))?;
        policies.push(name.as_str().to_owned());
    }
    policies.sort();
    policies.dedup();
    Ok(policies)
}

fn positive(value: i64, field: &str) -> Result<i64, Refusal> {
    if value < 0 { Err(Refusal::bad_request(format!("'{field}' cannot be negative"))) } else { Ok(value) }
}
