//! The only maker of tokens.

use std::sync::atomic::Ordering;

use aws_lc_rs::hmac;
use strongroom_barrier::Write;
use strongroom_engine::Entropy;
use strongroom_types::reply::AuthReply;
use strongroom_types::{Cidr, JsonMap, NoEntropy, Refusal, Secret, Timestamp};
use zeroize::Zeroizing;

use super::key::RANK_DIGITS;
use super::tree::due;
use super::{LoginRef, ROOT, TokenRecord, Tokens, batch, lease, name_by, record_name};
use crate::fault::damaged;

/// Begins each token that is not chosen.
pub(super) const PREFIX: &str = "hvs.";
/// Random characters.
pub(super) const OWN: usize = 26;
/// Those, and a rank.
const BODY: usize = OWN + RANK_DIGITS;
/// Characters of a checksum.
pub(super) const CHECK: usize = 8;
pub(super) const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of a random service token.
pub const TOKEN_LEN: usize = PREFIX.len() + BODY + CHECK;

/// What a new token is to be; all checks are done.
pub struct Wish {
    /// A chosen id; `None` makes a random one.
    pub id: Option<Secret>,
    /// Canonical, sorted.
    pub policies: Vec<String>,
    /// The path that makes it.
    pub path: String,
    /// The maker's notes.
    pub meta: Option<JsonMap>,
    /// For people.
    pub display_name: String,
    /// Seconds; 0 is for ever.
    pub ttl: i64,
    /// Seconds; 0 is no such limit.
    pub explicit_max_ttl: i64,
    /// Seconds; 0 is not periodic.
    pub period: i64,
    /// 0 is unlimited.
    pub num_uses: u64,
    /// Whether it may be renewed.
    pub renewable: bool,
    /// The key of its parent; `None` is an orphan.
    pub parent: Option<String>,
    /// The networks it may be used from; none is from everywhere.
    pub bound_cidrs: Vec<Cidr>,
    /// The role that makes it; empty without one.
    pub role: String,
    /// Whether it is to be a batch token.
    pub batch: bool,
    /// The role that the login is for; empty without one.
    pub login_role: String,
    /// The login that makes it.
    pub login: Option<LoginRef>,
}

impl Wish {
    /// A token of nobody's, for ever and not renewable.
    pub fn of(policies: Vec<String>, path: String) -> Self {
        Self {
            id: None,
            policies,
            path,
            meta: None,
            display_name: String::new(),
            ttl: 0,
            explicit_max_ttl: 0,
            period: 0,
            num_uses: 0,
            renewable: false,
            parent: None,
            bound_cidrs: Vec::new(),
            role: String::new(),
            batch: false,
            login_role: String::new(),
            login: None,
        }
    }

    /// A token that allows everything, for ever: only init and a threshold of custodians make one.
    pub fn root() -> Self {
        Self { display_name: "root".into(), ..Self::of(vec![ROOT.to_owned()], "auth/token/root".into()) }
    }
}

/// A token that exists once `writes` are committed.
pub struct Minted {
    /// For the client, once.
    pub auth: AuthReply,
    /// For the tokens' view.
    pub writes: Vec<Write>,
}

