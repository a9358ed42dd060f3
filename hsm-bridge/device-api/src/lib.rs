//! What a key device can do, and the protocol in which the bridges offer it.
//!
//! | module | holds |
//! |---|---|
//! | [`wire`] | the frames, drawn; the closed list of operations |
//! | [`client`] | the daemon's side: a [`KeyDevice`] behind a socket |
//! | [`server`] | a bridge's side |
//! | [`bridge`] | what both bridges do alike as processes |
//! | [`limits`] | how large anything may be |
//! | [`mock`] | a device in memory, with faults on demand |
//! | [`conformance`] | what every device must do |

pub mod bridge;
pub mod client;
pub mod conformance;
mod error;
pub mod limits;
pub mod mock;
mod peer;
pub mod server;
mod transport;
pub mod wire;

pub use client::{Client, ClientOptions};
pub use error::{DeviceError, DeviceErrorKind};
pub use peer::PeerRule;

use strongroom_types::{BoxFuture, Secret};

/// A device that holds keys and wraps secrets with them: an HSM, a TPM, a mock. The daemon sees it through
/// `Client`; a bridge implements it.
pub trait KeyDevice: Send + Sync {
    /// Which device this is: stays the same across restarts, differs between devices.
    fn identity(&self) -> BoxFuture<'_, Result<Identity, DeviceError>>;

    /// Whether it can work now; an error says what is missing and what to do.
    fn health(&self) -> BoxFuture<'_, Result<(), DeviceError>>;

    /// `count` random bytes (1 to 1024) from the device's generator.
    fn random(&self, count: usize) -> BoxFuture<'_, Result<Secret, DeviceError>>;

    /// Makes sure that the wrapping key `id` is there: finds it or makes it, so repeating is harmless.
    fn ensure_key<'a>(&'a self, id: &'a KeyId) -> BoxFuture<'a, Result<(), DeviceError>>;

    /// Wraps `plain` (1 to 1024 bytes) under the key `id`, bound to `aad`. Verified by unwrapping before it is returned.
    fn wrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        plain: &'a Secret,
    ) -> BoxFuture<'a, Result<Wrapped, DeviceError>>;

    /// What [`KeyDevice::wrap`] was given: refused for other bytes, another key or other `aad`.
    fn unwrap<'a>(
        &'a self,
        id: &'a KeyId,
        aad: &'a [u8],
        wrapped: &'a Wrapped,
    ) -> BoxFuture<'a, Result<Secret, DeviceError>>;
}

/// A wrapping key's name on its device: 1 to 64 characters of `a-z 0-9 - _ .`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// Checked.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        fits.then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a device answered to a wrap: opaque, not secret, at most 8 KiB. Its format belongs to the device's bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped(pub Vec<u8>);

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `pkcs11`, `tpm` or `mock`.
    pub kind: String,
    /// Manufacturer and model, for people.
    pub model: String,
    /// What tells this device from others of its kind: the token's serial number, the name of the TPM's primary key.
    pub serial: String,
}
