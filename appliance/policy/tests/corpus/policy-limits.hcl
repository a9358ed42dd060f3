path "kv/metadata/*" {
  comment          = "for the contractor"
  capabilities     = ["list", "scan"]
  pagination_limit = 100
  expiration       = "2030-01-02T03:04:05Z"
  list_scan_response_keys_filter_path = "{{ .path }}{{ .key }}"
}
path "kv/data/*" {
  capabilities = ["read"]
  mfa_methods  = ["my_totp"]
}
