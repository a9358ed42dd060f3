//! Wrapping keys: found or made by their ids, and used only if they cannot leave the token.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use strongroom_device_api::{DeviceError, DeviceErrorKind, KeyId};

use crate::error::{Failure, sort};

const KEY_BYTES: u64 = 32;

/// The key `id`, if the token has it. Refused: two keys with one id, and a key that could leave or has come from
/// elsewhere.
pub(crate) fn find(session: &Session, id: &KeyId) -> Result<Option<ObjectHandle>, Failure> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Id(id.as_str().as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template).map_err(|cause| sort("find key", cause))?;
    match found.as_slice() {
        [] => Ok(None),
        [only] => verify(session, id, *only).map(|()| Some(*only)),
        several => Err(refused(
            id,
            &format!("there are {} keys with this id: remove all but the right one", several.len()),
        )),
    }
}

/// Makes the key `id`, which is not there yet.
pub(crate) fn make(session: &Session, id: &KeyId) -> Result<ObjectHandle, Failure> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(KEY_BYTES.into()),
        Attribute::Id(id.as_str().as_bytes().to_vec()),
        Attribute::Label(id.as_str().as_bytes().to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
    ];
    let key =
        session.generate_key(&Mechanism::AesKeyGen, &template).map_err(|cause| sort("make key", cause))?;
    verify(session, id, key).map(|()| key)
}

/// Whether the key is what it must be: made on this token, and never able to leave it.
fn verify(session: &Session, id: &KeyId, key: ObjectHandle) -> Result<(), Failure> {
    let wanted = [
        (AttributeType::Token, Attribute::Token(true), "it is not stored"),
        (AttributeType::Private, Attribute::Private(true), "it can be used without a login"),
        (AttributeType::Sensitive, Attribute::Sensitive(true), "it is not sensitive"),
        (AttributeType::Extractable, Attribute::Extractable(false), "it is extractable"),
        (AttributeType::AlwaysSensitive, Attribute::AlwaysSensitive(true), "it was not always sensitive"),
        (AttributeType::NeverExtractable, Attribute::NeverExtractable(true), "it was extractable before"),
        (AttributeType::Local, Attribute::Local(true), "it was not made on this token"),
        (AttributeType::ValueLen, Attribute::ValueLen(KEY_BYTES.into()), "it has not 256 bits"),
    ];
    let types = wanted.each_ref().map(|(kind, _, _)| *kind);
    let there = session.get_attributes(key, &types).map_err(|cause| sort("read key attributes", cause))?;
    match wanted.iter().find(|(_, attribute, _)| !there.contains(attribute)) {
        None => Ok(()),
        Some((_, _, why)) => {
            Err(refused(id, &format!("{why}: it is not used; remove it, or use another id")))
        }
    }
}

fn refused(id: &KeyId, why: &str) -> Failure {
    DeviceError::new(DeviceErrorKind::Refused, format!("the key {}: {why}", id.as_str())).into()
}
