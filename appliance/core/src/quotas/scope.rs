//! What a quota is of: the whole server, a mount, a path below one, a role of an auth method. And which of several is asked.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_types::id::MountId;

use crate::active::{SYSTEM, TOKENS};
use crate::mounts::MountTable;

/// See the module. Part of what is stored of each quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `None` is the whole server.
    pub mount: Option<MountId>,
    /// Below the mount, without slashes at its ends; a `*` at its end stands for anything. Empty is the whole mount.
    pub path: String,
    /// Of an auth method; empty is everybody.
    pub role: String,
    /// Whether it holds in the namespaces below, too.
    pub inheritable: bool,
}

/// Where something is asked.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The mount, if there is one.
    pub mount: Option<MountId>,
    /// What of the path is below the mount.
    pub below: &'a str,
    /// Whom a login is for.
    pub role: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// Where `path` is, canonical and without a slash at its end.
    pub fn of(mounts: &MountTable, path: &'a str) -> Self {
        let own = [(SYSTEM, "sys/"), (TOKENS, "auth/token/")];
        let own = own.into_iter().find_map(|(id, prefix)| Some((Some(id), path.strip_prefix(prefix)?)));
        let found = || mounts.find(path).map(|(mount, below)| (Some(mount.record.id), below));
        let (mount, below) = own.or_else(found).unwrap_or_default();
        Self { mount, below, role: None }
    }
}

impl Scope {
    /// The larger, the more it says: a role, then a long path, one without `*` before one with it.
    fn says(&self) -> (bool, usize, bool) {
        let path = &self.path;
        (!self.role.is_empty(), path.trim_end_matches('*').len(), !path.ends_with('*'))
    }

    fn covers(&self, place: &Place<'_>) -> bool {
        match self.role.as_str() {
            "" => self.path.is_empty() || covers_path(&self.path, place.below),
            role => place.role.is_some_and(|asked| asked.to_lowercase() == role.to_lowercase()),
        }
    }

    /// Whether both are of the same.
    fn is_of(&self, other: &Self) -> bool {
        (self.mount, &self.path, &self.role) == (other.mount, &other.path, &other.role)
    }
}

/// Whether `path` is `pattern`, or begins with what precedes its `*`.
pub fn covers_path(pattern: &str, path: &str) -> bool {
    pattern.strip_suffix('*').map_or(path == pattern, |prefix| path.starts_with(prefix))
}

/// A quota of some kind.
pub trait Scoped {
    /// As operators name it.
    fn name(&self) -> &str;
    /// What it is of.
    fn scope(&self) -> &Scope;
}

/// All quotas of one kind.
pub struct ByScope<Q> {
    all: HashMap<String, Arc<Q>>,
    global: Option<Arc<Q>>,
    by_mount: HashMap<MountId, Vec<Arc<Q>>>,
}

impl<Q> Default for ByScope<Q> {
    fn default() -> Self {
        Self { all: HashMap::new(), global: None, by_mount: HashMap::new() }
    }
}

impl<Q: Scoped> FromIterator<Arc<Q>> for ByScope<Q> {
    fn from_iter<I: IntoIterator<Item = Arc<Q>>>(quotas: I) -> Self {
        let mut found = Self::default();
        for quota in quotas {
            match quota.scope().mount {
                None => found.global = Some(quota.clone()),
                Some(mount) => found.by_mount.entry(mount).or_default().push(quota.clone()),
            }
            found.all.insert(quota.name().to_owned(), quota);
        }
        for quotas in found.by_mount.values_mut() {
            // The first that fits is the one that says most.
            quotas.sort_by_key(|quota| Reverse(quota.scope().says()));
        }
        found
    }
}

impl<Q: Scoped> ByScope<Q> {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The quota of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Q>> {
        self.all.get(name)
    }

    /// All that are of this mount or below it.
    pub fn of_mount(&self, mount: MountId) -> &[Arc<Q>] {
        self.by_mount.get(&mount).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether logins at this mount are told apart by their role.
    pub fn asks_for_roles(&self, mount: MountId) -> bool {
        self.of_mount(mount).iter().any(|quota| !quota.scope().role.is_empty())
    }

    /// Whether any of them is of a role.
    pub fn has_roles(&self) -> bool {
        self.all.values().any(|quota| !quota.scope().role.is_empty())
    }

    /// The one quota that says most of `place`.
    pub fn best(&self, place: &Place<'_>) -> Option<&Arc<Q>> {
        let of_mount = place.mount.map(|mount| self.of_mount(mount)).unwrap_or_default();
        of_mount.iter().find(|quota| quota.scope().covers(place)).or(self.global.as_ref())
    }

    /// The name of another quota of the same.
    pub fn twin(&self, name: &str, scope: &Scope) -> Option<&str> {
        let mut others = self.all.values().filter(|other| other.name() != name);
        others.find(|other| other.scope().is_of(scope)).map(|other| other.name())
    }
}
