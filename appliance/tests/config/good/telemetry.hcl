# Metrics as Vault's operators write them.
storage "inmem" {}
telemetry {
  prometheus_retention_time = "30s"
  disable_hostname          = true
  usage_gauge_period        = "10m"
  maximum_gauge_cardinality = 500
  metrics_prefix            = "strongroom"
  prefix_filter             = ["-strongroom.route", "+strongroom.route.read"]
  filter_default            = true
}
listener "tcp" {
  tls_disable = true
  telemetry { unauthenticated_metrics_access = "true" }
}
listener "tcp" {
  address     = "127.0.0.1:8202"
  tls_disable = true
  telemetry {
    unauthenticated_metrics_access = true
    metrics_only                   = true
  }
}
listener "tcp" { address = "127.0.0.1:8204" tls_disable = true }