impl Tokens {
    /// Makes a token.
    pub fn mint(&self, wish: Wish, entropy: &dyn Entropy, now: Timestamp) -> Result<Minted, Refusal> {
        if wish.ttl > 0 {
            self.clock.check(now)?;
        }
        let mut record = TokenRecord {
            v: 1,
            accessor: String::new(),
            policies: wish.policies,
            path: wish.path,
            meta: wish.meta,
            display_name: wish.display_name,
            created: now,
            creation_ttl: wish.ttl,
            expires: (wish.ttl > 0).then(|| now.plus_secs(wish.ttl)),
            explicit_max_ttl: wish.explicit_max_ttl,
            period: wish.period,
            num_uses: wish.num_uses,
            renewable: wish.renewable,
            parent: wish.parent,
            last_renewal: None,
            last_ttl: None,
            bound_cidrs: wish.bound_cidrs,
            role: wish.role,
            batch: wish.batch,
            login: wish.login,
            ended: false,
            spares_children: false,
            era: self.clock.era(),
        };
        if record.batch {
            let token = self.seal_batch(&record)?;
            return Ok(Minted { auth: record.auth(token, now), writes: Vec::new() });
        }
        let token = match wish.id {
            Some(id) => id,
            None => self.random_token(entropy)?,
        };
        let key = self.key(&token);
        record.accessor = self.keys.accessor(&key)?;
        let body = serde_json::to_vec(&record).map_err(damaged)?;
        let mut writes = vec![Write::put(record_name(&key)?, body).if_unchanged(None)];
        if let Some(parent) = &record.parent {
            writes.push(Write::put(name_by(&["child", parent], &key)?, Vec::new()));
        }
        writes.extend(
            lease::name_of(&key, &record)?.map(|name| Write::put(name, wish.login_role.into_bytes())),
        );
        writes.extend(due(&key, &record)?.map(|(minute, name)| Write::put(name, Vec::new()).due(minute)));
        Ok(Minted { auth: record.auth(token, now), writes })
    }

    fn random_token(&self, entropy: &dyn Entropy) -> Result<Secret, Refusal> {
        let own = Zeroizing::new(base62(entropy, OWN)?);
        // Long enough from the beginning: a text that grows leaves copies behind.
        let mut text = String::with_capacity(TOKEN_LEN);
        text.push_str(PREFIX);
        text.push_str(&own);
        let rank = self.next.fetch_add(1, Ordering::Relaxed);
        text.push_str(&self.keys.disguised(own.as_bytes(), rank));
        let check = self.checksum(text.as_bytes());
        text.push_str(&check);
        Ok(Secret::from(text))
    }

    /// Whether `token` may be one: tokens of our own form must carry the right checksum, chosen ids have none.
    pub(super) fn checksum_holds(&self, token: &[u8]) -> bool {
        if token.starts_with(batch::PREFIX.as_bytes()) {
            return token
                .split_last_chunk::<CHECK>()
                .is_some_and(|(body, check)| self.has_checksum(body, check));
        }
        if !token.starts_with(PREFIX.as_bytes()) {
            return !token.is_empty();
        }
        token
            .split_at_checked(PREFIX.len() + BODY)
            .is_some_and(|(body, check)| self.has_checksum(body, check))
    }

    fn has_checksum(&self, body: &[u8], check: &[u8]) -> bool {
        self.checksum(body).as_bytes() == check
    }

    /// Not a proof of anything: it only keeps made-up tokens from reaching the storage.
    pub(super) fn checksum(&self, body: &[u8]) -> String {
        let mut keyed = hmac::Context::with_key(&self.salt);
        keyed.update(b"checksum\0");
        keyed.update(body);
        keyed.sign().as_ref().iter().take(CHECK).map(|byte| digit(*byte % 62)).collect()
    }
}

impl TokenRecord {
    /// The envelope's `auth` for this token.
    pub fn auth(&self, client_token: Secret, now: Timestamp) -> AuthReply {
        AuthReply {
            client_token,
            accessor: self.accessor.clone(),
            policies: self.policies.clone(),
            token_policies: self.policies.clone(),
            identity_policies: Vec::new(),
            metadata: self.meta.clone(),
            lease_duration: self.ttl(now),
            renewable: self.renewable,
            entity_id: self.entity().to_owned(),
            token_type: self.kind(),
            orphan: self.parent.is_none(),
            num_uses: self.num_uses,
        }
    }
}

/// `count` random characters, without modulo bias.
pub fn base62(entropy: &dyn Entropy, count: usize) -> Result<String, NoEntropy> {
    let mut text = String::with_capacity(count);
    let mut bytes = Zeroizing::new([0; 64]);
    while text.len() < count {
        entropy.fill(bytes.as_mut_slice())?;
        // 248 = 4 * 62: larger bytes would favour the first characters.
        let fair = bytes.iter().filter(|byte| **byte < 248).take(count - text.len());
        text.extend(fair.map(|byte| digit(byte % 62)));
    }
    Ok(text)
}

pub(super) fn digit(value: u8) -> char {
    BASE62.get(usize::from(value)).map_or('0', |byte| char::from(*byte))
}
