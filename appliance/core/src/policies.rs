//! Policies, stored and compiled.
//!
//! A policy is one record in the system's view, `["policy", name]`, JSON. All are parsed at unseal, then each when it
//! changes; the access list for a set of policies is compiled at its first use and kept until one of them changes, or until
//! many others have been asked for since.
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

/// Access lists that are kept compiled, at most: those that were asked for last.
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
    compiled: ArcSwap<Compiled>,
}

type Lists = HashTrieMapSync<Vec<String>, Arc<Acl>>;

/// Access lists by their policies, in two generations. What is asked for is in the young one, or comes there; when that is
/// full it becomes the old one, and what nobody has asked for since is forgotten.
#[derive(Clone, Default)]
struct Compiled {
    young: Lists,
    old: Lists,
}

impl Compiled {
    fn with(&self, names: &[String], acl: &Arc<Acl>) -> Self {
        let (names, acl) = (names.to_vec(), acl.clone());
        match self.young.size() < MAX_COMPILED / 2 {
            true => Self { young: self.young.insert(names, acl), old: self.old.clone() },
            false => Self { young: Lists::default().insert(names, acl), old: self.young.clone() },
        }
    }

    /// Without those that the policy `name` has a part in.
    fn without(&self, name: &str) -> Self {
        let of = |lists: &Lists| {
            let concerned = lists.keys().filter(|names| names.iter().any(|one| one == name));
            concerned.fold(lists.clone(), |left, names| left.remove(names))
        };
        Self { young: of(&self.young), old: of(&self.old) }
    }
}

impl Policies {
    /// Reads and parses all policies.
    pub fn load(system: &Reader) -> Result<Self, Refusal> {
        Ok(Self { state: ArcSwap::from_pointee(Loaded::read(system)?) })
    }

    /// Reads the policy `name` again, after a change.
    pub fn reload(&self, system: &Reader, name: &str) -> Result<(), Refusal> {
        let before = self.state.load();
        let mut parsed = before.parsed.clone();
        match record(system, name)? {
            Some(record) => parsed.insert_mut(name.to_owned(), parse(name, &record)),
            None => {
                parsed.remove_mut(name);
            }
        }
        // What is compiled from here on of what was before is lost with it.
        let compiled = ArcSwap::from_pointee(before.compiled.load().without(name));
        self.state.store(Arc::new(Loaded { parsed, compiled }));
        Ok(())
    }

    /// The access list of a token with these policies (canonical and sorted). A policy that is not there
    /// allows nothing.
    pub fn acl(&self, names: &[String]) -> Arc<Acl> {
        let state = self.state.load();
        let compiled = state.compiled.load();
        if let Some(acl) = compiled.young.get(names) {
            return acl.clone();
        }
        if let Some(acl) = compiled.old.get(names) {
            state.compiled.rcu(|known| known.with(names, acl));
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
        state.compiled.rcu(|known| known.with(names, &acl));
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
