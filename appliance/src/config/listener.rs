//! `listener "tcp"` and `listener "unix"`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::stanza::{Stanza, parse_address};
use super::{
    API_PORT, At, HEAD_TIMEOUT, IDLE_TIMEOUT, JsonLimits, Limits, Listener, MAX_CONNECTIONS,
    MAX_REQUEST_DURATION, MAX_REQUEST_SIZE, TlsVersion,
};

/// One listener stanza of the type `kind`, and what it says of JSON, which counts for all listeners.
pub fn read(kind: &str, stanza: &mut Stanza<'_>, json: &mut JsonLimits) -> Option<Listener> {
    let at = match kind {
        "tcp" => tcp(stanza),
        "unix" => unix(stanza),
        _ => {
            stanza.problem("there is no such listener; write listener \"tcp\" or listener \"unix\"");
            stanza.abandon();
            return None;
        }
    };
    let limits = limits(stanza, json);
    foreign(stanza);
    Some(Listener { at: at?, limits })
}

fn tcp(stanza: &mut Stanza<'_>) -> Option<At> {
    let given = stanza.has("address");
    let address = stanza.parsed("address", |text| parse_address(text, API_PORT));
    let address = match (address, given) {
        (Some(address), _) => address,
        // Refused; the rest is read all the same.
        (None, true) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        (None, false) => SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)),
    };
    let cert = stanza.path("tls_cert_file");
    let key = stanza.path("tls_key_file");
    let min_version = stanza.parsed("tls_min_version", tls_version).unwrap_or(TlsVersion::V13);
    let max_version = stanza.parsed("tls_max_version", tls_version).unwrap_or(TlsVersion::V13);
    if max_version == TlsVersion::V12 {
        stanza.problem_at("tls_max_version", "tls_max_version: TLS 1.3 is always spoken; remove the line");
    }
    if stanza.flag("tls_disable").unwrap_or(false) {
        if !address.ip().is_loopback() {
            stanza.problem_at(
                "tls_disable",
                format!(
                    "tls_disable: plain HTTP is for loopback and Unix sockets only, not for {}",
                    address.ip()
                ),
            );
            return None;
        }
        return Some(At::Plain { address });
    }
    for (key, what) in [("tls_cert_file", "the certificate"), ("tls_key_file", "the private key")] {
        if !stanza.has(key) {
            stanza.problem(format!(
                "{key} is missing: write the file with {what} in PEM, or, on loopback only, tls_disable = true"
            ));
        }
    }
    Some(At::Tls { address, cert: cert?, key: key?, min_version })
}

fn unix(stanza: &mut Stanza<'_>) -> Option<At> {
    let path = stanza.required_text("address", "write the path of the socket");
    let mode = stanza.octal("socket_mode");
    stanza.ignored(&["tls_disable"]);
    stanza.refused(&[
        ("socket_user", "the socket belongs to the server's user; start the server as that user"),
        ("socket_group", "the socket belongs to the server's group; start the server with that group"),
    ]);
    Some(At::Unix { path: PathBuf::from(path?), mode: mode.unwrap_or(0o600) })
}

fn tls_version(text: &str) -> Result<TlsVersion, String> {
    match text {
        "tls12" => Ok(TlsVersion::V12),
        "tls13" => Ok(TlsVersion::V13),
        _ => Err("must be \"tls12\" or \"tls13\": older versions are not spoken".into()),
    }
}

fn limits(stanza: &mut Stanza<'_>, json: &mut JsonLimits) -> Limits {
    if let Some(depth) = stanza.integer("max_request_json_depth", 1..=1000) {
        json.depth = depth;
    }
    if let Some(members) = stanza.integer("max_request_json_members", 1..=10_000_000) {
        json.members = members;
    }
    Limits {
        request_size: stanza.bytes("max_request_size", 1024..=1 << 30).unwrap_or(MAX_REQUEST_SIZE),
        request_duration: stanza.seconds("max_request_duration").unwrap_or(MAX_REQUEST_DURATION),
        connections: stanza.integer("max_connections", 1..=1_000_000).unwrap_or(MAX_CONNECTIONS),
        head_timeout: stanza.seconds("http_read_header_timeout").unwrap_or(HEAD_TIMEOUT),
        idle_timeout: stanza.seconds("http_idle_timeout").unwrap_or(IDLE_TIMEOUT),
    }
}

/// What Vault's listeners know besides.
fn foreign(stanza: &mut Stanza<'_>) {
    stanza.ignored(&[
        "cluster_address",
        "http_read_timeout",
        "http_write_timeout",
        "max_json_depth",
        "max_json_string_value_length",
        "max_json_object_entry_count",
        "max_json_array_element_count",
        "max_request_json_memory",
        "max_request_json_strings",
        "tls_cipher_suites",
        "tls_prefer_server_cipher_suites",
        "tls_disable_client_certs",
        "disable_replication_status_endpoints",
        "redact_addresses",
        "redact_cluster_name",
        "redact_version",
        "disable_request_limiter",
        "chroot_namespace",
        "purpose",
        "role",
        "telemetry",
        "profiling",
        "inflight_requests_logging",
        "custom_response_headers",
        "disable_unauthed_rekey_endpoints",
        "disable_unauthed_generate_root_endpoints",
        "cors_enabled",
        "cors_allowed_origins",
        "cors_allowed_headers",
        "agent_api",
        "proxy_api",
    ]);
    const CLIENT_CERTIFICATES: &str = "client certificates are not asked for yet; remove the line";
    const CLIENT_ADDRESS: &str =
        "the client's address is the connection's own; forwarded addresses are not believed; remove the line";
    const ACME: &str = "certificates are read from files; write tls_cert_file and tls_key_file";
    stanza.refused(&[
        ("tls_client_ca_file", CLIENT_CERTIFICATES),
        ("tls_require_and_verify_client_cert", CLIENT_CERTIFICATES),
        ("proxy_protocol_behavior", CLIENT_ADDRESS),
        ("proxy_protocol_authorized_addrs", CLIENT_ADDRESS),
        ("x_forwarded_for_authorized_addrs", CLIENT_ADDRESS),
        ("x_forwarded_for_hop_skips", CLIENT_ADDRESS),
        ("x_forwarded_for_reject_not_authorized", CLIENT_ADDRESS),
        ("x_forwarded_for_reject_not_present", CLIENT_ADDRESS),
        ("x_forwarded_for_client_cert_header", CLIENT_ADDRESS),
        ("x_forwarded_for_client_cert_header_decoders", CLIENT_ADDRESS),
        ("tls_acme_ca_directory", ACME),
        ("tls_acme_ca_root", ACME),
        ("tls_acme_cache_path", ACME),
        ("tls_acme_domains", ACME),
        ("tls_acme_eab_key_id", ACME),
        ("tls_acme_eab_mac_key", ACME),
        ("tls_acme_email", ACME),
    ]);
}
