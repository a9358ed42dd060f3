//! Over TLS: whom the command line trusts.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use crate::support::{Caller, Script, serve};

const SCRIPT: Script = &[("GET /v1/a", 200, r#"{"request_id":"i","lease_id":"","data":{"x":"1"}}"#)];

/// A CA, and a certificate of it for 127.0.0.1.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("ext"), "subjectAltName=IP:127.0.0.1,DNS:vault.test\n").unwrap();
            let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
            openssl(folder.path(), &format!("req -x509 {ec} -days 30 -subj /CN=ca -keyout ca.key -out ca.pem"));
            openssl(folder.path(), &format!("req {ec} -subj /CN=leaf -keyout leaf.key -out leaf.csr"));
            openssl(folder.path(), "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out leaf.pem");
            std::fs::create_dir(folder.path().join("trusted")).unwrap();
            std::fs::copy(folder.path().join("ca.pem"), folder.path().join("trusted/a.pem")).unwrap();
            folder
        })
        .path()
}

#[allow(clippy::disallowed_methods)] // a test's foreign program
fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn path(name: &str) -> PathBuf {
    folder().join(name)
}

/// Where it listens.
fn server() -> String {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(path("leaf.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(path("leaf.key")).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
            serve(&mut stream, SCRIPT, &Mutex::default());
            stream.conn.send_close_notify();
            let _ = stream.conn.complete_io(&mut stream.sock);
        }
    });
    url
}

#[test]
fn only_whom_it_is_told_to_trust() {
    let url = server();
    let (ca, trusted) = (path("ca.pem"), path("trusted"));
    let (ca, trusted) = (ca.to_str().unwrap(), trusted.to_str().unwrap());
    let bytes = std::fs::read_to_string(ca).unwrap();
    for (name, value) in [
        ("VAULT_CACERT", ca),
        ("VAULT_CAPATH", trusted),
        ("VAULT_CACERT_BYTES", &bytes),
        ("VAULT_SKIP_VERIFY", "true"),
    ] {
        let outcome = Caller::at(&url).set(name, value).run("read -field=x a");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "1"), "{name}: {}", outcome.stderr);
    }
    assert_eq!(Caller::at(&url).run(&format!("read -ca-cert={ca} a")).code, 0);
    assert_eq!(Caller::at(&url).run("read -tls-skip-verify a").code, 0);
    // The system's bundle does not know our CA; neither does another server's certificate help.
    let leaf = path("leaf.pem");
    let system = Caller::at(&url).set("SSL_CERT_FILE", leaf.to_str().unwrap());
    let outcome = system.run("read a");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.contains("VAULT_CACERT"), "{}", outcome.stderr);
    // A flag wins over the environment.
    assert_eq!(system.set("VAULT_SKIP_VERIFY", "true").run("read -tls-skip-verify=false a").code, 2);
}

#[test]
fn the_name_counts() {
    let url = server();
    let ca = path("ca.pem");
    let caller = Caller::at(&url).set("VAULT_CACERT", ca.to_str().unwrap());
    assert_eq!(caller.run("read -tls-server-name=vault.test a").code, 0);
    assert_eq!(caller.run("read -tls-server-name=other.test a").code, 2);
}

#[test]
fn settings_that_cannot_be_used_say_why() {
    let caller = Caller::at("https://127.0.0.1:1");
    for (name, value, hint) in [
        ("VAULT_CACERT", "/nonexistent.pem", "/nonexistent.pem"),
        ("VAULT_CACERT_BYTES", "nothing", "VAULT_CACERT_BYTES"),
        ("VAULT_CAPATH", "/nonexistent", "/nonexistent"),
        ("VAULT_SKIP_VERIFY", "maybe", "VAULT_SKIP_VERIFY"),
        ("VAULT_CLIENT_CERT", "/nonexistent.pem", "needs its key"),
    ] {
        let outcome = Caller::at("https://127.0.0.1:1").set(name, value).run("read a");
        assert_eq!(outcome.code, 2);
        assert!(
            outcome.stderr.starts_with("failed to create client: ") && outcome.stderr.contains(hint),
            "{}",
            outcome.stderr
        );
    }
    assert_eq!(caller.set("VAULT_CACERT", path("ca.pem").to_str().unwrap()).run("read a").code, 2);
}

#[test]
fn http_and_https_are_told_apart() {
    let url = server();
    let outcome = Caller::at(&url.replace("https", "http")).run("read a");
    assert_eq!(outcome.code, 2);
    let plain = crate::support::Server::new(SCRIPT);
    let ca = path("ca.pem");
    let outcome = Caller::at(&plain.url.replace("http", "https"))
        .set("VAULT_CACERT", ca.to_str().unwrap())
        .run("read a");
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("http://"), "{}", outcome.stderr);
}
