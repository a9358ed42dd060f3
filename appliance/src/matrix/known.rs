//! What a table does not tell.

/// What is at the places that the cases ask for: written by root beforehand. Of a route without a line here nothing is
/// there, which is fine, but a delete that should not happen would go unseen.
pub const SEEDS: &[(&str, &str)] = &[
    ("sys/policies/acl/thing", r#"{"policy": "path \"a\" { capabilities = [\"read\"] }"}"#),
    ("sys/policies/password/thing", r#"{"policy": "length = 8 rule \"charset\" { charset = \"ab\" }"}"#),
    ("sys/auth/thing", r#"{"type": "userpass"}"#),
    ("auth/token/roles/thing", r#"{"orphan": true}"#),
    ("sys/quotas/rate-limit/thing", r#"{"path": "m-kv-0/nowhere", "rate": 1000000}"#),
    ("sys/config/cors", r#"{"allowed_origins": "https://thing.example"}"#),
    ("sys/config/ui/headers/thing", r#"{"values": "a"}"#),
    ("sys/config/auditing/request-headers/thing", r#"{"hmac": true}"#),
    ("m-kv-0/thing", r#"{"a": "b"}"#),
    ("m-kv-1/data/thing", r#"{"data": {"a": "b"}}"#),
    ("auth/m-approle-0/role/thing", r#"{"role_id": "thing", "bind_secret_id": true}"#),
    ("cubbyhole/thing", r#"{"a": "b"}"#),
    // A hash, so that nothing computes long.
    (
        "auth/m-userpass-0/users/thing",
        r#"{"password_hash": "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"}"#,
    ),
];

/// Reads that differ from one time to the next though nothing has changed, and why.
pub const VOLATILE: &[(&str, &str)] = &[
    ("/sys/internal/counters/requests", "each request counts, and the question itself"),
    ("/sys/metrics", "each request is measured"),
    ("/sys/in-flight-req", "the question is under way itself"),
    ("/sys/host-info", "the machine does other things besides"),
];

/// Paths below `sys/` that are answered in every state, as the contract has it.
pub const ALWAYS: &[&str] = &["sys/init", "sys/unseal", "sys/seal-status", "sys/health", "sys/leader"];

/// Paths where a token that is unknown may be a wrapping token that is used up: said so, with a 400.
pub const WRAPPING: &[&str] = &["sys/wrapping/unwrap", "sys/wrapping/rewrap"];
