path "a" { policy = "all" }
