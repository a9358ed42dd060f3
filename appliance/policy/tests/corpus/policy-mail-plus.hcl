# a plus inside a segment and a star inside a path are plain characters
path "auth/userpass/users/me+test@example.com" { capabilities = ["read"] }
path "secret/a*b" { capabilities = ["read"] }
