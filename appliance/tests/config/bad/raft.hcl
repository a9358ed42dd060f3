storage "raft" {
  path    = "/opt/vault/data"
  node_id = "node1"
  retry_join { leader_api_addr = "http://10.0.0.1:8200" }
}
listener "tcp" { tls_disable = true }
