storage "inmem" {}
listener "tcp" { tls_disable = true }
audit "file" "a" {}
audit "file" "b" { path = "x" prefix = "#!/bin/sh" mode = "999" }
audit "file" "b" { path = "y" options { formt = "json" } }
audit "syslog" "c" { facility = "AUTH" }
audit "file" { path = "z" }
