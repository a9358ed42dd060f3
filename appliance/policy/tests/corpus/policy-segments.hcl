path "secret/+/teamb" { capabilities = ["read"] }
path "secret/+/+/teamb/*" { capabilities = ["list"] }
path "+/data/app" { capabilities = ["read"] }
path "+" { capabilities = ["deny"] }
