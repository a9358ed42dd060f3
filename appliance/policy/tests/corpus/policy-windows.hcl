path "a" {
  capabilities = ["read"] # eol
}
