#!/bin/bash
# What scripts of an application and its administrators do all day: policies from here-documents, logins, fields, JSON
# through jq, wrapped hand-overs, tokens of limited use.
set -euo pipefail

check() { if "$@"; then passed=$((passed + 1)); else echo "FAILED  $*" && failed=$((failed + 1)); fi; }
code_of() { local code=0; "$@" >/dev/null 2>&1 || code=$?; echo "$code"; }
passed=0 failed=0
admin=$VAULT_TOKEN

vault secrets enable -path=team kv-v2 >/dev/null
vault secrets enable -path=old -version=1 kv >/dev/null
check test "$(vault secrets list -format=json | jq -r '."team/".options.version')" = 2

vault kv put -mount=team app/db user=ann password=correct-horse >/dev/null
check test "$(vault kv get -mount=team -field=password app/db)" = correct-horse
check test "$(vault kv get -format=json team/app/db | jq -r .data.data.user)" = ann
printf 'from a file' >note
vault kv put old/app/note text=@note >/dev/null
check test "$(vault read -field=text old/app/note)" = "from a file"
echo '{"user": "bob", "nested": {"deep": [1, 2]}}' | vault kv put -mount=team app/json - >/dev/null
check test "$(vault kv get -mount=team -format=json app/json | jq -c .data.data.nested)" = '{"deep":[1,2]}'
check test "$(vault kv list -format=json team/app | jq -r 'join(",")')" = db,json
check test "$(code_of vault kv get team/nothing)" = 2
vault kv put -mount=team -cas=1 app/db user=ann password=battery-staple >/dev/null
check test "$(vault kv get -mount=team -version=1 -field=password app/db)" = correct-horse
vault kv delete -mount=team app/db >/dev/null
check test "$(code_of vault kv get -mount=team -field=password app/db)" = 2
vault kv undelete -mount=team -versions=2 app/db >/dev/null
check test "$(vault kv get -mount=team -field=password app/db)" = battery-staple

vault policy write app - >/dev/null <<EOF
# What the application may do.
path "team/data/app/*" {
  capabilities = ["read"]
}
EOF
check grep -q '^# What the application' <(vault policy read app)
check grep -qx app <(vault policy list)

vault auth enable -path=people userpass >/dev/null
vault write auth/people/users/ann password=secret policies=app >/dev/null
vault login -method=userpass -path=people -token-only username=ann password=secret >token
check test "$(VAULT_TOKEN=$(cat token) vault kv get -mount=team -field=user app/db)" = ann
check test "$(VAULT_TOKEN=$(cat token) code_of vault kv put -mount=team app/db user=eve)" = 2
check test "$(VAULT_TOKEN=$(cat token) vault token capabilities team/data/app/db)" = read
unset VAULT_TOKEN
vault login -method=userpass -path=people username=ann password=secret >/dev/null
check test "$(vault kv get -mount=team -field=user app/db)" = ann
check test "$(code_of vault login -method=userpass -path=people username=ann password=wrong)" = 2
export VAULT_TOKEN=$admin

token=$(vault token create -policy=app -ttl=10m -use-limit=2 -format=json | jq -r .auth.client_token)
check test "$(VAULT_TOKEN=$token vault kv get -mount=team -field=user app/db)" = ann
accessor=$(vault token create -policy=app -format=json | tee made.json | jq -r .auth.accessor)
vault token renew -increment=2h "$(jq -r .auth.client_token made.json)" >/dev/null
check test "$(vault token lookup -accessor "$accessor" -format=json | jq .data.num_uses)" = 0
vault token revoke -accessor "$accessor" >/dev/null
check test "$(VAULT_TOKEN=$(jq -r .auth.client_token made.json) code_of vault token lookup)" = 2

gift=$(vault kv get -wrap-ttl=2m -mount=team -format=json app/db | jq -r .wrap_info.token)
check test "$(VAULT_TOKEN=$gift vault unwrap -format=json | jq -r .data.data.user)" = ann
check test "$(code_of vault unwrap "$gift")" = 2
gift=$(vault write -wrap-ttl=60 -field=wrapping_token sys/wrapping/wrap a=b)
check test "$(vault write -field=creation_path sys/wrapping/lookup token="$gift")" = sys/wrapping/wrap
check test "$(vault unwrap -field=a "$gift")" = b
child=$(vault token create -policy=app -wrap-ttl=1m -field=wrapping_token)
child=$(vault unwrap -format=json "$child" | jq -r .auth.client_token)
check test "$(VAULT_TOKEN=$child vault kv get -mount=team -field=user app/db)" = ann

vault auth enable approle >/dev/null
vault write auth/approle/role/job token_policies=app token_ttl=20m secret_id_ttl=1h secret_id_num_uses=2 >/dev/null
role_id=$(vault read -field=role_id auth/approle/role/job/role-id)
secret_id=$(vault write -f -format=json auth/approle/role/job/secret-id | jq -r .data.secret_id)
VAULT_TOKEN=$(vault write -field=token auth/approle/login role_id="$role_id" secret_id="$secret_id")
check test "$(vault kv get -mount=team -field=user app/db)" = ann
check test "$(vault token lookup -format=json | jq -r .data.meta.role_name)" = job
VAULT_TOKEN=$admin
# Handed over wrapped.
gift=$(vault write -f -wrap-ttl=2m -field=wrapping_token auth/approle/role/job/secret-id)
secret_id=$(VAULT_TOKEN=$gift vault unwrap -field=secret_id)
vault write -field=token auth/approle/login role_id="$role_id" secret_id="$secret_id" >token.job
check test "$(VAULT_TOKEN=$(cat token.job) vault token lookup -format=json | jq -c .data.policies)" = '["app","default"]'
check test "$(vault list -format=json auth/approle/role | jq -r 'join(",")')" = job
check test "$(code_of vault write auth/approle/login role_id="$role_id" secret_id=invented)" = 2

VAULT_TOKEN='' vault login -method=userpass -path=people -token-only username=ann password=secret >token.short
lease=$(vault list -format=json sys/leases/lookup/auth/people/login/ann | jq -r '.[0]')
check test "$(vault lease lookup -format=json "auth/people/login/ann/$lease" | jq -r .data.id)" = "auth/people/login/ann/$lease"
vault lease revoke -sync -prefix auth/people/login/ann >/dev/null
check test "$(VAULT_TOKEN=$(cat token.short) code_of vault token lookup)" = 2
VAULT_TOKEN='' vault login -method=userpass -path=people -token-only username=ann password=secret >token

vault auth disable people >/dev/null
check test "$(VAULT_TOKEN=$(cat token) code_of vault token lookup)" = 2
vault secrets move team crew >/dev/null
check test "$(vault kv get -mount=crew -field=user app/db)" = ann
vault secrets disable crew >/dev/null
check test "$(code_of vault kv get -mount=crew app/db)" = 2
check test "$(curl -s --cacert "$VAULT_CACERT" -H "X-Vault-Token: $VAULT_TOKEN" "$VAULT_ADDR/v1/old/app/note" | jq -r .data.text)" = "from a file"

echo "$passed passed, $failed failed"
test "$failed" = 0
