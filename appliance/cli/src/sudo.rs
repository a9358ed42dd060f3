//! What also needs `sudo`: for the policies that `-output-policy` prints, which no server is asked about.
//!
//! A copy: the command line knows no server's routes. `appliance/src/routes/tests.rs` compares it with them.

/// Paths of this server; a `*` at the end stands for anything but nothing.
pub const PATHS: &[&str] = &[
    "auth/token/accessors",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/clock",
    "sys/config/auditing/*",
    "sys/config/cors",
    "sys/config/ui/headers",
    "sys/config/ui/headers/*",
    "sys/generate-root-token/*",
    // A token is not needed, but whoever comes with one begins by it.
    "sys/generate-root/attempt",
    "sys/generate-root/update",
    "sys/host-info",
    "sys/in-flight-req",
    "sys/leases",
    "sys/leases/lookup/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/monitor",
    "sys/plugins/catalog/*",
    "sys/rekey-recovery-key/*",
    "sys/rekey/*",
    "sys/remount",
    "sys/rotate",
    "sys/rotate/keyring",
    "sys/rotate/recovery/*",
    "sys/rotate/root",
    "sys/rotate/root/*",
    "sys/seal",
    "sys/step-down",
];

/// Paths that other servers have, which this program can be used with as well.
const ELSEWHERE: &[&str] =
    &["sys/internal/inspect/*", "sys/raw", "sys/raw/*", "sys/revoke-force/*", "sys/revoke-prefix/*"];

/// Only to list there.
const LISTS: &str = "sys/leases/lookup";

/// Whether a request for `path` needs `sudo` beside the capability of its verb.
pub fn is_needed(path: &str, lists: bool) -> bool {
    let path = path.trim_matches('/');
    lists && path == LISTS || PATHS.iter().chain(ELSEWHERE).any(|pattern| covers(pattern, path))
}

/// Whether a pattern of [`PATHS`] stands for `path`.
pub fn covers(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.len() > prefix.len() && path.starts_with(prefix),
        None => pattern == path,
    }
}
