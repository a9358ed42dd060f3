//! Everything that is told, under the names that dashboards for Vault know.

use std::collections::{BTreeMap, HashMap};

use strongroom_types::Timestamp;
use strongroom_types::id::MountId;

use super::births::Birth;
use super::{Metrics, Summary, Timed, Told};
use crate::census::Count;
use crate::host::Process;

/// What is not recorded but looked at.
#[derive(Default)]
pub struct Facts {
    /// The cluster's name, if it is known: it is while nothing is sealed.
    pub cluster: Option<String>,
    /// Mounted engines and auth methods; `None` while sealed.
    pub mounts: Option<(usize, usize)>,
    /// Where what is mounted; `None` for whoever is not to know what that is.
    pub names: Option<HashMap<MountId, String>>,
    /// Tokens and leases, once they have been counted.
    pub census: Option<Count>,
    /// As clients see it.
    pub version: String,
    /// This process.
    pub process: Process,
    /// Tasks of the runtime.
    pub tasks: usize,
}

/// A number, or several.
pub enum Kind {
    /// What is, now.
    Gauge(f64),
    /// What only grows.
    Counter(u64),
    /// How long something takes.
    Summary(Box<Told>),
    /// The same without quantiles.
    Timing(Timed),
}

/// One of what is told.
pub struct Metric {
    /// With dots.
    pub name: String,
    /// In words.
    pub help: &'static str,
    /// Beside the name.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub kind: Kind,
}

impl Metric {
    fn new(name: impl Into<String>, help: &'static str, kind: Kind) -> Self {
        Self { name: name.into(), help, labels: Vec::new(), kind }
    }

    fn with(self, labels: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self { labels: labels.into_iter().collect(), ..self }
    }
}

/// All of it. Those of one name stand together.
#[allow(clippy::cast_precision_loss)] // what is counted here is small
pub fn all(metrics: &Metrics, facts: &Facts, now: Timestamp) -> Vec<Metric> {
    let now = now.nanos();
    let cluster = || facts.cluster.iter().map(|name| ("cluster", name.clone())).collect::<Vec<_>>();
    let gauge = |name, help, value| Metric::new(name, help, Kind::Gauge(value));
    let unsealed = f64::from(u8::from(facts.cluster.is_some()));
    let process = &facts.process;
    let mut all = vec![
        gauge("vault.core.unsealed", "1 while unsealed.", unsealed).with(cluster()),
        gauge("vault.core.active", "1 on the node that answers.", unsealed).with(cluster()),
        gauge("vault.core.in_flight_requests", "Requests under way.", metrics.in_flight.count() as f64),
        gauge("vault.runtime.alloc_bytes", "Memory in use, resident.", process.resident_bytes as f64),
        gauge("vault.runtime.sys_bytes", "Memory asked of the system.", process.virtual_bytes as f64),
        gauge("vault.runtime.num_goroutines", "Tasks of the runtime.", facts.tasks as f64),
    ];
    if let Some((logical, auth)) = facts.mounts {
        for (kind, count) in [("logical", logical), ("auth", auth)] {
            let labels = [("type", kind.to_owned()), ("local", "false".to_owned())];
            let gauge = gauge("vault.core.mount_table.num_entries", "Mounts.", count as f64);
            all.push(gauge.with(cluster().into_iter().chain(labels)));
        }
    }
    if let Some(Count { tokens, leases, irrevocable }) = facts.census {
        let root = ("namespace", "root".to_owned());
        let tokens = gauge("vault.token.count", "Service tokens that are stored.", tokens as f64);
        all.push(tokens.with(cluster().into_iter().chain([root])));
        all.push(gauge("vault.expire.num_leases", "Leases, those of tokens among them.", leases as f64));
        all.push(gauge(
            "vault.expire.num_irrevocable_leases",
            "Leases that could often not be taken back.",
            irrevocable as f64,
        ));
    }
    all.extend(summaries(metrics).map(|(name, help, of)| {
        let told = Kind::Summary(Box::new(of.tell(now)));
        Metric::new(name, help, told)
    }));
    all.extend(counters(metrics).map(|(name, help, count)| Metric::new(name, help, Kind::Counter(count))));
    all.extend(births(metrics, facts));
    all.extend(routes(metrics, facts, now));
    let called = |metric: Metric| Some(Metric { name: metrics.telemetry.called(metric.name)?, ..metric });
    all.into_iter().filter_map(called).collect()
}

