# Every stanza, as an operator writes it.
cluster_name = "prod"
node_id      = "node-a"
api_addr     = "https://strongroom.example.com:8200/"
cluster_addr = "https://10.0.0.4:8201"
pid_file     = "/run/strongroom/strongroom.pid"
key_memory   = "4MiB"

default_lease_ttl = "1h", max_lease_ttl = "768h"

storage "redb" {
  path    = "/var/lib/strongroom/store.redb"
  cache   = "64MiB"
  reserve = "1GiB"
}

listener "tcp" {
  address          = "[::]:8200"
  tls_cert_file    = "/etc/strongroom/server.crt"
  tls_key_file     = "/etc/strongroom/server.key"
  tls_min_version  = "tls12"
  max_request_size = 1048576, max_requests_memory = "64MiB"
  max_request_duration   = "30s"
  max_request_json_depth = 20

  custom_response_headers {
    "default" = {
      "X-Frame-Options"         = "DENY"
      "Content-Security-Policy" = ["default-src 'none'", "frame-ancestors 'none'"]
    }
    "4xx" = { "X-Custom" = ["refused"] }
  }
}

listener "tcp" { address = "127.0.0.1:8202" tls_disable = "true" }

listener "unix" {
  address     = "/run/strongroom/api.sock"
  socket_mode = "0660"
}

seal "pkcs11" {
  socket   = "/run/strongroom/hsm.sock"
  peer_uid = 901
}

seal "tpm" {
  name   = "board"
  socket = "/run/strongroom/tpm.sock"
  key_id = "root.2026"
  peer_uid = 902
}

seal "shamir" {
  shares    = 5
  threshold = 2
}

audit "file" "to-disk" {
  description = "all of it"
  options { file_path = "/var/log/strongroom/audit.log" mode = 0755 }
}

audit "file" "console" {
  path    = "stdout"
  log_raw = false
}
