storage "inmem" {}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
listener "tcp" {
  address = "127.0.0.1:8200"
}
