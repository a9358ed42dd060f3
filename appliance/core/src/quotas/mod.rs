//! Quotas: how often a client may ask, and how many [leases] there may be; of the whole server, a mount, a path of it, or a
//! role of an auth method.
//!
//! In the system's view, JSON: `["quota", name]` each quota of how often, `["config", "quotas"]` what holds for all. All are
//! read at unseal and after each change. The buckets are in memory only, on each node its own: after a start they are full.
//!
//! A quota knows its mount by id: it moves with it, and goes with it. Of those that fit a request the one that says most
//! is charged, and no other: role, path, mount, the whole.

pub mod leases;
mod limiter;
mod scope;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use strongroom_barrier::{Name, Reader, View, Write};
use strongroom_types::error::Kind;
use strongroom_types::id::MountId;
use strongroom_types::{Refusal, Timestamp};

use crate::active::Active;
use crate::fault::{barrier, damaged};
use crate::perform::After;
use crate::rules::Setting;
use leases::LeaseQuotas;
use limiter::{Limiter, Limits};

pub use leases::Rules;
pub use limiter::Verdict;
use scope::covers_path;
pub use scope::{ByScope, Place, Scope, Scoped};

/// What is stored of a quota.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaRecord {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// What it is of.
    #[serde(flatten)]
    pub scope: Scope,
    /// Requests in an interval.
    pub rate: f64,
    /// Seconds.
    pub interval: i64,
    /// Seconds that a client who asks too often is refused everything.
    pub block_interval: i64,
}

/// What holds for all quotas.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuotaConfig {
    /// Version of this record's shape: 1.
    pub v: u8,
    /// Paths that no quota is charged for; a `*` at the end stands for anything.
    pub exempt: Vec<String>,
    /// Accepted and shown: what a quota refuses is always in the audit log.
    pub audit_logging: bool,
    /// Whether answers tell how much is left.
    pub response_headers: bool,
}

impl Setting for QuotaConfig {
    const NAME: &'static str = "quotas";
}

/// What an operator needs when nothing else goes.
const EXEMPT: [&str; 7] = [
    "sys/generate-recovery-token/attempt",
    "sys/generate-recovery-token/update",
    "sys/generate-root/attempt",
    "sys/generate-root/update",
    "sys/health",
    "sys/seal-status",
    "sys/unseal",
];

/// Needs no token, so that whoever has none could try shares there without end: exempt for those who read.
const EXEMPT_TO_READ: &str = "sys/generate-root/attempt";

impl Default for QuotaConfig {
    fn default() -> Self {
        let exempt = EXEMPT.map(str::to_owned).into();
        Self { v: 1, exempt, audit_logging: false, response_headers: false }
    }
}

/// A quota in use.
pub struct Quota {
    /// As operators name it.
    pub name: String,
    /// What is stored.
    pub record: QuotaRecord,
    limiter: Limiter,
}

impl Scoped for Quota {
    fn name(&self) -> &str {
        &self.name
    }

    fn scope(&self) -> &Scope {
        &self.record.scope
    }
}

/// All quotas of how often at one moment.
#[derive(Default)]
pub struct Table {
    /// What holds for all.
    pub config: QuotaConfig,
    /// How often.
    pub quotas: ByScope<Quota>,
}

/// The quotas of the server.
pub struct Quotas {
    table: ArcSwap<Table>,
    leases: ArcSwap<LeaseQuotas>,
}

/// What a request is charged for.
pub struct Charge<'a> {
    /// The mount it goes to, if there is one.
    pub mount: Option<MountId>,
    /// Its whole path, canonical, without a slash at its end.
    pub path: &'a str,
    /// What of it is below the mount.
    pub below: &'a str,
    /// Whether nothing is to be changed.
    pub reads: bool,
    /// Whom a login is for.
    pub role: Option<&'a str>,
    /// Who asks.
    pub client: Option<IpAddr>,
    /// When.
    pub now: Timestamp,
}

impl Quotas {
    /// As they are stored.
    pub fn load(system: &Reader) -> Result<Self, Refusal> {
        let table = ArcSwap::from_pointee(Table::load(system, &Table::default())?);
        Ok(Self { table, leases: ArcSwap::from_pointee(leases::load(system)?) })
    }

