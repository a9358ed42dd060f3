path "secret/p/*" {
  capabilities = ["create", "update"]
  allowed_parameters = {
    "color" = ["red", "b*"]
    "size"  = []
    "*"     = []
  }
  denied_parameters = { "admin" = [] }
  required_parameters = ["color", "Owner"]
}
