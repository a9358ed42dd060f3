ui            = true
cluster_name  = "prod"
api_addr      = "https://vault.example.com:8200"
cluster_addr  = "https://10.0.0.4:8201"
log_level     = "info"
default_lease_ttl = "768h", max_lease_ttl = "768h"

storage "redb" {
  path = "/var/lib/strongroom/store.redb"
}

listener "tcp" {
  address       = "[::]:8200"
  tls_cert_file = "/etc/strongroom/tls/server.crt"
  tls_key_file  = "/etc/strongroom/tls/server.key"
  tls_min_version = "tls13"
  max_request_size = 33554432
  telemetry {
    unauthenticated_metrics_access = false
  }
  custom_response_headers {
    "default" = {
      "Strict-Transport-Security" = ["max-age=31536000", "includeSubDomains"]
    }
    "2xx" = { "X-Custom" = ["a"] }
  }
}

listener "tcp" { address = "127.0.0.1:8202" tls_disable = "true" }
listener "unix" {
  address      = "/run/strongroom.sock"
  socket_mode  = "0600"
}

seal "pkcs11" {
  lib       = "/usr/lib/softhsm/libsofthsm2.so"
  slot      = "0"
  key_label = "root"
  mechanism = "0x1087"
}

telemetry {
  prometheus_retention_time = "24h"
  disable_hostname = true
}

user_lockout "all" { lockout_threshold = 5 lockout_duration = "15m" }

audit "file" "to-disk" {
  options { file_path = "/var/log/strongroom/audit.log" mode = 0600 }
}
