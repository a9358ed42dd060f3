road "a" { capabilities = ["read"] }
