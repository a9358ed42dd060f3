//! The recorded as text for Prometheus, or as JSON in the form that Vault's clients know.

use std::fmt::Write;

use serde_json::{Value, json};
use strongroom_types::Timestamp;

use super::{Metrics, QUANTILES, Recent, Told};
use crate::host::Process;

/// What is not recorded but looked at.
#[derive(Default)]
pub struct Facts {
    /// The cluster's name, if it is known: it is while nothing is sealed.
    pub cluster: Option<String>,
    /// Mounted engines and auth methods; `None` while sealed.
    pub mounts: Option<(usize, usize)>,
    /// As clients see it.
    pub version: String,
    /// This process.
    pub process: Process,
    /// Tasks of the runtime.
    pub tasks: usize,
}

enum Kind {
    Gauge(f64),
    Counter(u64),
    Summary(Box<Told>),
}

struct Metric {
    /// With dots.
    name: &'static str,
    help: &'static str,
    labels: Vec<(&'static str, String)>,
    kind: Kind,
}

#[allow(clippy::cast_precision_loss)] // what is counted here is small
fn all(metrics: &Metrics, facts: &Facts, now: Timestamp) -> Vec<Metric> {
    let now = now.nanos();
    let cluster = || facts.cluster.iter().map(|name| ("cluster", name.clone())).collect::<Vec<_>>();
    let gauge = |name, help, labels, value| Metric { name, help, labels, kind: Kind::Gauge(value) };
    let counter = |name, help, value| Metric { name, help, labels: Vec::new(), kind: Kind::Counter(value) };
    let summary = |name, help, of: &super::Summary| {
        let kind = Kind::Summary(Box::new(of.tell(now)));
        Metric { name, help, labels: Vec::new(), kind }
    };
    let unsealed = f64::from(u8::from(facts.cluster.is_some()));
    let process = &facts.process;
    let mut all = vec![
        gauge("vault.core.unsealed", "1 while unsealed.", cluster(), unsealed),
        gauge("vault.core.active", "1 on the node that answers.", cluster(), unsealed),
        gauge(
            "vault.core.in_flight_requests",
            "Requests under way.",
            Vec::new(),
            metrics.in_flight.count() as f64,
        ),
        gauge(
            "vault.runtime.alloc_bytes",
            "Memory in use, resident.",
            Vec::new(),
            process.resident_bytes as f64,
        ),
        gauge(
            "vault.runtime.sys_bytes",
            "Memory asked of the system.",
            Vec::new(),
            process.virtual_bytes as f64,
        ),
        gauge("vault.runtime.num_goroutines", "Tasks of the runtime.", Vec::new(), facts.tasks as f64),
    ];
    if let Some((logical, auth)) = facts.mounts {
        for (kind, count) in [("logical", logical), ("auth", auth)] {
            let mut labels = cluster();
            labels.extend([("type", kind.to_owned()), ("local", "false".to_owned())]);
            all.push(gauge("vault.core.mount_table.num_entries", "Mounts.", labels, count as f64));
        }
    }
    all.extend([
        summary("vault.core.handle_request", "Requests that are no logins, ms.", &metrics.handle_request),
        summary("vault.core.handle_login_request", "Logins, ms.", &metrics.handle_login),
        summary("vault.core.fetch_acl_and_token", "Finding token and policies, ms.", &metrics.fetch_acl),
        summary("vault.core.check_token", "Asking the access list, ms.", &metrics.check_token),
        summary("vault.barrier.put", "Making a batch durable, ms.", &metrics.commit),
        summary("vault.audit.log_request", "Audit lines before an effect, ms.", &metrics.audit_request),
        summary("vault.audit.log_response", "Audit lines before an answer, ms.", &metrics.audit_response),
        counter(
            "vault.audit.log_request_failure",
            "Lines that no sink took.",
            metrics.audit_request_failure.get(),
        ),
        counter(
            "vault.audit.log_response_failure",
            "Lines that no sink took.",
            metrics.audit_response_failure.get(),
        ),
        counter(
            "vault.quota.rate_limit.violation",
            "Requests that a quota has refused.",
            metrics.quota_violation.get(),
        ),
    ]);
    all
}

/// In Prometheus's text format.
#[allow(clippy::cast_precision_loss)]
pub fn prometheus(metrics: &Metrics, facts: &Facts, now: Timestamp) -> String {
    let mut out = String::with_capacity(8192);
    let mut last = "";
    for metric in all(metrics, facts, now) {
        let name = metric.name.replace('.', "_");
        if last != metric.name {
            let kind = match metric.kind {
                Kind::Gauge(_) => "gauge",
                Kind::Counter(_) => "counter",
                Kind::Summary(_) => "summary",
            };
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
            last = metric.name;
        }
        let labels = labels(&metric.labels);
        let _ = match metric.kind {
            Kind::Gauge(value) => writeln!(out, "{name}{labels} {value}"),
            Kind::Counter(value) => writeln!(out, "{name}{labels} {value}"),
            Kind::Summary(told) => {
                for (quantile, value) in QUANTILES.into_iter().zip(told.recent.quantiles) {
                    // Of nothing there is no quantile.
                    let value = if told.recent.count == 0 { f64::NAN } else { value };
                    let _ = writeln!(out, "{name}{{quantile=\"{quantile}\"}} {value}");
                }
                writeln!(out, "{name}_sum {}\n{name}_count {}", told.sum, told.count)
            }
        };
    }
    let process = &facts.process;
    for (name, kind, value) in [
        ("process_resident_memory_bytes", "gauge", process.resident_bytes as f64),
        ("process_virtual_memory_bytes", "gauge", process.virtual_bytes as f64),
        ("process_cpu_seconds_total", "counter", process.cpu_seconds),
        ("process_open_fds", "gauge", process.open_files as f64),
        ("process_start_time_seconds", "gauge", metrics.started.secs() as f64),
    ] {
        let _ = writeln!(out, "# HELP {name} Of this process.\n# TYPE {name} {kind}\n{name} {value}");
    }
    let info = labels(&[("version", facts.version.clone())]);
    let _ = writeln!(
        out,
        "# HELP strongroom_build_info The version.\n# TYPE strongroom_build_info gauge\nstrongroom_build_info{info} 1"
    );
    out
}

fn labels(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// As Vault's clients know it: what is summed up is of the last one to two minutes.
pub fn json(metrics: &Metrics, facts: &Facts, now: Timestamp) -> Value {
    const MINUTE: i64 = 60;
    let seconds = f64::from(u8::try_from(MINUTE + now.secs().rem_euclid(MINUTE)).unwrap_or(u8::MAX));
    let (mut gauges, mut counters, mut samples) = (Vec::new(), Vec::new(), Vec::new());
    for metric in all(metrics, facts, now) {
        let labels: serde_json::Map<String, Value> =
            metric.labels.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        match metric.kind {
            Kind::Gauge(value) => {
                gauges.push(json!({ "Name": metric.name, "Value": value, "Labels": labels }));
            }
            Kind::Counter(count) => counters.push(json!({
                "Name": metric.name, "Count": count, "Sum": count, "Labels": labels,
            })),
            Kind::Summary(told) => {
                let Recent { count, sum, min, max, stddev, .. } = told.recent;
                samples.push(json!({
                    "Name": metric.name,
                    "Count": count,
                    "Rate": sum / seconds,
                    "Sum": sum,
                    "Min": min,
                    "Max": max,
                    "Mean": told.recent.mean(),
                    "Stddev": stddev,
                    "Labels": labels,
                }));
            }
        }
    }
    json!({
        "Timestamp": now.to_string(),
        "Gauges": gauges,
        "Points": [],
        "Counters": counters,
        "Samples": samples,
    })
}
