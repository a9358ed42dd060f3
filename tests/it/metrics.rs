//! Metrics without a token, of the whole server: only where the configuration says so, and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use serde_json::json;
use strongroom_tests::Client;
use strongroom_tests::process::{Plain, errors, free_port};

/// Status and text.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let url = format!("http://{address}/v1/{path}");
    let out = Command::new("curl").args(["-s", "-w", "\n%{http_code}", &url]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_metrics_are_read_without_a_token_only_where_the_configuration_says_so_and_nothing_else_is() {
    let port = free_port(2);
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (open, only) = (at(port), at(port + 1));
    let listener = |address: SocketAddr, more: &str| {
        format!(
            "listener \"tcp\" {{\n address = \"{address}\"\n tls_disable = true\n telemetry {{\n \
             unauthenticated_metrics_access = true\n {more} }}\n}}\n"
        )
    };
    let stanzas = format!("{}{}", listener(open, ""), listener(only, "metrics_only = true\n"));
    let mut server = Plain::with(&stanzas).await.unwrap();
    let mut root = server.client();
    root.send("POST", "sys/mounts/of-somebody", Some(&json!({"type": "kv"}))).await.unwrap();
    root.send("POST", "of-somebody/a", Some(&json!({"x": "1"}))).await.unwrap();
    let text = "sys/metrics?format=prometheus";
    assert_eq!(get(server.address, text).0, 403, "the other listener asks for a token");
    for address in [open, only] {
        let (status, metrics) = get(address, text);
        assert_eq!(status, 200, "{metrics}");
        assert!(metrics.contains("vault_core_unsealed{cluster=") && metrics.contains("} 1\n"));
        assert!(metrics.contains("vault_core_handle_request_count"));
        assert!(!metrics.contains("somebody") && !metrics.contains("vault_route"), "{metrics}");
        assert!(get(address, "sys/metrics").1.contains("\"Gauges\""));
        let mut nobody = Client::plain(address, "");
        for (method, path) in [
            ("POST", "sys/metrics"),
            ("DELETE", "sys/metrics"),
            ("LIST", "sys/metrics"),
            ("GET", "sys/metrics/"),
            ("GET", "sys/metrics/x"),
            ("GET", "sys/mounts"),
            ("GET", "sys/host-info"),
            ("GET", "of-somebody/a"),
        ] {
            let status = nobody.send(method, path, None).await.unwrap().status;
            assert!([400, 403, 404].contains(&status), "{method} {path}: {status}");
        }
        // A token that is wrong is not the same as none.
        let mut wrong = Client::plain(address, "hvs.wrong");
        assert!([403].contains(&wrong.send("GET", "sys/metrics", None).await.unwrap().status));
    }
    // With a token the open one is as any other; the last one answers nothing else to anybody.
    let token = server.root_token.clone();
    assert_eq!(Client::plain(open, &token).send("GET", "of-somebody/a", None).await.unwrap().status, 200);
    for path in ["of-somebody/a", "sys/health", "sys/seal-status", "sys/internal/specs/openapi"] {
        assert_eq!(Client::plain(only, &token).send("GET", path, None).await.unwrap().status, 404, "{path}");
    }
    let seal = Client::plain(only, &token).send("PUT", "sys/seal", Some(&json!({}))).await.unwrap();
    assert_eq!(seal.status, 404);
    // Strangers are charged.
    let quota = json!({"path": "sys/metrics", "rate": 2, "interval": "1h"});
    root.send("POST", "sys/quotas/rate-limit/q", Some(&quota)).await.unwrap();
    let asked: Vec<u16> = (0..4).map(|_| get(open, text).0).collect();
    assert_eq!(asked, [200, 200, 429, 429]);
    root.send("DELETE", "sys/quotas/rate-limit/q", None).await.unwrap();
    // Sealed, it says so.
    root.send("PUT", "sys/seal", Some(&json!({}))).await.unwrap();
    let (status, metrics) = get(only, text);
    assert!(status == 200 && metrics.contains("vault_core_unsealed 0\n"), "{metrics}");
    assert_eq!(get(server.address, text).0, 503);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_telemetry_stanza_says_how_metrics_are_called_and_which_are_told() {
    let stanza = "telemetry {\n metrics_prefix = \"sr\"\n prefix_filter = [\"-sr.audit\"]\n \
                  prometheus_retention_time = 0\n}\n";
    let server = Plain::with(stanza).await.unwrap();
    let mut root = server.client();
    let metrics = root.send("GET", "sys/metrics", None).await.unwrap().body.to_string();
    assert!(metrics.contains("\"sr.core.handle_request\"") && !metrics.contains("vault."), "{metrics}");
    assert!(!metrics.contains("sr.audit"), "{metrics}");
    let text = root.send("GET", "sys/metrics?format=prometheus", None).await.unwrap();
    assert_eq!((text.status, errors(&text.body).as_str()), (400, "prometheus is not enabled"));
}