    /// Reads them again after a change; buckets of quotas that stay as they are stay as full.
    pub fn reload(&self, system: &Reader) -> Result<(), Refusal> {
        let table = Table::load(system, &self.table.load())?;
        self.table.store(Arc::new(table));
        self.leases.store(Arc::new(leases::load(system)?));
        Ok(())
    }

    /// Those of how many leases.
    pub fn leases(&self) -> Arc<LeaseQuotas> {
        self.leases.load_full()
    }

    /// Those of how often.
    pub fn table(&self) -> arc_swap::Guard<Arc<Table>> {
        self.table.load()
    }
}

impl Table {
    fn load(system: &Reader, before: &Self) -> Result<Self, Refusal> {
        let config = QuotaConfig::load(system)?.unwrap_or_default();
        let mut quotas = Vec::new();
        for name in system.list(&name_of_all()?, None, None).map_err(barrier)? {
            let Some(record) = record(system, &name)? else { continue };
            let kept = before.quotas.get(&name).filter(|quota| quota.record == record).cloned();
            quotas.push(kept.unwrap_or_else(|| Arc::new(Quota::new(name, record))));
        }
        Ok(Self { config, quotas: quotas.into_iter().collect() })
    }

    /// Charges the one quota that fits best. `Err` is a refusal that says when to come again.
    pub fn charge(&self, charge: &Charge<'_>) -> Result<Option<(&Quota, Verdict)>, Refusal> {
        let can_be_exempt = charge.reads || charge.path != EXEMPT_TO_READ;
        if can_be_exempt && self.config.exempt.iter().any(|pattern| covers_path(pattern, charge.path)) {
            return Ok(None);
        }
        let place = Place { mount: charge.mount, below: charge.below, role: charge.role };
        let Some(quota) = self.quotas.best(&place) else { return Ok(None) };
        let verdict = quota.limiter.take(charge.client, charge.now.nanos());
        if verdict.allowed {
            return Ok(Some((quota, verdict)));
        }
        let text = format!("request path \"{}\": rate limit quota exceeded", charge.path);
        let mut refusal = Refusal::new(Kind::TooMany, text);
        refusal.headers.push(("retry-after", verdict.wait.to_string()));
        if self.config.response_headers {
            refusal.headers.extend(shown(&verdict));
        }
        Err(refusal)
    }
}

/// What an answer tells of its quota.
pub fn shown(verdict: &Verdict) -> [(&'static str, String); 3] {
    [
        ("x-ratelimit-limit", verdict.limit.to_string()),
        ("x-ratelimit-remaining", verdict.remaining.to_string()),
        ("x-ratelimit-reset", verdict.wait.to_string()),
    ]
}

impl Quota {
    fn new(name: String, record: QuotaRecord) -> Self {
        const SECOND: i64 = 1_000_000_000;
        let limits = Limits {
            rate: record.rate,
            interval: record.interval.saturating_mul(SECOND),
            block: record.block_interval.saturating_mul(SECOND),
        };
        Self { name, record, limiter: Limiter::new(limits) }
    }
}

/// What is stored of the quota `name`.
pub fn record(system: &Reader, name: &str) -> Result<Option<QuotaRecord>, Refusal> {
    let entry = system.get(&name_of(name)?).map_err(barrier)?;
    entry.map(|entry| serde_json::from_slice(entry.value.expose()).map_err(damaged)).transpose()
}

type Writes = Vec<(View, Write)>;

/// Takes the quotas of a mount away together with it: what is to be written, and what follows if it is anything.
pub fn end_with(active: &Active, mount: MountId) -> Result<(Writes, Option<After>), Refusal> {
    let (table, leases) = (active.quotas.table(), active.quotas.leases());
    let rates = table.quotas.of_mount(mount).iter().map(|quota| name_of(&quota.name));
    let leases = leases.of_mount(mount).iter().map(|quota| leases::name_of(&quota.name));
    let write = |name: Result<Name, Refusal>| Ok((active.system.clone(), Write::delete(name?)));
    let writes: Writes = rates.chain(leases).map(write).collect::<Result<_, Refusal>>()?;
    let after = (!writes.is_empty()).then_some(After::Quotas);
    Ok((writes, after))
}

/// Where quotas are stored in the system's view.
pub fn name_of_all() -> Result<Name, Refusal> {
    Name::new(["quota"]).map_err(damaged)
}

/// Where the quota `name` is stored in the system's view.
pub fn name_of(name: &str) -> Result<Name, Refusal> {
    Name::new(["quota", name]).map_err(damaged)
}
