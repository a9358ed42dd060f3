//! `listener "tcp"` and `listener "unix"`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use strongroom_http::custom::CustomError;
use strongroom_http::{CustomHeaders, Limits, MetricsAccess, MinVersion};

use super::stanza::{Stanza, parse_address};
use super::{API_PORT, At, JsonLimits, Listener, telemetry};

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
    let headers = headers(stanza);
    let mut metrics = MetricsAccess::default();
    stanza.blocks("telemetry", 0, |_, stanza| metrics = telemetry::of_listener(stanza));
    foreign(stanza);
    Some(Listener { at: at?, limits, headers, metrics })
}

/// `custom_response_headers { "default" = { "X-Name" = ["value"] } }`, by status.
fn headers(stanza: &mut Stanza<'_>) -> CustomHeaders {
    let mut headers = CustomHeaders::default();
    stanza.blocks("custom_response_headers", 1, |labels, stanza| {
        let status = labels.first().unwrap_or(&"");
        for (name, values) in stanza.lists() {
            match headers.add(status, &name, &values) {
                Ok(()) => {}
                Err(CustomError::Status) => stanza.problem(CustomError::Status.to_string()),
                Err(error) => stanza.problem_at(&name, format!("custom_response_headers: {error}")),
            }
        }
    });
    headers
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
    let min_version = stanza.parsed("tls_min_version", tls_version).unwrap_or(MinVersion::Tls13);
    let max_version = stanza.parsed("tls_max_version", tls_version).unwrap_or(MinVersion::Tls13);
    if max_version == MinVersion::Tls12 {
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

fn tls_version(text: &str) -> Result<MinVersion, String> {
    match text {
        "tls12" => Ok(MinVersion::Tls12),
        "tls13" => Ok(MinVersion::Tls13),
        _ => Err("must be \"tls12\" or \"tls13\": older versions are not spoken".into()),
    }
}

/// The parser's own limit, which no configuration moves: it would call deeper JSON ill-formed, not too deep.
const DEEPEST_JSON: usize = 127;

fn limits(stanza: &mut Stanza<'_>, json: &mut JsonLimits) -> Limits {
    set(&mut json.depth, stanza.count("max_request_json_depth", DEEPEST_JSON));
    set(&mut json.members, stanza.count("max_request_json_members", 10_000_000));
    let mut limits = Limits::default();
    set(&mut limits.connections, stanza.count("max_connections", 1_000_000));
    set(&mut limits.connections_per_address, stanza.count("max_connections_per_address", 1_000_000));
    set(&mut limits.requests, stanza.count("max_requests_in_flight", 1_000_000));
    set(&mut limits.head_bytes, stanza.size("max_request_head_size", 8 << 10, 1 << 20));
    set(&mut limits.headers, stanza.count("max_request_headers", 1000));
    set(&mut limits.token_bytes, stanza.size("max_request_token_size", 64, 1 << 20));
    set(&mut limits.body_bytes, stanza.size("max_request_size", 1 << 10, 1 << 30));
    set(&mut limits.all_bodies_bytes, stanza.size("max_requests_memory", 1 << 20, 1 << 36));
    set(&mut limits.handshake_time, stanza.time("tls_handshake_timeout"));
    set(&mut limits.head_time, stanza.time("http_read_header_timeout"));
    set(&mut limits.body_time, stanza.time("http_read_timeout"));
    set(&mut limits.idle_time, stanza.time("http_idle_timeout"));
    set(&mut limits.request_time, stanza.time("max_request_duration"));
    set(&mut limits.drain_time, stanza.time("drain_timeout"));
    set(&mut limits.streams, stanza.count("max_http2_streams", 10_000).and_then(|n| u32::try_from(n).ok()));
    set(&mut limits.pending_resets, stanza.count("max_http2_pending_resets", 10_000));
    set(&mut limits.error_resets, stanza.count("max_http2_error_resets", 10_000));
    limits
}

fn set<T>(limit: &mut T, wish: Option<T>) {
    if let Some(wish) = wish {
        *limit = wish;
    }
}

impl<'a> Stanza<'a> {
    /// How many; at least one.
    fn count(&mut self, key: &'a str, most: usize) -> Option<usize> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.integer(key, 1..=most).and_then(|count| usize::try_from(count).ok())
    }

    /// How many bytes.
    fn size(&mut self, key: &'a str, least: u64, most: u64) -> Option<usize> {
        self.bytes(key, least..=most).and_then(|bytes| usize::try_from(bytes).ok())
    }

    /// How long.
    fn time(&mut self, key: &'a str) -> Option<Duration> {
        self.seconds(key).and_then(|secs| u64::try_from(secs).ok()).map(Duration::from_secs)
    }
}

/// What Vault's listeners know besides.
fn foreign(stanza: &mut Stanza<'_>) {
    stanza.ignored(&[
        "cluster_address",
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
        "profiling",
        "inflight_requests_logging",
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
