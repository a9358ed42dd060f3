//! How large anything may be. Client, server and devices check the same numbers.

use crate::{DeviceError, DeviceErrorKind, Wrapped};

/// Longest secret that can be wrapped, in bytes; the shortest is 1.
pub const MAX_PLAIN: usize = 1024;
/// Longest associated data of a wrap, in bytes.
pub const MAX_AAD: usize = 4096;
/// Longest wrapped secret, in bytes.
pub const MAX_WRAPPED: usize = 8 * 1024;
/// Most random bytes in one call; the fewest are 1.
pub const MAX_RANDOM: usize = 1024;

/// Whether `count` random bytes may be asked for.
pub fn check_random(count: usize) -> Result<(), DeviceError> {
    within("the number of random bytes", count, 1, MAX_RANDOM)
}

/// Whether a plain secret of `plain` bytes may be wrapped with `aad` bytes of associated data.
pub fn check_wrap(plain: usize, aad: usize) -> Result<(), DeviceError> {
    within("the secret to wrap", plain, 1, MAX_PLAIN)?;
    within("the associated data", aad, 0, MAX_AAD)
}

/// Whether `wrapped` may be offered with `aad` bytes of associated data.
pub fn check_unwrap(wrapped: &Wrapped, aad: usize) -> Result<(), DeviceError> {
    within("the wrapped secret", wrapped.0.len(), 1, MAX_WRAPPED)?;
    within("the associated data", aad, 0, MAX_AAD)
}

fn within(what: &str, size: usize, least: usize, most: usize) -> Result<(), DeviceError> {
    if (least..=most).contains(&size) {
        return Ok(());
    }
    let message = format!("{what} must be {least} to {most} bytes, not {size}");
    Err(DeviceError::new(DeviceErrorKind::Misuse, message))
}