fn summaries(metrics: &Metrics) -> impl Iterator<Item = (&'static str, &'static str, &Summary)> {
    [
        ("vault.core.handle_request", "Requests that are no logins, ms.", &metrics.handle_request),
        ("vault.core.handle_login_request", "Logins, ms.", &metrics.handle_login),
        ("vault.core.fetch_acl_and_token", "Finding token and policies, ms.", &metrics.fetch_acl),
        ("vault.core.check_token", "Asking the access list, ms.", &metrics.check_token),
        ("vault.barrier.put", "Making a batch durable, ms.", &metrics.commit),
        ("vault.audit.log_request", "Audit lines before an effect, ms.", &metrics.audit_request),
        ("vault.audit.log_response", "Audit lines before an answer, ms.", &metrics.audit_response),
        ("vault.token.lookup", "Looking up a token, ms.", &metrics.token_lookup),
        ("vault.token.create", "Making a token, before its commit, ms.", &metrics.token_create),
        ("vault.token.revoke", "Finding what ends with a token, ms.", &metrics.token_revoke),
        ("vault.expire.register", "Making a lease, before its commit, ms.", &metrics.lease_register),
        ("vault.expire.renew", "Renewing a lease, before its commit, ms.", &metrics.lease_renew),
        ("vault.expire.renew-token", "Renewing a token, before its commit, ms.", &metrics.token_renew),
        ("vault.expire.revoke", "Taking back a lease, ms.", &metrics.lease_revoke),
    ]
    .into_iter()
}

fn counters(metrics: &Metrics) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
    const NO_SINK: &str = "Lines that no sink took.";
    [
        ("vault.audit.log_request_failure", NO_SINK, &metrics.audit_request_failure),
        ("vault.audit.log_response_failure", NO_SINK, &metrics.audit_response_failure),
        ("vault.quota.rate_limit.violation", "Requests that a quota has refused.", &metrics.quota_violation),
        (
            "vault.quota.lease_count.violation",
            "Leases that a quota has refused.",
            &metrics.lease_quota_violation,
        ),
        (
            "vault.expire.lease_expiration",
            "Leases and tokens that have ended by themselves.",
            &metrics.expired,
        ),
        (
            "vault.expire.lease_expiration.error",
            "Failed attempts to take back a lease.",
            &metrics.expired_error,
        ),
    ]
    .into_iter()
    .map(|(name, help, counter)| (name, help, counter.get()))
}

/// Whoever is not to know what is mounted is not told by which method.
fn births(metrics: &Metrics, facts: &Facts) -> impl Iterator<Item = Metric> {
    let mut counts: BTreeMap<Birth, u64> = BTreeMap::new();
    for (birth, count) in metrics.births.all() {
        let method = if facts.names.is_some() { birth.method } else { "" };
        *counts.entry(Birth { method, ..birth }).or_default() += count;
    }
    counts.into_iter().map(|(Birth { method, ttl, kind }, count)| {
        let method = (!method.is_empty()).then(|| ("auth_method", method.to_owned()));
        let others = [("creation_ttl", ttl.to_owned()), ("token_type", kind.to_owned())];
        let cluster = facts.cluster.iter().map(|name| ("cluster", name.clone()));
        Metric::new("vault.token.creation", "Tokens that were made.", Kind::Counter(count))
            .with(cluster.chain(method).chain(others))
    })
}

/// `vault.route.read.secret-`: by the names of the mounts, for those who may know them. What reads the same for
/// Prometheus is one.
fn routes(metrics: &Metrics, facts: &Facts, now: i64) -> impl Iterator<Item = Metric> {
    let mut routes: BTreeMap<String, (String, Timed)> = BTreeMap::new();
    for (mount, operation, timed) in metrics.routes.tell(now) {
        let Some(names) = &facts.names else { continue };
        let path = match mount {
            None => "others",
            Some(id) => match names.get(&id) {
                Some(path) => path.as_str(),
                // It is gone.
                None => continue,
            },
        };
        let name = format!("vault.route.{operation}.{}", path.replace('/', "-"));
        let entry = routes.entry(plain(&name)).or_insert_with(|| (name, Timed::default()));
        entry.1 = entry.1.and(timed);
    }
    routes
        .into_values()
        .map(|(name, timed)| Metric::new(name, "Requests to one mount, ms.", Kind::Timing(timed)))
}

/// As Prometheus knows names: no other characters.
pub fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
