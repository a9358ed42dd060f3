//! The listener's certificate and its TLS settings.
//!
//! Invariant: the provider is always named, never the process's default, so that a second one in the binary changes
//! nothing; and a certificate that does not belong to its key is refused before anything listens.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use strongroom_types::Secret;
use zeroize::Zeroizing;

/// What a listener needs to speak TLS.
pub struct Tls {
    /// The certificate chain, the server's own first.
    pub certificate: Pem,
    /// The private key: PKCS#8, SEC 1 or PKCS#1.
    pub key: Pem,
    /// The oldest version spoken.
    pub min_version: MinVersion,
}

/// Where PEM text comes from.
pub enum Pem {
    /// A file; read again on reload.
    File(PathBuf),
    /// The text itself: a descriptor that was handed over, or a test.
    Text(Secret),
}

/// The oldest TLS version spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.3 only.
    #[default]
    Tls13,
    /// TLS 1.2 too, for old clients.
    Tls12,
}

/// Why a certificate cannot be used. All are the operator's to mend.
#[derive(Debug)]
pub enum TlsError {
    /// The file cannot be read.
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Others than its owner may read the key's file, or change it.
    KeyIsOpen {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is no certificate in the text, or it is not PEM.
    NoCertificate {
        /// Where the text comes from.
        source: String,
    },
    /// There is no private key in the text, or it is not PEM.
    NoKey {
        /// Where the text comes from.
        source: String,
    },
    /// The key is of a kind that cannot be used, or it does not belong to the certificate.
    Mismatch(rustls::Error),
    /// The settings contradict each other.
    Settings(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            Self::KeyIsOpen { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "others may read or change the private key {path} (mode {mode:04o}): chmod 600 {path}, and \
                     consider a new key"
                )
            }
            Self::NoCertificate { source } => {
                write!(f, "{source} holds no PEM certificate (-----BEGIN CERTIFICATE-----)")
            }
            Self::NoKey { source } => {
                write!(f, "{source} holds no PEM private key (PKCS#8, SEC 1 or PKCS#1)")
            }
            Self::Mismatch(cause) => {
                write!(f, "the private key cannot be used with the certificate: {cause}")
            }
            Self::Settings(cause) => write!(f, "these TLS settings cannot be used: {cause}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// A certificate and its key in use, which can be exchanged while connections are open.
pub struct Certificate {
    source: (Pem, Pem),
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    complaint: ArcSwapOption<String>,
}

impl Certificate {
    fn load(certificate: Pem, key: Pem, provider: Arc<CryptoProvider>) -> Result<Arc<Self>, TlsError> {
        let (pair, complaint) = certified(&certificate, &key, &provider)?;
        let (current, complaint) = (ArcSwap::from_pointee(pair), ArcSwapOption::new(complaint.map(Arc::new)));
        Ok(Arc::new(Self { source: (certificate, key), provider, current, complaint }))
    }

    /// Reads the files again. New connections use what was read; on an error the old pair stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let (certificate, key) = &self.source;
        let (pair, complaint) = certified(certificate, key, &self.provider)?;
        self.current.store(Arc::new(pair));
        self.complaint.store(complaint.map(Arc::new));
        Ok(())
    }

    /// What an operator should know of the pair in use, if there is anything.
    pub fn complaint(&self) -> Option<String> {
        self.complaint.load().as_deref().cloned()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// The provider of every listener: aws-lc-rs, hybrid post-quantum key exchange first.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519, X25519MLKEM768};
    Arc::new(CryptoProvider {
        kx_groups: vec![X25519MLKEM768, X25519, SECP256R1, SECP384R1],
        ..aws_lc_rs::default_provider()
    })
}

/// The settings of a listener, and its certificate to reload.
pub(crate) fn server(tls: Tls) -> Result<(Arc<ServerConfig>, Arc<Certificate>), TlsError> {
    let provider = provider();
    let certificate = Certificate::load(tls.certificate, tls.key, provider.clone())?;
    let versions: &[_] = match tls.min_version {
        MinVersion::Tls13 => &[&version::TLS13],
        MinVersion::Tls12 => &[&version::TLS13, &version::TLS12],
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(TlsError::Settings)?
        .with_no_client_auth()
        .with_cert_resolver(certificate.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets keep no state here; their keys change every six hours, and resuming still does a key exchange.
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Settings)?;
    Ok((Arc::new(config), certificate))
}

/// The pair, and what is to be said of it.
fn certified(
    certificate: &Pem,
    key: &Pem,
    provider: &CryptoProvider,
) -> Result<(CertifiedKey, Option<String>), TlsError> {
    let chain_text = certificate.read()?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_text.expose())
        .collect::<Result<_, _>>()
        .ok()
        .filter(|chain: &Vec<_>| !chain.is_empty())
        .ok_or_else(|| TlsError::NoCertificate { source: certificate.name() })?;
    let (key_text, complaint) = key.read_guarded()?;
    let key = PrivateKeyDer::from_pem_slice(key_text.expose())
        .map_err(|_| TlsError::NoKey { source: key.name() })?;
    Ok((CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Mismatch)?, complaint))
}

/// Who besides its owner gets at a key's file.
#[derive(Debug, PartialEq, Eq)]
enum Access {
    /// Nobody, or our own group that reads it.
    Fine,
    /// Another group reads it.
    ForeignGroup,
    /// Everybody, or a group that may change it.
    Open,
}

fn access(mode: u32, group: u32, own_group: u32) -> Access {
    match (mode & 0o027, mode & 0o040) {
        (0, 0) => Access::Fine,
        (0, _) if group == own_group => Access::Fine,
        (0, _) => Access::ForeignGroup,
        _ => Access::Open,
    }
}

impl Pem {
    /// A private key, and what is to be said of its file; one that others get at is not used. What is looked at is the
    /// file that is read, whatever its name stands for a moment later.
    fn read_guarded(&self) -> Result<(Secret, Option<String>), TlsError> {
        use std::io::Read;
        use std::os::unix::fs::MetadataExt;
        let Self::File(path) = self else { return Ok((self.read()?, None)) };
        let about = |cause| TlsError::Read { path: path.clone(), cause };
        let mut file = std::fs::File::open(path).map_err(about)?;
        let found = file.metadata().map_err(about)?;
        let mode = found.mode() & 0o7777;
        let complaint = match access(mode, found.gid(), nix::unistd::getegid().as_raw()) {
            Access::Fine => None,
            Access::ForeignGroup => Some(format!(
                "the group {} may read the private key {} (mode {mode:04o}): chmod 600, unless you know its members",
                found.gid(),
                path.display()
            )),
            Access::Open => return Err(TlsError::KeyIsOpen { path: path.clone(), mode }),
        };
        // Room for all of it: a buffer that grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1));
        file.read_to_end(&mut text).map_err(about)?;
        Ok((Secret::from(std::mem::take(&mut *text)), complaint))
    }

    fn read(&self) -> Result<Secret, TlsError> {
        match self {
            Self::File(path) => std::fs::read(path)
                .map(Secret::from)
                .map_err(|cause| TlsError::Read { path: path.clone(), cause }),
            Self::Text(text) => Ok(Secret::copy_of(text.expose())),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "what was handed over".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_at_a_key() {
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(access(mode, 1, 2), Access::Fine, "{mode:o}");
        }
        assert_eq!(access(0o640, 2, 2), Access::Fine, "the daemon's own group");
        assert_eq!(access(0o640, 1, 2), Access::ForeignGroup);
        assert_eq!(access(0o650, 1, 2), Access::ForeignGroup, "a file that is no program");
        for mode in [0o604, 0o602, 0o601, 0o620, 0o660, 0o644, 0o666, 0o777] {
            assert_eq!(access(mode, 2, 2), Access::Open, "{mode:o}");
        }
    }
}
