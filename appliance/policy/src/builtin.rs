//! The policies that are always there.

/// Allows everything; has no text and cannot be changed.
pub const ROOT: &str = "root";
/// What every token gets unless its creator says otherwise; may be changed, not removed.
pub const DEFAULT: &str = "default";
/// What the token of a wrapped answer holds; cannot be changed, nor given to other tokens.
pub const RESPONSE_WRAPPING: &str = "response-wrapping";

/// The text of [`RESPONSE_WRAPPING`].
pub const RESPONSE_WRAPPING_TEXT: &str = r#"
path "cubbyhole/response" {
    capabilities = ["create", "read"]
}

path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}
"#;

/// The text of [`DEFAULT`] until an administrator changes it.
///
/// Vault's own also lets a token read its own entity by id and by name. Those two stanzas have templated paths;
/// they join when identity is there.
pub const DEFAULT_TEXT: &str = r#"
# A token may look at itself, renew itself and end itself.
path "auth/token/lookup-self" {
    capabilities = ["read"]
}

path "auth/token/renew-self" {
    capabilities = ["update"]
}

path "auth/token/revoke-self" {
    capabilities = ["update"]
}

# It may ask what it is allowed to do on a path, and on all of them.
path "sys/capabilities-self" {
    capabilities = ["update"]
}

path "sys/internal/ui/resultant-acl" {
    capabilities = ["read"]
}

# It may renew and look up a lease whose id it knows. The first path is what older clients use.
path "sys/renew" {
    capabilities = ["update"]
}

path "sys/leases/renew" {
    capabilities = ["update"]
}

path "sys/leases/lookup" {
    capabilities = ["update"]
}

# Its cubbyhole is its own.
path "cubbyhole/*" {
    capabilities = ["create", "read", "update", "delete", "list"]
}

# It may wrap a value, look at a wrapping token and open one.
path "sys/wrapping/wrap" {
    capabilities = ["update"]
}

path "sys/wrapping/lookup" {
    capabilities = ["update"]
}

path "sys/wrapping/unwrap" {
    capabilities = ["update"]
}

# It may hash what it sends.
path "sys/tools/hash" {
    capabilities = ["update"]
}

path "sys/tools/hash/*" {
    capabilities = ["update"]
}

# It may sign in to an application through the OIDC provider.
path "identity/oidc/provider/+/authorize" {
    capabilities = ["read", "update"]
}
"#;
