//! Hashes of passwords.
//!
//! Argon2id with 19 MiB, two passes and one lane: what OWASP asks for as a minimum, some 15 ms. A hash says with which
//! numbers it was made, so that they can be raised.

use std::hint::black_box;

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
#[derive(Clone, Serialize, Deserialize)]
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

    /// Whether it is of this password. In constant time, for hashes of one kind.
    pub fn verify(&self, password: &Secret) -> Result<bool, Refusal> {
        match self {
            Self::Argon2id { memory, passes, salt, hash } => {
                let found = argon2id(*memory, *passes, salt, password)?;
                Ok(Secret::copy_of(&found) == Secret::copy_of(hash))
            }
            Self::Bcrypt(hash) => {
                #[cfg(test)]
                work::bcrypted(self.bcrypt_cost());
                Ok(bcrypt::verify(password.expose(), hash).unwrap_or(false))
            }
        }
    }

    /// Does what a refused login still has to do, so that all of a mount cost the same: once Argon2id, and bcrypt of the
    /// highest cost that a hash of the mount has. `verified` is the hash that the password did not fit; there is none
    /// where there is no such user.
    pub fn fill_up(
        verified: Option<&Self>,
        highest_cost: Option<u32>,
        password: &Secret,
    ) -> Result<(), Refusal> {
        if !matches!(verified, Some(Self::Argon2id { .. })) {
            black_box(argon2id(MEMORY_KIB, PASSES, &[0; 16], password)?);
        }
        let Some(highest) = highest_cost else { return Ok(()) };
        match verified.and_then(Self::bcrypt_cost) {
            None => bcrypt_of_cost(highest, password),
            // Each cost is twice the one before: all of them together make up the difference.
            Some(cost) => (cost..highest).for_each(|cost| bcrypt_of_cost(cost, password)),
        }
        Ok(())
    }

    /// What a hash from elsewhere costs, which is to be replaced by one of ours: 2 to this power rounds. `None` for ours.
    pub fn bcrypt_cost(&self) -> Option<u32> {
        let Self::Bcrypt(hash) = self else { return None };
        hash.parse::<bcrypt::HashParts>().ok().map(|hash| hash.get_cost())
    }
}

/// The work alone.
fn bcrypt_of_cost(cost: u32, password: &Secret) {
    #[cfg(test)]
    work::bcrypted(Some(cost));
    let _ = black_box(bcrypt::hash_with_salt(password.expose(), cost, [0; 16]));
}

fn argon2id(memory: u32, passes: u32, salt: &[u8; 16], password: &Secret) -> Result<[u8; 32], Refusal> {
    #[cfg(test)]
    work::argon2id();
    let mut hash = [0; 32];
    let params = Params::new(memory, passes, LANES, Some(hash.len())).map_err(Refusal::fault)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.expose(), salt, &mut hash)
        .map_err(Refusal::fault)?;
    Ok(hash)
}

/// What this thread has computed: it is counted, never timed.
#[cfg(test)]
pub mod work {
    use std::cell::Cell;

    thread_local! {
        static DONE: Cell<Work> = const { Cell::new(Work { argon2id: 0, bcrypt_rounds: 0 }) };
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Work {
        pub argon2id: u64,
        pub bcrypt_rounds: u64,
    }

    /// Takes what was done since it was taken last.
    pub fn take() -> Work {
        DONE.replace(Work { argon2id: 0, bcrypt_rounds: 0 })
    }

    pub fn argon2id() {
        DONE.set(Work { argon2id: DONE.get().argon2id + 1, ..DONE.get() });
    }

    pub fn bcrypted(cost: Option<u32>) {
        let rounds = cost.map_or(0, |cost| 1 << cost);
        DONE.set(Work { bcrypt_rounds: DONE.get().bcrypt_rounds + rounds, ..DONE.get() });
    }
}
