//! Tokens: who may ask.
//!
//! A token is `hvs.` ‖ 32 base62 characters ‖ 8 characters of a keyed checksum, so that a made-up token
//! is refused before any storage is read. It is never stored: its record stands under its *key*, which a salt of the barrier
//! makes of it ([`key`]).
//!
//! A batch token is stored nowhere: it *is* its record, encrypted ([`batch`]). It has no accessor, no cubbyhole and no
//! children, and ends with its parent.
//!
//! Records in the tokens' own view, each JSON:
//!
//! | name | holds |
//! |---|---|
//! | `["salt"]` | 32 bytes, made at init |
//! | `["id", key]` | the [`TokenRecord`] |
//! | `["child", parent key, key]` | nothing: the tree for revocation |
//! | `["lease", segment of the path …, "h" ‖ key]` | the role of the login that made it, if there is one: the tokens that end by themselves, by the path that made them |
//! | `["role", name]` | the [`role::RoleRecord`] |
//! | `[key]`, ordered by expiry | nothing: what the sweep reads |

mod batch;
mod create;
mod grant;
mod key;
mod lease;
mod lineage;
mod mint;
mod recent;
mod record;
mod renew;
mod role;
mod role_routes;
pub mod routes;
mod spend;
mod tree;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use strongroom_barrier::{Entry, Name, Reader, View, Write};
use strongroom_engine::Entropy;
use strongroom_store::Revision;
use strongroom_types::error::Kind;
use strongroom_types::{Refusal, Secret, Timestamp};
use tokio::sync::RwLock;

use crate::clock::Floored;
use crate::fault::{barrier, damaged};
use crate::mounts::MountTable;

pub use create::least;
pub use lease::Below;
pub use mint::{TOKEN_LEN, Wish, base62};
pub use record::{LoginRef, TokenRecord};
pub use renew::capped;
pub use spend::UseLocks;

/// The one policy that allows everything.
pub const ROOT: &str = "root";

/// A token that was found and has not expired.
pub struct Known {
    /// The key of its record.
    pub key: String,
    /// What is stored.
    pub record: TokenRecord,
    /// For the precondition of a change; `None` for a batch token.
    pub entry: Option<Entry>,
}

/// The tokens of a namespace.
pub struct Tokens {
    /// Their records.
    pub view: View,
    /// See [`tree`].
    pub family: Arc<RwLock<()>>,
    /// The auth methods among them give tokens, which end with their method.
    mounts: Arc<ArcSwap<MountTable>>,
    clock: Arc<Floored>,
    salt: hmac::Key,
    keys: key::Keys,
    recent: recent::Recent,
    /// The rank of the next one.
    next: AtomicU32,
}

impl Tokens {
    /// With the salt that init has stored.
    pub fn load(
        view: View,
        reader: &Reader,
        clock: Arc<Floored>,
        mounts: Arc<ArcSwap<MountTable>>,
    ) -> Result<Self, Refusal> {
        let salt = reader.get(&name(&["salt"])?).map_err(barrier)?;
        let salt = salt.ok_or_else(|| damaged("the token salt is missing"))?;
        // Each token took a commit: what is made from now on comes behind all of them.
        Self::new(view, salt.value.expose(), reader.revision(), clock, mounts)
    }

    /// With a new salt, and the write that stores it.
    pub fn create(view: View, entropy: &dyn Entropy, clock: Arc<Floored>) -> Result<(Self, Write), Refusal> {
        let salt = Secret::from(entropy.draw::<32>()?.to_vec());
        let tokens = Self::new(view, salt.expose(), Revision(0), clock, Arc::default())?;
        Ok((tokens, Write::put(name(&["salt"])?, salt).if_unchanged(None)))
    }

    fn new(
        view: View,
        salt: &[u8],
        newest: Revision,
        clock: Arc<Floored>,
        mounts: Arc<ArcSwap<MountTable>>,
    ) -> Result<Self, Refusal> {
        let salt = hmac::Key::new(hmac::HMAC_SHA256, salt);
        Ok(Self {
            view,
            family: Arc::default(),
            mounts,
            clock,
            keys: key::Keys::new(salt.clone())?,
            salt,
            recent: recent::Recent::default(),
            // Wraps: it only tells who stands beside whom.
            next: AtomicU32::new(newest.0 as u32),
        })
    }

    /// The key under which `token` is stored.
    pub fn key(&self, token: &Secret) -> String {
        self.keys.of(token.expose())
    }

    /// The token, if it is one, has not expired and has a use left.
    pub fn find(
        &self,
        reader: &Reader,
        token: &Secret,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        if !self.checksum_holds(token.expose()) {
            return Ok(None);
        }
        if let Some(sealed) = batch::sealed(token.expose()) {
            return self.find_batch(reader, self.key(token), sealed, now);
        }
        self.find_by_key(reader, self.key(token), now)
    }

    /// `known` as `reader` knows it: `None` if it has ended meanwhile.
    pub fn find_again(
        &self,
        reader: &Reader,
        known: &Known,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        match &known.entry {
            Some(_) => self.find_by_key(reader, known.key.clone(), now),
            None => self.checked_batch(reader, known.key.clone(), known.record.clone(), now),
        }
    }

