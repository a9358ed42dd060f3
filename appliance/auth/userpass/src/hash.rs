//! Hashes of passwords.
//!
//! Argon2id with 19 MiB, two passes and one lane: what OWASP asks for as a minimum, some 15 ms. A hash says with which
//! numbers it was made, so that they can be raised.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use strongroom_engine::{Entropy, Refusal};
use strongroom_types::Secret;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// The most that a bcrypt hash may ask for: 2 to this power rounds, about a second.
const MAX_COST: u32 = 14;

/// What is stored of a password.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// Ours.
    Argon2id {
        /// KiB.
        memory: u32,
        /// Over the memory.
        passes: u32,
        /// Random.
        salt: [u8; 16],
        /// What comes of it.
        hash: [u8; 32],
    },
    /// From elsewhere, as it came.
    Bcrypt(String),
}

impl Hash {
    /// Of a new password.
    pub fn new(password: &Secret, entropy: &dyn Entropy) -> Result<Self, Refusal> {
        let salt = entropy.draw()?;
        let hash = argon2id(MEMORY_KIB, PASSES, &salt, password)?;
        Ok(Self::Argon2id { memory: MEMORY_KIB, passes: PASSES, salt, hash })
    }

    /// One that was made elsewhere, by bcrypt.
    pub fn foreign(text: &str) -> Result<Self, Refusal> {
        let wrong = |what: &'static str| Refusal::bad_request(what);
        let hash: bcrypt::HashParts =
            text.parse().map_err(|_| wrong("'password_hash' must be a bcrypt hash"))?;
        if hash.get_cost() > MAX_COST {
            return Err(wrong("the bcrypt hash asks for too much work: a cost of 14 at most"));
        }
        Ok(Self::Bcrypt(text.to_owned()))
    }

    /// What nobody's password is compared with: it fits none.
    pub fn of_nobody() -> Self {
        Self::Argon2id { memory: MEMORY_KIB, passes: PASSES, salt: [0; 16], hash: [0; 32] }
    }

    /// Whether it is of this password. In constant time, for hashes of one kind.
    pub fn verify(&self, password: &Secret) -> Result<bool, Refusal> {
        match self {
            Self::Argon2id { memory, passes, salt, hash } => {
                let found = argon2id(*memory, *passes, salt, password)?;
                Ok(Secret::copy_of(&found) == Secret::copy_of(hash))
            }
            Self::Bcrypt(hash) => Ok(bcrypt::verify(password.expose(), hash).unwrap_or(false)),
        }
    }

    /// Whether it is to be replaced by one of ours.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Bcrypt(_))
    }
}

fn argon2id(memory: u32, passes: u32, salt: &[u8; 16], password: &Secret) -> Result<[u8; 32], Refusal> {
    #[cfg(test)]
    COMPUTED.with(|count| count.set(count.get() + 1));
    let mut hash = [0; 32];
    let params = Params::new(memory, passes, LANES, Some(hash.len())).map_err(Refusal::fault)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.expose(), salt, &mut hash)
        .map_err(Refusal::fault)?;
    Ok(hash)
}

#[cfg(test)]
thread_local! {
    /// How many hashes this thread has computed.
    pub static COMPUTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
