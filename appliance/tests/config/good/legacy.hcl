backend "inmem" {}
listener "tcp" {
 address = "localhost"
 tls_disable = 1
}
max_lease_ttl = 2764800
disable_mlock = true
ui            = true
seal "shamir" {}
