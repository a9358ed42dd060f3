//! `-output-curl-string`, `-output-policy`, `-mfa`: nothing is sent but what has to be known first.

use crate::support::{Caller, Server};

const MOUNT: &str = r#"{"request_id":"","data":{"path":"secret/","options":{"version":"2"}}}"#;

#[test]
fn a_request_as_a_curl_command() {
    let server = Server::new(&[("GET /v1/sys/internal/ui/mounts/secret/a", 200, MOUNT)]);
    let caller = Caller::of(&server);
    let outcome = caller.words(&["kv", "put", "-output-curl-string", "-wrap-ttl=5m", "secret/a", "x=it's"]);
    let expected = format!(
        "curl -X PUT -H \"X-Vault-Request: true\" -H \"X-Vault-Wrap-Ttl: 5m\" -H \"X-Vault-Token: $(strongroom print token)\" \
         -d '{{\"data\":{{\"x\":\"it'\"'\"'s\"}},\"options\":{{}}}}' \"{}/v1/secret/data/a\"\n",
        server.url
    );
    assert_eq!((outcome.code, outcome.stdout), (0, expected));
    assert_eq!(outcome.stderr, "");
    let asked = server.asked();
    assert_eq!(asked.len(), 1, "only the question for the mount is asked");
    assert!(!asked[0].headers.contains_key("x-vault-wrap-ttl"), "what is asked on the way is not wrapped");
}

#[test]
fn tls_settings_and_odd_headers_are_quoted() {
    let caller = Caller::at("https://vault.test:8200").unset("VAULT_TOKEN");
    let words = ["read", "-output-curl-string", "-tls-skip-verify", "-header=X-A=$(rm -rf)`\"", "a b"];
    let outcome = caller.words(&words);
    let expected = "curl --insecure -H \"X-Vault-Request: true\" -H \"X-A: \\$(rm -rf)\\`\\\"\" \
                    \"https://vault.test:8200/v1/a%20b\"\n";
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, expected), "{}", outcome.stderr);
}

#[test]
fn a_request_as_a_policy() {
    let caller = Caller::at("http://127.0.0.1:1");
    for (line, path, words) in [
        ("read a/b", "a/b", "\"read\""),
        ("list a/b", "a/b", "\"list\""),
        ("scan a/b", "a/b", "\"scan\""),
        ("write a/b c=d", "a/b", "\"create\", \"update\""),
        ("patch a/b c=d", "a/b", "\"patch\""),
        ("delete a/b", "a/b", "\"delete\""),
        ("audit list", "sys/audit", "\"read\", \"sudo\""),
        ("auth disable a", "sys/auth/a", "\"delete\", \"sudo\""),
        ("secrets move a b", "sys/remount", "\"create\", \"update\", \"sudo\""),
        ("status", "sys/seal-status", "\"read\""),
        ("operator seal", "sys/seal", "\"create\", \"update\", \"sudo\""),
        ("operator step-down", "sys/step-down", "\"create\", \"update\", \"sudo\""),
        ("read sys/host-info", "sys/host-info", "\"read\", \"sudo\""),
        ("list sys/leases/lookup", "sys/leases/lookup", "\"list\", \"sudo\""),
        ("write sys/leases/lookup lease_id=a", "sys/leases/lookup", "\"create\", \"update\""),
        ("list sys/plugins/catalog/", "sys/plugins/catalog", "\"list\""),
        ("token lookup", "auth/token/lookup-self", "\"read\""),
    ] {
        let outcome = caller.run(&format!("{line} -output-policy"));
        let expected = format!("path \"{path}\" {{\n  capabilities = [{words}]\n}}\n");
        assert_eq!((outcome.code, outcome.stdout), (0, expected), "{line}: {}", outcome.stderr);
    }
}

#[test]
fn a_second_factor_is_refused_clearly() {
    let outcome = Caller::at("http://127.0.0.1:1").run("read -mfa=totp:123 a");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("no second factors"), "{}", outcome.stderr);
}