    /// The token stored under `key`, if neither it nor one of its ancestors has ended.
    pub fn find_by_key(
        &self,
        reader: &Reader,
        key: String,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        let Some(known) = self.lasting(reader, key, now)? else { return Ok(None) };
        // Without a token of its ancestors it is none, whether the sweep has been there or not.
        Ok(self.ancestors(reader, &known.record, now)?.map(|_| known))
    }

    /// The token under `key`, if it has not ended by itself; its ancestors are not looked at.
    fn lasting(&self, reader: &Reader, key: String, now: Timestamp) -> Result<Option<Arc<Known>>, Refusal> {
        let known = match self.recent.get(&key, reader.revision()) {
            Some(known) => known,
            None => {
                let Some(known) = self.stored(reader, key)? else { return Ok(None) };
                self.recent.put(reader.revision(), &known);
                known
            }
        };
        Ok((!self.has_ended(&known.record, now)?).then_some(known))
    }

    /// Whether the token has ended by itself. Refused while the clock cannot tell.
    fn has_ended(&self, record: &TokenRecord, now: Timestamp) -> Result<bool, Refusal> {
        if record.ended || !self.has_method(record) {
            return Ok(true);
        }
        record.life().map_or(Ok(false), |life| self.clock.is_over(life, now))
    }

    /// The token that is stored under `key`, if `found`, which is what came of looking it up, does not know whether it has
    /// ended: it can be revoked while the clock is behind.
    pub fn found_to_end(
        &self,
        reader: &Reader,
        key: String,
        found: Result<Option<Arc<Known>>, Refusal>,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        match found {
            Err(refusal) if refusal.kind == Kind::Unavailable => {
                self.stored(reader, key)?.map(Some).ok_or(refusal)
            }
            known => known,
        }
    }

    /// What is stored under `key`, ended or not.
    fn stored(&self, reader: &Reader, key: String) -> Result<Option<Arc<Known>>, Refusal> {
        let Some(entry) = reader.get(&record_name(&key)?).map_err(barrier)? else { return Ok(None) };
        let record = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
        Ok(Some(Arc::new(Known { key, record, entry: Some(entry) })))
    }

    /// Whether the auth method that gave the token is still there.
    fn has_method(&self, record: &TokenRecord) -> bool {
        let is_there = |id| self.mounts.load().by_id(id).is_some_and(|mount| mount.is_auth());
        record.login.as_ref().is_none_or(|login| is_there(login.mount))
    }

    /// The token that `accessor` names.
    pub fn find_by_accessor(
        &self,
        reader: &Reader,
        accessor: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Known>>, Refusal> {
        match self.keys.named(accessor) {
            None => Ok(None),
            Some(key) => self.find_by_key(reader, key, now),
        }
    }

    /// The key of the token that `accessor` would name: there need be none.
    pub fn key_of(&self, accessor: &str) -> Option<String> {
        self.keys.named(accessor)
    }

    /// How many there are that are stored.
    pub fn count(&self, reader: &Reader) -> Result<u64, Refusal> {
        let mut total = 0;
        let mut one_more = |_: &[String]| {
            total += 1;
            true
        };
        reader.walk(&name(&["id"])?, &mut one_more).map_err(barrier)?;
        Ok(total)
    }

    /// All accessors, in order.
    pub fn accessors(&self, reader: &Reader) -> Result<Vec<String>, Refusal> {
        let keys = reader.list(&name(&["id"])?, None, None).map_err(barrier)?;
        let mut all = keys.iter().map(|key| self.keys.accessor(key)).collect::<Result<Vec<_>, _>>()?;
        all.sort_unstable();
        Ok(all)
    }
}

impl Known {
    /// What is stored of it, for a change. A batch token cannot be changed: it is in its holder's hands.
    pub fn stored(&self) -> Result<&Entry, Refusal> {
        self.entry.as_ref().ok_or_else(|| Refusal::bad_request("batch tokens cannot be renewed or revoked"))
    }
}

/// Whether `id` may be a token that somebody chose: never one that looks like ours, whose checksum it would not have.
pub fn check_chosen(id: &str) -> Result<(), Refusal> {
    if id.is_empty() || id.contains('.') || id.len() > 512 || id.chars().any(char::is_control) {
        return Err(Refusal::bad_request("custom token ID cannot have the 'hvs.' prefix or contain a '.'"));
    }
    Ok(())
}

/// The name of the record of the token with this key.
pub fn record_name(key: &str) -> Result<Name, Refusal> {
    name_by(&["id"], key)
}

/// The name below `parents` of what stands there for the token with this key.
fn name_by(parents: &[&str], key: &str) -> Result<Name, Refusal> {
    Ok(name(&[parents, &[key]].concat())?.ranked(key::rank(key)))
}

/// A name in the tokens' view.
fn name(segments: &[&str]) -> Result<Name, Refusal> {
    Name::new(segments.iter().copied()).map_err(damaged)
}
