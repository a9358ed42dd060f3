# The same path twice is one rule with both.
path "kv/x" { capabilities = ["read"] }
path "kv/x" { capabilities = ["update"] }
