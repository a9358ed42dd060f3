storage "inmem" {}
backend "redb" { path = "a" }
listener "tcp" { tls_disable = true }
