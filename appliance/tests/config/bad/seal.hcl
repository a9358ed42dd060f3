storage "inmem" {}
listener "tcp" { tls_disable = true }
seal "pkcs11" {
  lib  = "/usr/lib/softhsm/libsofthsm2.so"
  slot = "0"
  pin  = "1234"
}
seal "awskms" { region = "eu-central-1" }
seal "tpm" { name = "hsm" socket = "tpm.sock" }
seal "tpm" { name = "hsm" socket = "tpm.sock" }
seal "tpm" { name = "Board One" socket = "" peer_uid = -1 }
seal "shamir" { shares = 2 threshold = 3 }
seal "shamir" { shares = 2 }
