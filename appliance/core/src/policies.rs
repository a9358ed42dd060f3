//! Policies, stored and compiled.
//!
//! A policy is one record in the system's view, `["policy", name]`, JSON. All are parsed at unseal, then each when it
//! changes; the access list for a set of policies is compiled at its first use and kept until a policy changes.
//!
//! One that cannot be parsed, because an older version took what this one refuses, denies everything to whoever holds
//! it: what it was to forbid is not known. It is listed and can be read, replaced and removed as any other.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use serde::{Deserialize, Serialize};
use strongroom_barrier::{Name, Reader, Write};
use strongroom_policy::builtin::RESPONSE_WRAPPING;
use strongroom_policy::{Acl, Policy};
use strongroom_types::{Refusal, Timestamp};

use crate::fault::{barrier, damaged};
use crate::tokens::ROOT;

/// Access lists that are kept compiled; more are compiled again at each use.
const MAX_COMPILED: usize = 2_000;

/// What is stored of a policy.
#[derive(Clone, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// As it was written.
    pub text: String,
    /// Grows with each write.
    pub version: u64,
    /// When it was written.
    pub modified: Timestamp,
    /// Whether a writer has to say which version it follows.
    #[serde(default)]
    pub cas_required: bool,
    /// From when on it counts for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Timestamp>,
}

/// What the token of a wrapped answer may: open it.
const RESPONSE_WRAPPING_TEXT: &str = r#"path "sys/wrapping/unwrap" { capabilities = ["update"] }"#;

impl PolicyRecord {
    /// The first version of a policy, without its text.
    pub fn first(now: Timestamp) -> Self {
        Self { v: 1, text: String::new(), version: 1, modified: now, cas_required: false, expiration: None }
    }
}

/// The policies of a namespace.
pub struct Policies {
    state: ArcSwap<Loaded>,
}

type Parsed = RedBlackTreeMapSync<String, Option<Arc<Policy>>>;

struct Loaded {
    /// `None` for one that cannot be parsed.
    parsed: Parsed,
    compiled: ArcSwap<HashTrieMapSync<Vec<String>, Arc<Acl>>>,
}

impl Policies {
    /// Reads and parses all policies.
    pub fn load(system: &Reader) -> Result<Self, Refusal> {
        Ok(Self { state: ArcSwap::from_pointee(Loaded::read(system)?) })
    }

    /// Reads the policy `name` again, after a change.
    pub fn reload(&self, system: &Reader, name: &str) -> Result<(), Refusal> {
        let mut parsed = self.state.load().parsed.clone();
        match record(system, name)? {
            Some(record) => parsed.insert_mut(name.to_owned(), parse(name, &record)),
            None => {
                parsed.remove_mut(name);
            }
        }
        self.state.store(Arc::new(Loaded { parsed, compiled: ArcSwap::default() }));
        Ok(())
    }

    /// The access list of a token with these policies (canonical and sorted). A policy that is not there
    /// allows nothing.
    pub fn acl(&self, names: &[String]) -> Arc<Acl> {
        let state = self.state.load();
        if let Some(acl) = state.compiled.load().get(names) {
            return acl.clone();
        }
        let acl = Arc::new(if names.iter().any(|name| name == ROOT) {
            Acl::root()
        } else {
            let found: Option<Vec<_>> =
                names.iter().filter_map(|name| state.parsed.get(name).cloned()).collect();
            // An access list of no policies allows nothing.
            Acl::compile(&found.unwrap_or_default())
        });
        state.compiled.rcu(|known| {
            let known = if known.size() < MAX_COMPILED { known } else { &Arc::default() };
            known.insert(names.to_vec(), acl.clone())
        });
        acl
    }

    /// Whether there is a policy of this name.
    pub fn has(&self, name: &str) -> bool {
        name == ROOT || self.state.load().parsed.contains_key(name)
    }

    /// The names of all policies that somebody may hold, `root` among them, in order.
    pub fn names(&self) -> Vec<String> {
        let state = self.state.load();
        let mut names: Vec<String> =
            state.parsed.keys().filter(|name| *name != RESPONSE_WRAPPING).cloned().collect();
        names.push(ROOT.to_owned());
        names.sort();
        names
    }
}

impl Loaded {
    fn read(system: &Reader) -> Result<Self, Refusal> {
        let mut parsed = Parsed::default();
        for name in system.list(&name_of_all()?, None, None).map_err(barrier)? {
            if let Some(record) = record(system, &name)? {
                let policy = parse(&name, &record);
                parsed.insert_mut(name, policy);
            }
        }
        // Not stored: nobody can change it.
        let wrapping = Policy::parse(RESPONSE_WRAPPING, RESPONSE_WRAPPING_TEXT).map_err(damaged)?;
        parsed.insert_mut(RESPONSE_WRAPPING.to_owned(), Some(Arc::new(wrapping)));
        Ok(Self { parsed, compiled: ArcSwap::default() })
    }
}

fn parse(name: &str, record: &PolicyRecord) -> Option<Arc<Policy>> {
    let policy = Policy::parse(name, &record.text);
    if let Err(cause) = &policy {
        crate::log::error(format_args!(
            "the policy \"{name}\" cannot be used, and whoever holds it may do nothing until it is mended: {cause}"
        ));
    }
    let policy = policy.ok()?;
    Some(Arc::new(match record.expiration {
        Some(end) => policy.ending(end),
        None => policy,
    }))
}

/// What is stored of the policy `name`.
pub fn record(system: &Reader, name: &str) -> Result<Option<PolicyRecord>, Refusal> {
    match system.get(&name_of(name)?).map_err(barrier)? {
        None => Ok(None),
        Some(entry) => serde_json::from_slice(entry.value.expose()).map(Some).map_err(damaged),
    }
}

/// What init stores of a policy that every cluster has.
pub fn first(name: &str, record: &PolicyRecord) -> Result<Write, Refusal> {
    let body = serde_json::to_vec(record).map_err(damaged)?;
    Ok(Write::put(name_of(name)?, body).if_unchanged(None))
}

/// Where the policy `name` is stored in the system's view.
pub fn name_of(name: &str) -> Result<Name, Refusal> {
    Name::new(["policy", name]).map_err(damaged)
}

fn name_of_all() -> Result<Name, Refusal> {
    Name::new(["policy"]).map_err(damaged)
}
