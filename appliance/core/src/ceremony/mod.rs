//! What a threshold of custodians decides: new shares for themselves ([`rekey`]), or a new root token ([`generate`]). Either may be
//! encrypted for the OpenPGP keys of whom it is for ([`pgp`]): the keys are read and tried before anything begins, and nothing is
//! committed that was not encrypted.
//!
//! An attempt lives in memory only: it ends when it is cancelled, when its effect is committed, a day after somebody
//! was last heard, and with sealing. There is one of each kind. Shares are checked one by one against the commitments of
//! the keyslot table, so nobody without a share can spoil an attempt, and each counts once.
//!
//! Everything here runs alone (see [`crate::perform::Run`]), and may run again for the same request if its commit meets
//! another one: an attempt knows the request that it has last heard.

pub mod generate;
pub mod pgp;
pub mod rekey;
mod whose;

use std::sync::{Mutex, MutexGuard, PoisonError};

use strongroom_seal::{Progress, ShareError, SlotId, SlotTable, Unsealing, share};
use strongroom_types::id::RequestId;
use strongroom_types::{Refusal, Timestamp};

use crate::fault;
use crate::lifecycle::seal_fault;
use crate::lifecycle::slots::trusted;
use crate::log::{self, Seldom};
use crate::perform::Scene;

use generate::Generation;
use rekey::Rekey;

pub use whose::Whose;

/// Seconds after which an attempt is forgotten that nobody has gone on with.
const LASTS: i64 = 24 * 3600;

/// The attempts under way.
#[derive(Default)]
pub struct Ceremonies {
    held: Mutex<Held>,
    /// Shares that were refused.
    pub refused: Seldom,
}

/// The attempts themselves: one of each kind at most.
#[derive(Default)]
pub struct Held {
    /// Of the people who unseal.
    pub unseal: Option<Rekey>,
    /// Of the people of last resort.
    pub recovery: Option<Rekey>,
    /// Of a root token.
    pub root: Option<Generation>,
}

/// Which attempt has had its effect, by its nonce.
pub enum End {
    /// New shares.
    Rekey(Whose, String),
    /// A root token.
    Root(String),
}

impl Ceremonies {
    /// Those that there are at `now`.
    pub fn at(&self, now: Timestamp) -> MutexGuard<'_, Held> {
        let mut held = self.lock();
        let lasts = |quorum: &Quorum| now < quorum.heard.plus_secs(LASTS);
        let Held { unseal, recovery, root } = &mut *held;
        for rekey in [unseal, recovery] {
            rekey.take_if(|rekey| !lasts(rekey.last_heard()));
        }
        root.take_if(|root| !lasts(&root.quorum));
        held
    }

    /// An effect has been committed.
    pub fn end(&self, end: End) {
        let mut held = self.lock();
        match end {
            End::Rekey(whose, nonce) => drop(held.rekey(whose).take_if(|rekey| rekey.quorum.nonce == nonce)),
            End::Root(nonce) => drop(held.root.take_if(|root| root.quorum.nonce == nonce)),
        }
    }

    /// Wipes what was given.
    pub fn forget(&self) {
        *self.lock() = Held::default();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The attempt at new shares for `whose`.
    pub fn rekey(&mut self, whose: Whose) -> &mut Option<Rekey> {
        match whose {
            Whose::Unseal => &mut self.unseal,
            Whose::Recovery => &mut self.recovery,
        }
    }
}

/// People who are to agree, and those who have.
pub struct Quorum {
    /// Tells this attempt from others.
    pub nonce: String,
    people: Unsealing,
    /// When somebody was last heard.
    heard: Timestamp,
    /// By which request.
    request: RequestId,
}

impl Quorum {
    /// Nobody has agreed yet.
    pub fn new(scene: &Scene<'_>, table: &SlotTable) -> Result<Self, Refusal> {
        let entropy = scene.active.entropy.as_ref();
        // No node: devices are no people.
        let people = Unsealing::new(table, "", entropy).map_err(|cause| seal_fault(&cause))?;
        let nonce = RequestId::from_random(entropy.draw()?).to_string();
        Ok(Self { nonce, people, heard: scene.now, request: scene.request.head.id })
    }

    /// How far they are.
    pub fn progress(&self) -> Progress {
        self.people.progress()
    }

    /// Whether it was this request that was last heard, so that it now runs again.
    pub fn heard(&self, scene: &Scene<'_>) -> bool {
        self.request == scene.request.head.id
    }

    /// Refuses what is meant for another attempt. `what` has a nonce.
    pub fn check(&self, nonce: &str, what: &str) -> Result<(), Refusal> {
        match nonce == self.nonce {
            true => Ok(()),
            false => Err(Refusal::bad_request(format!(
                "incorrect nonce supplied; nonce for {what} is \"{}\"",
                self.nonce
            ))),
        }
    }

    /// Takes a share. The keyslot whose people have agreed, if it was the last one; `what` is said of one that was given
    /// before.
    pub fn offer(&mut self, scene: &Scene<'_>, key: &str, what: &str) -> Result<Option<SlotId>, Refusal> {
        let bytes = share::from_text(key).map_err(refused)?;
        match self.people.offer_share(bytes.expose()) {
            Ok(_) => {}
            // The effect of a last share that could not be committed is tried again with any of them.
            Err(ShareError::AlreadyGiven { .. }) if self.heard(scene) || self.people.agreed().is_some() => {}
            Err(ShareError::AlreadyGiven { .. }) => {
                let text = format!("given key has already been provided during this {what} operation");
                return Err(Refusal::bad_request(text));
            }
            Err(cause) => {
                if let ShareError::Wrong { .. } = cause {
                    let seldom = &scene.active.ceremonies.refused;
                    seldom.warn(&log::CORE, scene.now, format_args!("a share was refused: {cause}"));
                }
                return Err(refused(cause));
            }
        }
        (self.heard, self.request) = (scene.now, scene.request.head.id);
        Ok(self.people.agreed())
    }
}

fn refused(cause: ShareError) -> Refusal {
    Refusal::bad_request(cause.to_string())
}

/// The keyslot table, believed.
pub fn table(scene: &Scene<'_>) -> Result<SlotTable, Refusal> {
    trusted(&*scene.snapshot, &scene.active.barrier).map_err(|cause| fault::damaged(cause.0))
}

/// Said where nobody but devices could agree.
pub fn no_people() -> Refusal {
    Refusal::bad_request(
        "nobody holds a share: only devices open this appliance, and a device cannot agree to anything. With a root token \
         make recovery keys first: strongroom operator rotate-keys -target=recovery -init",
    )
}
