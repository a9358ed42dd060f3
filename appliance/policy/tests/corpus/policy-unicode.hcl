path "secret/café/schlüssel" { capabilities = ["read"] }
path "secret/caf\u00e9/2" { capabilities = ["read"] }
