# Administrators look after mounts, policies and tokens, not after secrets.

# Health checks
path "sys/health"
{
  capabilities = ["read", "sudo"]
}

// Policies, on both paths
path "sys/policies/acl"
{
  capabilities = ["list"]
}
path "sys/policies/acl/*"
{
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}

/* Auth methods
   and secrets engines */
path "auth/*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }
path "sys/auth/*" { capabilities = ["create", "update", "delete", "sudo"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/mounts/*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }
path "sys/mounts" { capabilities = ["read"] }
