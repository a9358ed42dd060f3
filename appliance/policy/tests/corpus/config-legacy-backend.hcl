backend "file" { path = "/opt/vault/data" }
listener "tcp" {
 address = "0.0.0.0:8200"
 tls_disable = 0
}
max_lease_ttl = 2764800
