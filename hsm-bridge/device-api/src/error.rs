//! What went wrong at a device, by what to do next.

use std::fmt;

/// An error of a device or of the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceError {
    /// What to do next.
    pub kind: DeviceErrorKind,
    /// For the operator: the operation, the device's own code, what to check. Never a secret.
    pub message: String,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceErrorKind {
    /// Try again later: busy, starting, the queue is full.
    Retry,
    /// The device or its bridge is not there: put it back, or start it.
    Gone,
    /// The call was lost on its way: it may have happened. Repeat only what is harmless to repeat.
    Unknown,
    /// The PIN was refused, or is latched after a refusal: an operator has to act, and until then nothing logs in.
    Login,
    /// The device refuses: wrong bytes, another board, another PCR state, not allowed.
    Refused,
    /// We asked for something that makes no sense.
    Misuse,
    /// Anything else; the message has the device's code.
    Fatal,
}

impl DeviceError {
    /// An error of `kind`.
    pub fn new(kind: DeviceErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DeviceError {}
