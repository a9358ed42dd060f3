path "secret/foo" {
  capabilities = ["create"]
  allowed_parameters {
    zip = ["94107"], "zap" = [1, 2.5, true]
    "deep" = [["a", "b"], { a = "b" }]
  }
  denied_parameters { }
}
