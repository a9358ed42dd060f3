storage "inmem" {}
telemetry {
  prometheus_retention_time = "-1s"
  disable_hostname          = false
  metrics_prefix            = "no name"
  prefix_filter             = ["vault.route"]
  statsd_address            = "127.0.0.1:8125"
  statsd_adress             = "127.0.0.1:8125"
}
telemetry {}
listener "tcp" {
  tls_disable = true
  telemetry {
    unauthenticated_metrics_access = "yes"
    disallow_metrics               = true
    metrics_onli                   = true
  }
}
