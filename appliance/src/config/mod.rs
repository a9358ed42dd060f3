//! The server's configuration: HCL or JSON in the stanzas that Vault's users know.
//!
//! | module | holds |
//! |---|---|
//! | this one | what a configuration says, without logic, and every limit's default |
//! | [`load`] | files and folders into one [`Config`], or everything that is wrong with them |
//! | [`stanza`] | reading one stanza: what nobody asks for is an unknown key |
//! | [`report`] | problems and warnings with file, line and column |
//! | `top`, `listener`, `storage`, `seal`, `audit`, `lockout`, `telemetry` | the stanzas |
//! | `words` | the nearest right word |

mod audit;
mod listener;
mod load;
mod lockout;
pub mod report;
mod seal;
pub mod stanza;
mod storage;
mod telemetry;
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

use strongroom_core::log::Level;
use strongroom_core::{LockoutSetting, Telemetry};
use strongroom_http::{CustomHeaders, Limits, MetricsAccess, MinVersion};
use strongroom_store::Reserve;

/// How deep the JSON of a request may be nested.
pub const MAX_JSON_DEPTH: usize = 100;
/// How many members and elements the JSON of a request may have, in all.
pub const MAX_JSON_MEMBERS: usize = 100_000;
/// Cache of the store, in bytes.
pub const STORE_CACHE: usize = 16 << 20;
/// Locked memory for keys, in bytes: those of some ten thousand mounts at a time; of more, what is needed is derived
/// again.
pub const KEY_MEMORY: usize = 1 << 20;
/// Lifetime of a token or lease that asks for none: 32 days, in seconds.
pub const DEFAULT_LEASE_TTL: i64 = 768 * 3600;
/// Longest lifetime of a token or lease: 32 days, in seconds.
pub const MAX_LEASE_TTL: i64 = 768 * 3600;
/// The port of the API.
pub const API_PORT: u16 = 8200;

/// What the server is told to be.
#[derive(Debug)]
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
    /// Seconds.
    pub default_lease_ttl: i64,
    /// Seconds.
    pub max_lease_ttl: i64,
    /// JSON nesting and members of a request.
    pub json: JsonLimits,
    /// Bytes of locked memory for keys.
    pub key_memory: usize,
    /// Where the process id is written.
    pub pid_file: Option<PathBuf>,
    /// How much is logged; information when `None`. Read again at SIGHUP.
    pub log_level: Option<Level>,
    /// When somebody is locked out, by the kind of auth method or for `all`.
    pub user_lockout: BTreeMap<String, LockoutSetting>,
    /// How the metrics are called, and which are told.
    pub telemetry: Telemetry,
}

/// One address to listen on.
#[derive(Debug)]
pub struct Listener {
    /// Where.
    pub at: At,
    /// Its limits.
    pub limits: Limits,
    /// What it adds to its answers.
    pub headers: CustomHeaders,
    /// Whether the metrics are read there without a token.
    pub metrics: MetricsAccess,
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
        min_version: MinVersion,
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

/// What the JSON of a request may hold.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonLimits {
    /// Nested objects and arrays.
    pub depth: usize,
    /// Members and elements, in all.
    pub members: usize,
}

/// Where the ciphertext is.
#[derive(Debug, PartialEq)]
pub enum Storage {
    /// A file.
    Redb {
        /// The file; its folder must be there.
        path: PathBuf,
        /// Bytes of cache.
        cache: usize,
        /// What writes leave free.
        reserve: Reserve,
    },
    /// Nowhere: it is gone when the process ends.
    Memory,
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
    /// In Vault's words, as `sys/audit` shows them.
    pub options: BTreeMap<String, String>,
}
