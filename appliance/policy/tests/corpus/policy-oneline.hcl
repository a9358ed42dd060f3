path "secret/*" { capabilities = ["read"] } path "kv/*" { capabilities = ["read", "list",] }
