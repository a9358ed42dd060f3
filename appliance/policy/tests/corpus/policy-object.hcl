path = {
  "secret/a" = { capabilities = ["read"] }
  "secret/b" = { capabilities = ["list"] }
}
path { "secret/c" { capabilities = ["read"] } }
