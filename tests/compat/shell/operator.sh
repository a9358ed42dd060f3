#!/bin/bash
# How an operator brings a new server up and down: init into a file, keys from it with jq, unseal, new keys, a new root
# token, seal.
set -euo pipefail

check() { if "$@"; then passed=$((passed + 1)); else echo "FAILED  $*" && failed=$((failed + 1)); fi; }
code_of() { local code=0; "$@" >/dev/null 2>&1 || code=$?; echo "$code"; }
passed=0 failed=0

check test "$(code_of vault status)" = 2
check test "$(vault status -format=json | jq -r .initialized || true)" = false
check test "$(code_of vault operator init -status)" = 2

vault operator init -key-shares=5 -key-threshold=3 -format=json >init.json
check test "$(jq '.unseal_keys_b64 | length' init.json)" = 5
check test "$(code_of vault operator init -status)" = 0
for i in 0 1 2; do
    vault operator unseal "$(jq -r ".unseal_keys_b64[$i]" init.json)" >/dev/null
done
check test "$(code_of vault status)" = 0

VAULT_TOKEN=$(jq -r .root_token init.json)
export VAULT_TOKEN
check test "$(vault token lookup -format=json | jq -r '.data.policies[0]')" = root
check test "$(vault status -format=json | jq -r '"\(.t) of \(.n)"')" = "3 of 5"

term=$(vault operator key-status -format=json | jq .term)
vault operator rotate >/dev/null
check test "$(vault operator key-status -format=json | jq .term)" = $((term + 1))

nonce=$(vault operator rekey -init -key-shares=3 -key-threshold=2 -format=json | jq -r .nonce)
for i in 0 1 2; do
    vault operator rekey -nonce="$nonce" -format=json "$(jq -r ".unseal_keys_b64[$i]" init.json)" >rekey.json
done
check test "$(jq '.keys_base64 | length' rekey.json)" = 3

begun=$(vault operator generate-root -init -format=json)
nonce=$(jq -r .nonce <<<"$begun")
for i in 0 1; do
    vault operator generate-root -nonce="$nonce" -format=json "$(jq -r ".keys_base64[$i]" rekey.json)" >root.json
done
fresh=$(vault operator generate-root -decode="$(jq -r .encoded_token root.json)" -otp="$(jq -r .otp <<<"$begun")")
check test "$(VAULT_TOKEN=$fresh vault token lookup -format=json | jq -r '.data.policies[0]')" = root

vault operator seal >/dev/null
check test "$(code_of vault secrets list)" = 2
jq -r '.keys[1,2]' rekey.json | while read -r key; do vault operator unseal "$key" >/dev/null; done
check test "$(code_of vault secrets list)" = 0
check test "$(vault read -field=sealed sys/seal-status)" = false

echo "$passed passed, $failed failed"
test "$failed" = 0
