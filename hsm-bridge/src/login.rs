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
    Tries::of(token).check().map_err(refuse)?;
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
        // Already: by an earlier login of this process, which the token has accepted.
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

/// What a token says of its PIN.
#[derive(Clone, Copy)]
struct Tries {
    locked: bool,
    final_try: bool,
    to_be_changed: bool,
    initialised: bool,
}

impl Tries {
    fn of(token: &TokenInfo) -> Self {
        Self {
            locked: token.user_pin_locked(),
            final_try: token.user_pin_final_try(),
            to_be_changed: token.user_pin_to_be_changed(),
            initialised: token.user_pin_initialized(),
        }
    }

    /// Refuses to log in when a refusal would lock the token, or when it cannot work.
    fn check(self) -> Result<(), &'static str> {
        if self.locked {
            Err("the token's PIN is locked: its security officer has to set a new one")
        } else if self.final_try {
            Err(
                "the token allows one last try, which the bridge does not take: log in by hand with the right PIN",
            )
        } else if self.to_be_changed {
            Err("the token wants its PIN changed first: change it by hand")
        } else if !self.initialised {
            Err("the token has no user PIN yet: initialise it by hand")
        } else {
            Ok(())
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_try_is_never_taken() {
        let well = Tries { locked: false, final_try: false, to_be_changed: false, initialised: true };
        assert!(well.check().is_ok());
        for (tries, word) in [
            (Tries { locked: true, ..well }, "locked"),
            (Tries { final_try: true, ..well }, "last try"),
            (Tries { to_be_changed: true, ..well }, "changed"),
            (Tries { initialised: false, ..well }, "no user PIN"),
        ] {
            assert!(tries.check().unwrap_err().contains(word));
        }
    }
}
