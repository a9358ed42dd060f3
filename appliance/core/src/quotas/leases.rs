//! Lease-count quotas: how many leases there may be at the same time.
//!
//! In the system's view, JSON: `["lease-quota", name]` each. What counts is what is stored: leases of engines, and tokens that
//! end by themselves, from their commit until they are removed. Each counts for the one quota that says most of the path it
//! was made by: see [`crate::census`], which counts.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_barrier::{Name, Reader};
use strongroom_types::Refusal;

use super::scope::{ByScope, Place, Scope, Scoped};
use crate::fault::{barrier, damaged};
use crate::mounts::MountTable;

/// What is stored of a lease-count quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseQuotaRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// What it is of.
    #[serde(flatten)]
    pub scope: Scope,
    /// As many there may be.
    pub max_leases: u64,
}

/// A lease-count quota in use.
pub struct LeaseQuota {
    /// As operators name it.
    pub name: String,
    /// What is stored.
    pub record: LeaseQuotaRecord,
}

impl Scoped for LeaseQuota {
    fn name(&self) -> &str {
        &self.name
    }

    fn scope(&self) -> &Scope {
        &self.record.scope
    }
}

/// All of them.
pub type LeaseQuotas = ByScope<LeaseQuota>;

/// As they are stored.
pub fn load(system: &Reader) -> Result<LeaseQuotas, Refusal> {
    let names = system.list(&name_of_all()?, None, None).map_err(barrier)?;
    let quota = |name: String| -> Result<Option<Arc<LeaseQuota>>, Refusal> {
        let Some(entry) = system.get(&name_of(&name)?).map_err(barrier)? else { return Ok(None) };
        let record = serde_json::from_slice(entry.value.expose()).map_err(damaged)?;
        Ok(Some(Arc::new(LeaseQuota { name, record })))
    };
    names.into_iter().filter_map(|name| quota(name).transpose()).collect()
}

/// Where they are stored in the system's view.
pub fn name_of_all() -> Result<Name, Refusal> {
    Name::new(["lease-quota"]).map_err(damaged)
}

/// Where the quota `name` is stored in the system's view.
pub fn name_of(name: &str) -> Result<Name, Refusal> {
    Name::new(["lease-quota", name]).map_err(damaged)
}

/// By what leases are counted: the quotas and the mounts of one moment.
#[derive(Clone, Default)]
pub struct Rules {
    /// The quotas.
    pub quotas: Arc<LeaseQuotas>,
    /// Where paths lead.
    pub mounts: Arc<MountTable>,
}

impl Rules {
    /// The quota that a lease made by `path` counts for; `role` is whom a login was for, or empty.
    pub fn quota(&self, path: &str, role: &str) -> Option<&Arc<LeaseQuota>> {
        if self.quotas.is_empty() {
            return None;
        }
        let role = (!role.is_empty()).then_some(role);
        self.quotas.best(&Place { role, ..Place::of(&self.mounts, path) })
    }
}
