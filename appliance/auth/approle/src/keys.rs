//! Hashes of role ids and secret-ids: the names that they are looked up by.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use strongroom_engine::{Cx, Name, Refusal, Write, record};
use strongroom_types::Secret;

use crate::SHAPE;

/// The mount's salt, ready for use.
pub struct Keys(hmac::Key);

impl Keys {
    /// `None` before the first role: there is nothing that could be found then.
    pub fn load(cx: &Cx) -> Result<Option<Self>, Refusal> {
        let Some(entry) = cx.get(&name()?)? else { return Ok(None) };
        Self::of(&record::decode::<String>(SHAPE, &entry)?).map(Some)
    }

    /// The mount's salt; if there is none yet, a new one and its write.
    pub fn load_or_make(cx: &Cx, writes: &mut Vec<Write>) -> Result<Self, Refusal> {
        if let Some(keys) = Self::load(cx)? {
            return Ok(keys);
        }
        let salt = HEXLOWER.encode(&cx.random::<32>()?);
        writes.push(Write::put(name()?, record::encode(SHAPE, &salt)?).if_unchanged(None));
        Self::of(&salt)
    }

    fn of(salt: &str) -> Result<Self, Refusal> {
        let salt = HEXLOWER.decode(salt.as_bytes()).map_err(|_| Refusal::fault("the salt is damaged"))?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &salt)))
    }

    /// Of the id of a role.
    pub fn of_role_id(&self, role_id: &str) -> String {
        self.hash(&[b"role-id", role_id.as_bytes()])
    }

    /// Of a secret-id of the role with this uid.
    pub fn of_secret_id(&self, uid: &str, secret_id: &Secret) -> String {
        self.hash(&[b"secret-id", uid.as_bytes(), secret_id.expose()])
    }

    /// A zero byte ends each part; only the last one may hold some, and nothing follows it.
    fn hash(&self, parts: &[&[u8]]) -> String {
        let mut hash = hmac::Context::with_key(&self.0);
        for part in parts {
            hash.update(part);
            hash.update(b"\0");
        }
        HEXLOWER.encode(hash.sign().as_ref())
    }
}

fn name() -> Result<Name, Refusal> {
    record::name("salt", "")
}
