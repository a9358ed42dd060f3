path "a" { capabilities = [read] }
