//! Over real TLS, with clients that are not ours.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, NamedGroup, ProtocolVersion, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use strongroom_http::{Address, Listener, MinVersion, Pem, Tls, TlsError, bind};
use strongroom_types::Secret;

use crate::support::{PATIENCE, Server, ca, command, limits};

/// A finished handshake, and the socket below it.
pub fn shake(server: &Server, alpn: &[&[u8]]) -> (ClientConnection, TcpStream) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&ca().ca).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let mut connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let mut socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).unwrap();
    }
    (connection, socket)
}

#[test]
fn tls_13_with_a_post_quantum_key_exchange() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    let (mut connection, mut socket) = shake(&server, &[b"http/1.1"]);
    assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(connection.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    stream.write_all(b"GET /v1/echo HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (connection, _) = shake(&server, &[b"h2", b"http/1.1"]);
    assert_eq!(connection.alpn_protocol(), Some(&b"h2"[..]));
}

#[test]
fn tls_12_only_when_asked_for() {
    let client = |server: &Server| {
        command(
            "openssl",
            &format!("s_client -connect {} -CAfile {} -tls1_2", server.address, ca().ca.display()),
        )
    };
    assert!(!client(&Server::tls(limits(), MinVersion::Tls13)).status.success());
    let output = client(&Server::tls(limits(), MinVersion::Tls12));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Verify return code: 0"), "{text}");
}

#[test]
fn curl_over_both_versions_of_http() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    for version in ["--http1.1", "--http2"] {
        let output = command(
            "curl",
            &format!(
                "-sS {version} --cacert {} -X LIST -H X-Vault-Token:t -w %{{http_version}} {}/v1/echo",
                ca().ca.display(),
                server.url
            ),
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains("\"operation\":\"list\",\"token\":\"t\""),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.ends_with(if version == "--http2" { "}\n2" } else { "}\n1.1" }), "{text}");
    }
    let body = "x".repeat(200_000);
    for version in ["--http1.1", "--http2"] {
        let output = command(
            "curl",
            &format!(
                "-sS {version} --cacert {} --data-binary {} {}/v1/echo",
                ca().ca.display(),
                &body[..100_000],
                server.url
            ),
        );
        assert!(String::from_utf8_lossy(&output.stdout).contains("\"bytes\":100000"));
    }
    // Neither guesses: without TLS this is no protocol.
    assert!(!command("curl", &format!("-sS http://{}/v1/echo", server.address)).status.success());
}

#[test]
fn a_handshake_that_does_not_come_is_given_up() {
    let server = Server::tls(limits(), MinVersion::Tls13);
    assert_eq!(server.connect().rest(), "");
    assert_eq!(server.connect().send("\x16\x03\x01\x40\x00").rest(), "");
    server.connect().send("GET /v1/echo HTTP/1.1\r\nHost: v\r\n\r\n").rest();
    shake(&server, &[b"http/1.1"]);
    assert_eq!(server.seen.begun(), 0);
}

#[test]
fn a_certificate_can_be_exchanged_while_the_listener_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("c.key"));
    let put = |from: (&std::path::Path, &std::path::Path)| {
        std::fs::copy(from.0, &certificate).unwrap();
        std::fs::copy(from.1, &key).unwrap();
    };
    put((&ca().certificate, &ca().key));
    let pair = Tls {
        certificate: Pem::File(certificate.clone()),
        key: Pem::File(key.clone()),
        min_version: MinVersion::Tls13,
    };
    let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
    let bound = bind(Listener {
        address,
        tls: Some(pair),
        limits: limits(),
        headers: Default::default(),
        metrics: Default::default(),
    })
    .unwrap();
    let in_use = bound.certificate().unwrap();
    let server = Server::start(bound);
    let served = || shake(&server, &[b"h2"]).0.peer_certificates().unwrap()[0].to_vec();
    let first = served();
    let other = ca().issue("other");
    std::fs::copy(&other.0, &certificate).unwrap();
    assert!(matches!(in_use.reload(), Err(TlsError::Mismatch(_))));
    assert_eq!(served(), first, "a pair that does not fit changes nothing");
    put((&other.0, &other.1));
    in_use.reload().unwrap();
    assert_ne!(served(), first);
}

#[test]
fn certificates_and_keys_that_cannot_be_used_say_why() {
    let refused = |certificate: Pem, key: Pem| {
        let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
        let tls = Some(Tls { certificate, key, min_version: MinVersion::Tls13 });
        let Err(error) = bind(Listener {
            address,
            tls,
            limits: limits(),
            headers: Default::default(),
            metrics: Default::default(),
        }) else {
            panic!("was accepted")
        };
        error.to_string()
    };
    let text = |text: &str| Pem::Text(Secret::copy_of(text.as_bytes()));
    let file = |path: &std::path::Path| Pem::File(path.to_owned());
    let ca = ca();
    assert!(refused(file("/nonexistent/c.pem".as_ref()), file(&ca.key)).contains("/nonexistent/c.pem"));
    assert!(refused(text("nothing"), file(&ca.key)).contains("no PEM certificate"));
    assert!(refused(file(&ca.certificate), text("nothing")).contains("no PEM private key"));
    assert!(refused(file(&ca.certificate), file(&ca.issue("foreign").1)).contains("cannot be used"));
}

/// The pair of [`ca`] with a key file of `mode`.
fn with_key_of(mode: u32) -> (tempfile::NamedTempFile, Result<strongroom_http::Bound, String>) {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::copy(&ca().key, key.path()).unwrap();
    std::fs::set_permissions(key.path(), PermissionsExt::from_mode(mode)).unwrap();
    let (certificate, file) = (Pem::File(ca().certificate.clone()), Pem::File(key.path().to_owned()));
    let tls = Some(Tls { certificate, key: file, min_version: MinVersion::Tls13 });
    let address = Address::Tcp("127.0.0.1:0".parse().unwrap());
    let bound = bind(Listener {
        address,
        tls,
        limits: limits(),
        headers: Default::default(),
        metrics: Default::default(),
    });
    (key, bound.map_err(|error| error.to_string()))
}

#[test]
fn cve_2021_38553_a_key_that_others_get_at_is_refused() {
    for mode in [0o644, 0o604, 0o602, 0o660, 0o620, 0o666] {
        let (key, bound) = with_key_of(mode);
        let Err(error) = bound else { panic!("{mode:o} was accepted") };
        assert!(error.contains(&format!("(mode {mode:04o})")), "{error}");
        assert!(error.contains(&format!("chmod 600 {}", key.path().display())), "{error}");
    }
    let (key, bound) = with_key_of(0o640);
    let certificate = bound.unwrap().certificate().unwrap();
    assert_eq!(certificate.complaint(), None, "the file's group is our own");
    std::fs::set_permissions(key.path(), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(certificate.reload(), Err(TlsError::KeyIsOpen { mode: 0o644, .. })));
}
