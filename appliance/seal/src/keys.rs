//! From the groups of a slot to the root key, and back.
//!
//! ```text
//! scalar of each group ─HKDF▶ group secret ─┐  in order, each with its length before it
//!                                           └─HKDF▶ slot key ─AES-256-GCM▶ private key ─X-Wing, HKDF, AES-256-GCM▶ root key
//! ```

use strongroom_types::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::derive::{Key, Place, Purpose, WRAP_OVERHEAD, derive, push_field, unwrap, wrap};
use crate::{SealError, xwing};

/// Length of the root key in bytes.
pub(crate) const ROOT_KEY_LEN: usize = 32;
/// Length of a wrapped private key.
pub(crate) const WRAPPED_PRIVATE_KEY_LEN: usize = xwing::SECRET_KEY_LEN + WRAP_OVERHEAD;
/// Length of an encapsulated root key.
pub(crate) const ENCAPSULATED_ROOT_KEY_LEN: usize = xwing::CIPHERTEXT_LEN + ROOT_KEY_LEN + WRAP_OVERHEAD;

/// The slot key from the scalars of all groups, in order.
pub(crate) fn slot_key(place: Place, scalars: &[Zeroizing<[u8; 32]>]) -> Result<Key, SealError> {
    let mut secrets = Zeroizing::new(Vec::with_capacity(scalars.len() * (4 + 32)));
    for (group, scalar) in (0..=u8::MAX).zip(scalars) {
        let secret = derive(scalar.as_slice(), &place.context(Purpose::GroupSecret, &[&[group]]))?;
        push_field(&mut secrets, secret.as_slice());
    }
    derive(&secrets, &place.context(Purpose::SlotKey, &[]))
}

/// A fresh key pair: the public key, and the private key under `slot_key`, bound to the public one.
pub(crate) fn make_pair(
    place: Place,
    slot_key: &Key,
    entropy: &dyn Entropy,
) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let (private, public) = xwing::generate(entropy)?;
    let context = place.context(Purpose::PrivateKeyWrap, &[&public]);
    let wrapped = wrap(slot_key, &context, private.expose(), entropy)?;
    Ok((public, wrapped))
}

/// The root key for whoever has the private key of `public`.
pub(crate) fn encapsulate(
    place: Place,
    public: &[u8],
    root_key: &Secret,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, SealError> {
    if root_key.len() != ROOT_KEY_LEN {
        return Err(SealError::Crypto("encapsulating a root key of another length"));
    }
    let (ciphertext, shared) = xwing::encapsulate(public, entropy)?;
    let key = derive(shared.as_slice(), &place.context(Purpose::RootKeyWrap, &[]))?;
    let wrapped = wrap(&key, &place.context(Purpose::RootKey, &[]), root_key.expose(), entropy)?;
    Ok([ciphertext, wrapped].concat())
}

/// The root key of a slot; `None` if one of its wraps is not what was made for this key and this place.
pub(crate) fn open(
    place: Place,
    slot_key: &Key,
    public: &[u8],
    wrapped_private_key: &[u8],
    encapsulated_root_key: &[u8],
) -> Result<Option<Secret>, SealError> {
    let context = place.context(Purpose::PrivateKeyWrap, &[public]);
    let Some(private) = unwrap(slot_key, &context, wrapped_private_key)? else { return Ok(None) };
    let Some((ciphertext, wrapped)) = encapsulated_root_key.split_at_checked(xwing::CIPHERTEXT_LEN) else {
        return Ok(None);
    };
    // Altered ciphertexts fail here or give another shared secret, as the case may be; both mean the same.
    let Ok(shared) = xwing::decapsulate(&private, ciphertext) else { return Ok(None) };
    let key = derive(shared.as_slice(), &place.context(Purpose::RootKeyWrap, &[]))?;
    let root_key = unwrap(&key, &place.context(Purpose::RootKey, &[]), wrapped)?;
    Ok(root_key.filter(|key| key.len() == ROOT_KEY_LEN))
}
