//! Which key of a person is encrypted to: the newest subkey that the primary key has signed for it, and that is neither revoked nor
//! over; else the primary key, if it says so of itself.
//!
//! A revocation counts whether it can be checked or not. Whoever could add one could as well have given another key, and a revocation
//! by an older digest or by somebody else in the owner's place is one all the same.

use data_encoding::HEXUPPER;
use strongroom_types::Timestamp;

use crate::certificate::{Certificate, Subkey};
use crate::key::{self, Material, PublicKey, algorithm};
use crate::message::{Cipher, Lock};
use crate::signature::{Signature, is_over, kind};
use crate::{Fingerprint, KeyError, Recipient, verify};

/// The signatures by the owner that are looked at: each costs a computation.
const MAX_SIGNATURES: usize = 128;

/// Chooses.
pub fn recipient(certificate: &Certificate<'_>, now: Timestamp) -> Result<Recipient, KeyError> {
    let primary = &certificate.primary;
    if certificate.signatures().any(|signature| signature.kind == kind::KEY_REVOKED) {
        return Err(KeyError::Revoked);
    }
    if !verify::can(primary) {
        let name = algorithm::name(primary.algorithm);
        return Err(KeyError::Unsupported(format!(
            "a primary key of {name}, whose signatures cannot be checked,"
        )));
    }
    let owner = Owner { primary, fingerprint: primary.fingerprint(), now };
    if owner.signatures(certificate) > MAX_SIGNATURES {
        return Err(KeyError::TooLarge);
    }
    let own = owner.own_signature(certificate).ok_or_else(|| {
        KeyError::Unusable(
            "no signature of its owner over it is in force and can be checked; those by SHA-1 count no more"
                .into(),
        )
    })?;
    if is_over(primary.created, own.said.key_lasts, now) {
        return Err(KeyError::Expired);
    }
    let (chosen, lock) = owner.choose(certificate, own)?;
    let cipher = Cipher::preferred(own.said.ciphers);
    Ok(Recipient { fingerprint: owner.fingerprint, chosen, lock, cipher })
}

/// The primary key, and when it is asked.
struct Owner<'a> {
    primary: &'a PublicKey<'a>,
    fingerprint: Fingerprint,
    now: Timestamp,
}

impl<'a> Owner<'a> {
    /// How many there are that say to be the owner's.
    fn signatures(&self, certificate: &Certificate<'_>) -> usize {
        certificate.signatures().filter(|signature| signature.may_be_of(&self.fingerprint)).count()
    }

    /// The newest of `signatures` over `subject` that is one of `kinds`, the owner's, and in force.
    fn newest<'s>(
        &self,
        signatures: &'s [Signature<'s>],
        kinds: std::ops::RangeInclusive<u8>,
        subject: &[u8],
    ) -> Option<&'s Signature<'s>> {
        let counts = |signature: &&Signature<'_>| {
            kinds.contains(&signature.kind)
                && signature.may_be_of(&self.fingerprint)
                && signature.is_in_force(self.now)
                && verify::is_true(self.primary, signature, subject)
        };
        signatures.iter().filter(counts).max_by_key(|signature| signature.said.created)
    }

    /// The newest word of the owner on the primary key: over it alone, or over it and a name that was not taken back.
    fn own_signature<'s>(&self, certificate: &'s Certificate<'s>) -> Option<&'s Signature<'s>> {
        let direct = self.newest(&certificate.direct, kind::DIRECT..=kind::DIRECT, &self.primary.hashed());
        let is_revoked = |signature: &Signature<'_>| {
            signature.kind == kind::NAME_REVOKED && signature.may_be_of(&self.fingerprint)
        };
        let names = certificate.names.iter().filter(|name| !name.signatures.iter().any(is_revoked));
        let named = names.filter_map(|name| {
            self.newest(&name.signatures, kind::NAME_FIRST..=kind::NAME_LAST, &name.hashed(self.primary))
        });
        named.chain(direct).max_by_key(|signature| signature.said.created)
    }

    fn choose(
        &self,
        certificate: &Certificate<'_>,
        own: &Signature<'_>,
    ) -> Result<(Fingerprint, Lock), KeyError> {
        let mut subkeys: Vec<&Subkey<'_>> = certificate.subkeys.iter().collect();
        subkeys.sort_by_key(|subkey| std::cmp::Reverse(subkey.key.created));
        let mut reasons = Vec::new();
        let mut refused = |fingerprint: &Fingerprint, why: String| {
            reasons.push(format!("{} {why}", HEXUPPER.encode(key::id(fingerprint))));
        };
        for subkey in subkeys {
            let fingerprint = subkey.key.fingerprint();
            match self.subkey(subkey) {
                Ok(lock) => return Ok((fingerprint, lock)),
                Err(why) => refused(&fingerprint, why),
            }
        }
        match self.lock(self.primary, own) {
            Ok(lock) => return Ok((self.fingerprint, lock)),
            Err(why) => refused(&self.fingerprint, why),
        }
        Err(KeyError::Unusable(reasons.join("; ")))
    }

    /// How a subkey is encrypted to, or why not.
    fn subkey(&self, subkey: &Subkey<'_>) -> Result<Lock, String> {
        if subkey.signatures.iter().any(|signature| signature.kind == kind::SUBKEY_REVOKED) {
            return Err("has been revoked".into());
        }
        let subject = [self.primary.hashed(), subkey.key.hashed()].concat();
        let binding = self.newest(&subkey.signatures, kind::SUBKEY..=kind::SUBKEY, &subject);
        let binding = binding.ok_or("is not signed by the primary key, or not any more, or only by SHA-1")?;
        self.lock(&subkey.key, binding)
    }

    /// How `key`, of which `signature` speaks, is encrypted to, or why not.
    fn lock(&self, key: &PublicKey<'_>, signature: &Signature<'_>) -> Result<Lock, String> {
        if key.created > self.now {
            return Err("was made in the future: is a clock wrong?".into());
        }
        if is_over(key.created, signature.said.key_lasts, self.now) {
            return Err("has expired".into());
        }
        if !signature.lets_encrypt() {
            return Err("is not meant for encrypting".into());
        }
        match &key.material {
            Material::Rsa { .. } if key.algorithm == algorithm::RSA_SIGN => Err("signs only".into()),
            Material::Rsa { n, e } => Ok(Lock::Rsa { n: n.to_vec(), e: e.to_vec() }),
            Material::X25519(point) => Ok(Lock::X25519(*point)),
            Material::Ecdh { curve, point, hash, cipher } => Lock::ecdh(*curve, point, (*hash, *cipher)),
            _ => Err(format!("is of {}, which is not supported", algorithm::name(key.algorithm))),
        }
    }
}
