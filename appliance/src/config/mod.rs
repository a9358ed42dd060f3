//! The server's configuration: HCL or JSON in the stanzas that Vault's users know.
//!
//! | module | holds |
//! |---|---|
//! | this one | what a configuration says, without logic, and every limit's default |
//! | [`load`] | files and folders into one [`Config`], or everything that is wrong with them |
//! | [`stanza`] | reading one stanza: what nobody asks for is an unknown key |
//! | [`report`] | problems and warnings with file, line and column |
//! | `top`, `listener`, `storage`, `seal`, `audit` | the stanzas |
//! | `words` | the nearest right word |

mod audit;
mod listener;
mod load;
pub mod report;
mod seal;
pub mod stanza;
mod storage;
mod top;
mod words;

#[cfg(test)]
mod tests;

#[cfg(test)]
use load::files_of;
pub use load::load;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Longest body of a request, in bytes.
pub const MAX_REQUEST_SIZE: u64 = 32 << 20;
/// Longest time a request may take, in seconds.
pub const MAX_REQUEST_DURATION: i64 = 90;
/// How deep the JSON of a request may be nested.
pub const MAX_JSON_DEPTH: i64 = 100;
/// How many members and elements the JSON of a request may have, in all.
pub const MAX_JSON_MEMBERS: i64 = 100_000;
/// Connections at once, on one listener.
pub const MAX_CONNECTIONS: i64 = 4096;
/// Seconds until a connection must have sent its TLS hello and the head of its request.
pub const HEAD_TIMEOUT: i64 = 10;
/// Seconds after which a connection without a request is closed.
pub const IDLE_TIMEOUT: i64 = 300;
/// Cache of the store, in bytes.
pub const STORE_CACHE: u64 = 16 << 20;
/// Free space that writes leave, in percent of the disk.
pub const RESERVE_PERCENT: u8 = 5;
/// Free space that writes leave, in bytes: whichever is more.
pub const RESERVE_BYTES: u64 = 256 << 20;
/// Lifetime of a token or lease that asks for none: 32 days, in seconds.
pub const DEFAULT_LEASE_TTL: i64 = 768 * 3600;
/// Longest lifetime of a token or lease: 32 days, in seconds.
pub const MAX_LEASE_TTL: i64 = 768 * 3600;
/// The port of the API.
pub const API_PORT: u16 = 8200;

/// What the server is told to be.
#[derive(Debug, PartialEq)]
pub struct Config {
    /// At least one.
    pub listeners: Vec<Listener>,
    /// Where the ciphertext is.
    pub storage: Storage,
    /// The groups of the keyslot that init makes, all needed; none is "custodians, as init says".
    pub seals: Vec<Seal>,
    /// Where the audit lines go.
    pub audit: Vec<Audit>,
    /// Shown to clients; made up at init when `None`.
    pub cluster_name: Option<String>,
    /// This node's name, to which its devices belong.
    pub node: String,
    /// How clients reach this node.
    pub api_addr: Option<String>,
    /// How the other nodes reach this one.
    pub cluster_addr: Option<String>,
    /// Seconds.
    pub default_lease_ttl: i64,
    /// Seconds.
    pub max_lease_ttl: i64,
    /// Whether `sys/raw` is there.
    pub raw_storage_endpoint: bool,
    /// JSON nesting and members of a request.
    pub json: JsonLimits,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
}

/// One address to listen on.
#[derive(Debug, PartialEq)]
pub struct Listener {
    /// Where.
    pub at: At,
    /// Its limits.
    pub limits: Limits,
}

/// Where a listener listens.
#[derive(Debug, PartialEq)]
pub enum At {
    /// HTTPS.
    Tls {
        /// Address and port.
        address: SocketAddr,
        /// Certificate and chain, PEM.
        cert: PathBuf,
        /// Private key, PEM.
        key: PathBuf,
        /// The oldest version that is spoken.
        min_version: TlsVersion,
    },
    /// HTTP, on loopback only.
    Plain {
        /// Address and port.
        address: SocketAddr,
    },
    /// HTTP on a Unix socket.
    Unix {
        /// The socket.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    V12,
    /// 1.3
    V13,
}

/// What one listener accepts.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of a body.
    pub request_size: u64,
    /// Seconds.
    pub request_duration: i64,
    /// Connections at once.
    pub connections: i64,
    /// Seconds.
    pub head_timeout: i64,
    /// Seconds.
    pub idle_timeout: i64,
}

/// What the JSON of a request may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonLimits {
    /// Nested objects and arrays.
    pub depth: i64,
    /// Members and elements, in all.
    pub members: i64,
}

/// Where the ciphertext is.
#[derive(Debug, PartialEq)]
pub enum Storage {
    /// A file.
    Redb {
        /// The file; its folder must be there.
        path: PathBuf,
        /// Bytes of cache.
        cache: u64,
        /// What writes leave free.
        reserve: Reserve,
    },
    /// Nowhere: it is gone when the process ends.
    Memory,
}

/// Free space that writes leave: whichever of the two is more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reserve {
    /// Percent of the disk.
    pub percent: u8,
    /// Bytes.
    pub bytes: u64,
}

/// One group of the keyslot that init makes.
#[derive(Debug, PartialEq)]
pub enum Seal {
    /// One device behind a bridge.
    Device(Device),
    /// People.
    Custodians {
        /// How many of them are needed.
        threshold: u8,
        /// How many there are.
        shares: u8,
    },
}

/// A device behind a bridge.
#[derive(Debug, PartialEq)]
pub struct Device {
    /// What kind.
    pub kind: DeviceKind,
    /// As keyslots and errors name it.
    pub name: String,
    /// The bridge's socket.
    pub socket: PathBuf,
    /// The wrapping key on the device; made if it is not there.
    pub key_id: String,
    /// The user that the bridge must run as; any but our own when `None`.
    pub peer_uid: Option<u32>,
    /// Whether the bridge may run as the same user (development).
    pub allow_same_uid: bool,
}

/// What kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// An HSM, behind `hsm-bridge`.
    Pkcs11,
    /// A TPM 2.0, behind `tpm-bridge`.
    Tpm,
}

/// One audit sink.
#[derive(Debug, PartialEq)]
pub struct Audit {
    /// `file`.
    pub kind: String,
    /// Its name, with which it salts its hashes.
    pub name: String,
    /// For people.
    pub description: String,
    /// As they are shown by `sys/audit`.
    pub options: BTreeMap<String, String>,
    /// The file; `None` discards, `stdout` is the standard output.
    pub target: AuditTarget,
    /// Permissions of the file.
    pub mode: u32,
    /// Whether values are written in clear.
    pub log_raw: bool,
    /// Whether accessors are hashed.
    pub hmac_accessor: bool,
    /// Whether lists are left out.
    pub elide_list_responses: bool,
}

/// Where audit lines go.
#[derive(Debug, PartialEq)]
pub enum AuditTarget {
    /// A file.
    File(PathBuf),
    /// The standard output.
    Stdout,
    /// Nowhere.
    Discard,
}
