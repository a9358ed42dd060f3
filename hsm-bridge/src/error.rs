//! The module's return codes, by what to do next.

use cryptoki::error::{Error, RvError};
use strongroom_device_api::{DeviceError, DeviceErrorKind};

/// Why an operation has not been done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The token, the login or a handle may be lost: open the module again, then repeat.
    Lost(DeviceError),
    /// There is no key with the id; or the token is lost, and the module does not say so.
    NoKey,
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
            Self::NoKey => DeviceError::new(
                DeviceErrorKind::Refused,
                "the token has no key with this id: is it another token?",
            ),
        }
    }
}

/// Sorts what the module said to `operation`.
pub(crate) fn sort(operation: &str, cause: Error) -> Failure {
    use DeviceErrorKind::{Fatal, Gone, Login, Refused, Retry};
    let Error::Pkcs11(code, _) = &cause else {
        return Failure::Final(DeviceError::new(Fatal, format!("{operation}: {cause}")));
    };
    let kind = match code {
        RvError::DeviceError
        | RvError::DeviceRemoved
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::ObjectHandleInvalid
        | RvError::KeyHandleInvalid
        | RvError::UserNotLoggedIn
        | RvError::CryptokiNotInitialized
        | RvError::OperationActive
        | RvError::GeneralError
        | RvError::FunctionFailed => {
            return Failure::Lost(DeviceError::new(Gone, format!("{operation}: the token answers {code:?}")));
        }
        RvError::HostMemory | RvError::DeviceMemory | RvError::SessionCount | RvError::FunctionCanceled => {
            Retry
        }
        RvError::PinIncorrect
        | RvError::PinInvalid
        | RvError::PinLenRange
        | RvError::PinExpired
        | RvError::PinLocked
        | RvError::UserPinNotInitialized => Login,
        RvError::EncryptedDataInvalid
        | RvError::EncryptedDataLenRange
        | RvError::KeyFunctionNotPermitted
        | RvError::ActionProhibited
        | RvError::FunctionRejected
        | RvError::TokenWriteProtected => Refused,
        _ => Fatal,
    };
    Failure::Final(DeviceError::new(kind, format!("{operation}: the token answers {code:?}")))
}

/// Whether a decryption that failed so may have failed because of its input: modules do not agree on the code.
pub(crate) fn may_be_bad_input(cause: &Error) -> bool {
    matches!(
        cause,
        Error::Pkcs11(
            RvError::GeneralError
                | RvError::FunctionFailed
                | RvError::DeviceError
                | RvError::DataInvalid
                | RvError::DataLenRange
                | RvError::ArgumentsBad
                | RvError::SignatureInvalid
                | RvError::MechanismParamInvalid
                | RvError::EncryptedDataInvalid
                | RvError::EncryptedDataLenRange,
            _
        )
    )
}
