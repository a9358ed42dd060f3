storage "redb" {
  path  = ""
  cache = "16MB"
  reserve_percent = 95
}
listener "tcp" {
  address         = "vault.example.com:8200"
  tls_cert_file   = "a"
  tls_key_file    = 7
  tls_min_version = "tls11"
  max_request_size = 10
  max_request_duration = "soon"
  max_request_json_depth = 128
  tls_require_and_verify_client_cert = true
}
listener "unix" { socket_mode = "rwx" }
listener "quic" { address = "127.0.0.1:8200" }
api_addr = "strongroom.example.com"
default_lease_ttl = "2h"
max_lease_ttl = "1h"
max_lease_ttl = "3h"
