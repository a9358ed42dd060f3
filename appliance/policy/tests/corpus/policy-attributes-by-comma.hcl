path "a" { capabilities = ["read"], comment = "x", }
