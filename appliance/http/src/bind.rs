//! What a listener is, and the checks that come before anything listens.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::socket::{Backlog, listen};
use rustls::ServerConfig;

use crate::custom::CustomHeaders;
use crate::limits::Limits;
use crate::tls::{self, Certificate, Tls, TlsError};

/// Connections that wait in the kernel until they are accepted.
const BACKLOG: i32 = 1024;

/// A listener as the configuration describes it.
pub struct Listener {
    /// Where.
    pub address: Address,
    /// How it is encrypted. None only on loopback or a Unix socket.
    pub tls: Option<Tls>,
    /// What a client may ask of it.
    pub limits: Limits,
    /// What the operator adds to its answers.
    pub headers: CustomHeaders,
    /// Who may read the metrics there.
    pub metrics: MetricsAccess,
}

/// Who may read `sys/metrics` of a listener, and what else is answered there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricsAccess {
    /// Whether a token is not needed for it.
    pub open: bool,
    /// Whether nothing else is answered.
    pub only: bool,
}

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its file. One that nobody listens on any more is replaced.
        path: PathBuf,
        /// Who may connect, as file permissions: 0o600 lets only our own user in.
        mode: u32,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { path, .. } => path.display().fmt(f),
        }
    }
}

/// A listener that has its address and its certificate; nothing is accepted yet.
pub struct Bound {
    pub(crate) socket: Socket,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) limits: Limits,
    pub(crate) headers: CustomHeaders,
    pub(crate) metrics: MetricsAccess,
    address: Address,
    certificate: Option<Arc<Certificate>>,
}

pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Bound {
    /// Where; a port 0 has become the real one.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What a client may ask of it.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// As clients write it: `https://127.0.0.1:8200`, `unix:///run/strongroom.sock`.
    pub fn url(&self) -> String {
        match (&self.address, &self.tls) {
            (Address::Tcp(address), Some(_)) => format!("https://{address}"),
            (Address::Tcp(address), None) => format!("http://{address}"),
            (Address::Unix { path, .. }, _) => format!("unix://{}", path.display()),
        }
    }

    /// The certificate in use, to reload it.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }
}

/// Why a listener cannot be had. All are the operator's to mend.
#[derive(Debug)]
pub enum BindError {
    /// Plain HTTP on an address that others can reach.
    PlainText(SocketAddr),
    /// The address cannot be had.
    Address {
        /// Which.
        address: Address,
        /// Why.
        cause: io::Error,
    },
    /// Somebody listens on that Unix socket already, or it is another kind of file.
    Occupied(PathBuf),
    /// The certificate cannot be used.
    Tls(TlsError),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PlainText(address) => write!(
                f,
                "the listener {address} has no TLS: give it tls_cert_file and tls_key_file; plain HTTP is only for \
                 loopback addresses and Unix sockets"
            ),
            Self::Address { address, cause } if cause.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: another process does; stop it or choose another address"
                )
            }
            Self::Address { address, cause } => write!(f, "cannot listen on {address}: {cause}"),
            Self::Occupied(path) => write!(
                f,
                "cannot listen on {}: another process does, or it is not a socket; it is not touched",
                path.display()
            ),
            Self::Tls(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for BindError {}

/// Takes the address and reads the certificate, so that an error comes before anything is promised.
pub fn bind(listener: Listener) -> Result<Bound, BindError> {
    let Listener { address, tls, limits, headers, metrics } = listener;
    if let (Address::Tcp(address), None) = (&address, &tls)
        && !address.ip().to_canonical().is_loopback()
    {
        return Err(BindError::PlainText(*address));
    }
    let (tls, certificate) = match tls.map(tls::server).transpose().map_err(BindError::Tls)? {
        Some((config, certificate)) => (Some(config), Some(certificate)),
        None => (None, None),
    };
    let about = |cause| BindError::Address { address: address.clone(), cause };
    let (socket, address) = match &address {
        Address::Tcp(wanted) => {
            let socket = TcpListener::bind(wanted).map_err(about)?;
            // The standard library asks for a queue of 128 only: a thousand clients at once would be turned away.
            Backlog::new(BACKLOG)
                .and_then(|backlog| listen(&socket, backlog))
                .map_err(io::Error::from)
                .map_err(about)?;
            socket.set_nonblocking(true).map_err(about)?;
            let real = socket.local_addr().map_err(about)?;
            (Socket::Tcp(socket), Address::Tcp(real))
        }
        Address::Unix { path, mode } => {
            clear(path)?;
            let socket = UnixListener::bind(path).map_err(about)?;
            std::fs::set_permissions(path, PermissionsExt::from_mode(*mode)).map_err(about)?;
            socket.set_nonblocking(true).map_err(about)?;
            (Socket::Unix(socket), address.clone())
        }
    };
    Ok(Bound { socket, tls, limits, headers, metrics, address, certificate })
}

/// Removes the socket file of a process that is gone; nothing else is ever removed.
fn clear(path: &Path) -> Result<(), BindError> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() || UnixStream::connect(path).is_ok() {
        return Err(BindError::Occupied(path.to_owned()));
    }
    let about =
        |cause| BindError::Address { address: Address::Unix { path: path.to_owned(), mode: 0 }, cause };
    std::fs::remove_file(path).map_err(about)
}
