//! Logging in, without ever costing the token its last try.

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::RawAuthPin;
use strongroom_device_api::bridge::say;
use strongroom_device_api::{DeviceError, DeviceErrorKind};

use crate::error::{Failure, sort};
use crate::latch::{Latch, State};
use crate::pin::PinSource;

/// Logs `session` in, and with it every session of this process with the token. `token` was read just before.
pub(crate) fn log_in(
    session: &Session,
    token: &TokenInfo,
    source: &PinSource,
    latch: &Latch,
) -> Result<(), Failure> {
    tries_left(token)?;
    let (pin, print) = source.read()?;
    let latch_failed = |cause: std::io::Error| {
        refuse(format!("--latch {}: {cause}. Without a latch nothing logs in", latch.path().display()))
    };
    match latch.state(print).map_err(latch_failed)? {
        State::Open => {}
        // The process ended in a login. The token counts: it knows whether that one was refused.
        State::Trying if !token.user_pin_count_low() => {}
        State::Trying | State::Refused => return Err(latched(latch)),
    }
    if token.user_pin_count_low() {
        say("the token says that a wrong PIN was tried before; this one was not, so it is tried now, once");
    }
    let serial = token.serial_number();
    latch.set(State::Trying, serial, print).map_err(latch_failed)?;
    match session.login_with_raw(UserType::User, &RawAuthPin::new(Box::new(pin.expose().to_vec()))) {
        // Two processes cannot share a login: another session of this one is logged in already, by the same PIN.
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
            latch.clear().map_err(latch_failed)?;
            Ok(())
        }
        Err(Error::Pkcs11(
            code @ (RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked),
            _,
        )) => {
            // If this fails the file still says "trying", and the token's counter says the rest.
            latch.set(State::Refused, serial, print).map_err(latch_failed)?;
            say(&format!("the token refuses the PIN ({code:?}); it is not tried again"));
            Err(latched(latch))
        }
        Err(cause) => {
            latch.clear().map_err(latch_failed)?;
            Err(sort("login", cause))
        }
    }
}

/// Refuses to log in when a refusal would lock the token, or when it cannot work.
fn tries_left(token: &TokenInfo) -> Result<(), Failure> {
    let why = if token.user_pin_locked() {
        "the token's PIN is locked: its security officer has to set a new one"
    } else if token.user_pin_final_try() {
        "the token allows one last try, which the bridge does not take: log in by hand with the right PIN"
    } else if token.user_pin_to_be_changed() {
        "the token wants its PIN changed first: change it by hand"
    } else if !token.user_pin_initialized() {
        "the token has no user PIN yet: initialise it by hand"
    } else {
        return Ok(());
    };
    Err(refuse(why))
}

fn latched(latch: &Latch) -> Failure {
    refuse(format!(
        "the PIN was refused, and is not tried again until its source changes, or until \
         \"hsm-bridge clear-latch --latch {}\"",
        latch.path().display()
    ))
}

fn refuse(message: impl Into<String>) -> Failure {
    Failure::Final(DeviceError::new(DeviceErrorKind::Login, message))
}
