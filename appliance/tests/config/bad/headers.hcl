storage "inmem" {}
listener "tcp" {
  tls_disable = true
  custom_response_headers {
    "default" = { "X-Vault-Token" = "x", "Cache-Control" = "public" }
    "20x"     = { "X-A" = "x" }
    "404"     = { "no name" = ["x"], "X-B" = [], "X-C" = 7 }
  }
}
