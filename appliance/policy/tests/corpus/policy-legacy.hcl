name = "legacy"

path "secret/*" { policy = "write" }
path "secret/ops" { policy = "read" }
path "secret/super" { policy = "deny" }
path "auth/*" { policy = "sudo" }
