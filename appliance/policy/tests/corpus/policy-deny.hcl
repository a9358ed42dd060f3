path "secret/data/*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan"] }
path "secret/data/super-secret" { capabilities = ["deny"] }
path "/secret/leading/slash" { capabilities = ["read"] }
