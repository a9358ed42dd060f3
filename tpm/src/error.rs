//! The TPM's response codes, by what to do next.

use strongroom_device_api::{DeviceError, DeviceErrorKind};
use tss_esapi::Error;
use tss_esapi::constants::response_code::{Tss2ResponseCode, Tss2ResponseCodeKind as Code};

/// Why an operation has not been done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection, or what the TPM held for it, is lost: connect again, then repeat.
    Lost(DeviceError),
    /// For the caller.
    Final(DeviceError),
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// When nothing more can be tried.
    pub(crate) fn settle(self) -> DeviceError {
        match self {
            Self::Lost(error) | Self::Final(error) => error,
        }
    }
}

/// Sorts what came of `operation`.
pub(crate) fn sort(operation: &str, cause: Error) -> Failure {
    use DeviceErrorKind::{Fatal, Gone, Refused, Retry};
    let fail = |kind, what: String| DeviceError::new(kind, format!("{operation}: {what}"));
    let Error::Tss2Error(code) = cause else {
        return Failure::Final(fail(Fatal, cause.to_string()));
    };
    let number = number(code);
    // Bits 16 to 23 say who speaks: 0 is the TPM itself, 10 the way to it, the others the library and the kernel.
    if number.is_none_or(|number| (number >> 16) & 0xff != 0) {
        return Failure::Lost(fail(Gone, format!("the TPM does not answer ({})", show(number))));
    }
    match code.kind() {
        Some(
            Code::Initialize
            | Code::Reboot
            | Code::Handle
            | Code::ReferenceH0
            | Code::ReferenceH1
            | Code::ReferenceH2
            | Code::ReferenceS0
            | Code::ReferenceS1
            | Code::ReferenceS2,
        ) => Failure::Lost(fail(Gone, format!("the TPM has been restarted ({})", show(number)))),
        Some(Code::PolicyFail | Code::PcrChanged) => Failure::Final(fail(
            Refused,
            "the PCRs are not as they were when this was sealed: another boot chain, or another configuration".into(),
        )),
        Some(Code::Integrity | Code::BadAuth | Code::AuthFail | Code::Sensitive) => Failure::Final(fail(
            Refused,
            "the bytes were altered, or were sealed by another TPM".into(),
        )),
        Some(Code::Size | Code::Value | Code::Insufficient | Code::Attributes | Code::Binding | Code::Type)
            if operation == LOAD =>
        {
            Failure::Final(fail(Refused, "the bytes were altered".into()))
        }
        Some(
            Code::Lockout
            | Code::Retry
            | Code::NvRate
            | Code::Testing
            | Code::Yielded
            | Code::Canceled
            | Code::ObjectMemory
            | Code::SessionMemory
            | Code::Memory
            | Code::SessionHandles
            | Code::ObjectHandles,
        ) => Failure::Final(fail(Retry, format!("the TPM is busy ({})", show(number)))),
        _ => Failure::Final(fail(Fatal, format!("the TPM answers {}", show(number)))),
    }
}

/// The operation whose input comes from the disk: complaints about it are about altered bytes.
pub(crate) const LOAD: &str = "load sealed object";

/// The response code itself; the library shows it, but does not hand it out.
fn number(code: Tss2ResponseCode) -> Option<u32> {
    let shown = match code {
        Tss2ResponseCode::Success => return Some(0),
        Tss2ResponseCode::FormatZero(code) => code.to_string(),
        Tss2ResponseCode::FormatOne(code) => code.to_string(),
    };
    u32::from_str_radix(shown.rsplit_once("0x")?.1, 16).ok()
}

fn show(number: Option<u32>) -> String {
    number.map_or_else(|| "an unknown code".into(), |number| format!("code {number:#x}"))
}
