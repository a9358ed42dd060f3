//! Whom to trust, and what to show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::args::{Flags, parse_bool};
use crate::env;
use crate::io::Io;

/// Where distributions keep the certificates that the system trusts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The TLS settings that `flags` and the environment describe.
pub fn config(flags: &Flags, io: &Io) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let skip = match env::get(io, "SKIP_VERIFY") {
        _ if flags.text("tls-skip-verify").is_some() => flags.on("tls-skip-verify"),
        None => false,
        Some(text) => parse_bool(text).ok_or("VAULT_SKIP_VERIFY is neither true nor false")?,
    };
    let builder = match skip {
        true => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        false => builder.with_root_certificates(roots(flags, io)?),
    };
    let path =
        |flag: &str, name: &str| flags.text(flag).or_else(|| env::get(io, name)).map(|p| io.folder.join(p));
    let mut config = match (path("client-cert", "CLIENT_CERT"), path("client-key", "CLIENT_KEY")) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let key_der = PrivateKeyDer::from_pem_file(&key).map_err(|error| about(&key, error))?;
            builder
                .with_client_auth_cert(certificates(&certificate)?, key_der)
                .map_err(|error| about(&key, error))?
        }
        _ => return Err("a client certificate needs its key, and a key its certificate".into()),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn roots(flags: &Flags, io: &Io) -> Result<RootCertStore, String> {
    let setting = |flag: &str, name: &str| flags.text(flag).or_else(|| env::get(io, name));
    let mut store = RootCertStore::empty();
    let given = if let Some(file) = setting("ca-cert", "CACERT") {
        certificates(&io.folder.join(file))?
    } else if let Some(text) = env::get(io, "CACERT_BYTES") {
        pem(text.as_bytes()).ok_or("VAULT_CACERT_BYTES holds no PEM certificate")?
    } else if let Some(folder) = setting("ca-path", "CAPATH") {
        of_folder(&io.folder.join(folder))?
    } else {
        // Some certificates of a system's bundle may be of a kind that we do not take: the others count.
        store.add_parsable_certificates(certificates(&system(io)?)?);
        return Ok(store);
    };
    for certificate in given {
        store.add(certificate).map_err(|error| format!("a CA certificate cannot be used: {error}"))?;
    }
    Ok(store)
}

fn system(io: &Io) -> Result<PathBuf, String> {
    let named = io.env.get("SSL_CERT_FILE").map(PathBuf::from);
    let mut known = SYSTEM.iter().map(PathBuf::from);
    named.or_else(|| known.find(|path| path.is_file())).ok_or_else(|| {
        "this system has no bundle of CA certificates: name the server's with VAULT_CACERT or -ca-cert".into()
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = std::fs::read(path).map_err(|error| about(path, error))?;
    pem(&text).ok_or_else(|| about(path, "it holds no PEM certificate"))
}

fn of_folder(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| about(path, error))? {
        let file = entry.map_err(|error| about(path, error))?.path();
        if let Some(found) = std::fs::read(&file).ok().and_then(|text| pem(&text)) {
            out.extend(found);
        }
    }
    if out.is_empty() { Err(about(path, "it holds no PEM certificate")) } else { Ok(out) }
}

fn pem(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().ok()?;
    (!found.is_empty()).then_some(found)
}

fn about(path: &Path, why: impl std::fmt::Display) -> String {
    format!("cannot use {}: {why}", path.display())
}

/// Trusts whoever answers, because the user asked for it; the handshake's signatures are checked all the same.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
