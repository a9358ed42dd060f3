//! The closed list of what is asked of a module, checked when a token is opened.

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::MechanismType;
use cryptoki::slot::Slot;
use strongroom_device_api::{DeviceError, DeviceErrorKind};

use crate::error::{Failure, sort};

/// The mechanisms that the bridge uses; it can ask for no other. None of them decrypts without authenticating.
const MECHANISMS: [(MechanismType, &str); 2] =
    [(MechanismType::AES_KEY_GEN, "CKM_AES_KEY_GEN"), (MechanismType::AES_GCM, "CKM_AES_GCM")];

/// Refuses a token that does not offer all of them.
pub(crate) fn check(module: &Pkcs11, slot: Slot) -> Result<(), Failure> {
    let offered = module.get_mechanism_list(slot).map_err(|cause| sort("mechanism list", cause))?;
    let missing: Vec<&str> =
        MECHANISMS.iter().filter(|(wanted, _)| !offered.contains(wanted)).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message =
        format!("the token does not offer {}: enable it, or use another token", missing.join(" and "));
    Err(DeviceError::new(DeviceErrorKind::Refused, message).into())
}
