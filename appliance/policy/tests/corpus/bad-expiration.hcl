path "a" { expiration = "tomorrow" }
