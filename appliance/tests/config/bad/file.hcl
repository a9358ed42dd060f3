backend "file" { path = "/opt/vault/data" }
listener "tcp" { tls_disable = true }
