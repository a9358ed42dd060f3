path "a/+*" { capabilities = ["read"] }
