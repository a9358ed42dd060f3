//! The recorded as text for Prometheus, or as JSON in the form that Vault's clients know.

use std::fmt::Write;

use serde_json::{Value, json};
use strongroom_types::Timestamp;

use super::catalogue::{Facts, Kind, all, plain};
use super::{Metrics, QUANTILES, Recent, Timed};

/// In Prometheus's text format.
#[allow(clippy::cast_precision_loss)]
pub fn prometheus(metrics: &Metrics, facts: &Facts, now: Timestamp) -> String {
    let mut out = String::with_capacity(8192);
    let mut last = String::new();
    for metric in all(metrics, facts, now) {
        let name = plain(&metric.name);
        if last != name {
            let kind = match metric.kind {
                Kind::Gauge(_) => "gauge",
                Kind::Counter(_) => "counter",
                Kind::Summary(_) | Kind::Timing(_) => "summary",
            };
            let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", metric.help);
            last.clone_from(&name);
        }
        let labels = labels(&metric.labels);
        let _ = match metric.kind {
            Kind::Gauge(value) => writeln!(out, "{name}{labels} {value}"),
            Kind::Counter(value) => writeln!(out, "{name}{labels} {value}"),
            Kind::Timing(Timed { count, sum, .. }) => {
                writeln!(out, "{name}_sum{labels} {sum}\n{name}_count{labels} {count}")
            }
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
#[allow(clippy::cast_precision_loss)] // what is counted here is small
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
            Kind::Timing(timed) => samples.push(json!({
                "Name": metric.name,
                "Count": timed.recent,
                "Rate": timed.recent_sum / seconds,
                "Sum": timed.recent_sum,
                "Min": timed.min,
                "Max": timed.max,
                "Mean": timed.recent_sum / (timed.recent.max(1) as f64),
                "Labels": labels,
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
