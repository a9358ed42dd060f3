//! `telemetry`, of the whole and of a listener.

use strongroom_core::Telemetry;
use strongroom_http::MetricsAccess;

use super::stanza::Stanza;

/// The stanza at the top level.
pub fn read(stanza: &mut Stanza<'_>) -> Telemetry {
    let mut telemetry = Telemetry::default();
    // What is counted is never forgotten; without any time Prometheus gets nothing.
    if stanza.whole_seconds("prometheus_retention_time") == Some(0) {
        telemetry.prometheus = false;
    }
    if let Some(prefix) = stanza.parsed("metrics_prefix", prefix) {
        telemetry.prefix = prefix;
    }
    for text in stanza.texts("prefix_filter").unwrap_or_default() {
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(beginning), _) => telemetry.filters.push((beginning.to_owned(), true)),
            (None, Some(beginning)) => telemetry.filters.push((beginning.to_owned(), false)),
            (None, None) => {
                stanza.problem_at(
                    "prefix_filter",
                    "prefix_filter: each begins with + or -, as \"-vault.route\"",
                );
            }
        }
    }
    telemetry.others = stanza.flag("filter_default").unwrap_or(true);
    // No name holds the host's.
    if stanza.flag("disable_hostname") == Some(false) {
        stanza.ignored(&["disable_hostname"]);
    }
    foreign(stanza);
    telemetry
}

fn prefix(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| text.to_owned()).ok_or_else(|| "must be letters, digits and _".to_owned())
}

/// The stanza of a listener.
pub fn of_listener(stanza: &mut Stanza<'_>) -> MetricsAccess {
    let open = stanza.flag("unauthenticated_metrics_access").unwrap_or(false);
    let only = stanza.flag("metrics_only").unwrap_or(false);
    stanza.refused(&[(
        "disallow_metrics",
        "policies say which token may read sys/metrics, and without one it is read only where \
         unauthenticated_metrics_access says so; remove the line",
    )]);
    MetricsAccess { open, only }
}

/// What Vault knows besides.
fn foreign(stanza: &mut Stanza<'_>) {
    stanza.ignored(&[
        "usage_gauge_period",
        "maximum_gauge_cardinality",
        "enable_hostname_label",
        "lease_metrics_epsilon",
        "num_lease_metrics_buckets",
        "add_lease_metrics_namespace_labels",
        "add_mount_point_rollback_metrics",
        "rollback_metrics_include_mount_point",
    ]);
    const NOT_SENT: &str =
        "metrics are not sent anywhere: let them be read from sys/metrics; remove the line";
    stanza.refused(&[
        ("statsite_address", NOT_SENT),
        ("statsd_address", NOT_SENT),
        ("dogstatsd_addr", NOT_SENT),
        ("dogstatsd_tags", NOT_SENT),
        ("circonus_api_token", NOT_SENT),
        ("circonus_api_app", NOT_SENT),
        ("circonus_api_url", NOT_SENT),
        ("circonus_submission_interval", NOT_SENT),
        ("circonus_submission_url", NOT_SENT),
        ("circonus_check_id", NOT_SENT),
        ("circonus_check_force_metric_activation", NOT_SENT),
        ("circonus_check_instance_id", NOT_SENT),
        ("circonus_check_search_tag", NOT_SENT),
        ("circonus_check_display_name", NOT_SENT),
        ("circonus_check_tags", NOT_SENT),
        ("circonus_broker_id", NOT_SENT),
        ("circonus_broker_select_tag", NOT_SENT),
        ("stackdriver_project_id", NOT_SENT),
        ("stackdriver_location", NOT_SENT),
        ("stackdriver_namespace", NOT_SENT),
        ("stackdriver_debug_logs", NOT_SENT),
    ]);
}
