storage "redb" {
  path  = "store.redb"
  cashe = "16MiB"
}

listener "tcp" {
  adress        = "127.0.0.1:8200"
  tls_cert_file = "a"
  tls_key_file  = "b"
}

colour  = "red"
lisener "tcp" {}
