//! One attempt to get the root key back, from custodians' shares and from devices.
//!
//! Core keeps one [`Unsealing`] while it is sealed: it asks the devices at start and when one of them is back
//! ([`Unsealing::round`]), offers each share that comes in ([`Unsealing::offer_share`]), and after either looks whether
//! a slot opens ([`Unsealing::open`]).

use std::collections::BTreeMap;

use strongroom_types::id::{ClusterId, RequestId};
use strongroom_types::{Entropy, Secret};

use crate::derive::Place;
use crate::holder::GroupPlace;
use crate::round::{GroupRound, Round, SlotRound};
use crate::share::{self, GroupDigest};
use crate::sharing::{self, Part};
use crate::{Group, Holder, SealError, ShareError, Slot, SlotId, SlotTable, keys};

/// What the holders have said so far. Wiped on drop, on [`Unsealing::reset`] and when a slot has opened.
pub struct Unsealing {
    cluster: ClusterId,
    node: String,
    nonce: String,
    slots: Vec<SlotAttempt>,
}

/// How far the custodians are, as Vault's clients show it: of the slot that is nearest to opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Shares needed; 0 if no slot has custodians.
    pub t: usize,
    /// Shares there are.
    pub n: usize,
    /// Shares given, at most `t`.
    pub given: usize,
}

/// A slot has opened.
pub struct Opened {
    /// 32 bytes.
    pub root_key: Secret,
    /// The slot.
    pub slot: SlotId,
    /// Its name.
    pub name: String,
}

struct SlotAttempt {
    slot: Slot,
    groups: Vec<GroupAttempt>,
    /// All holders were right and it did not open: not worth another device call until a reset.
    damaged: bool,
}

struct GroupAttempt {
    at: GroupPlace,
    group: Group,
    digest: GroupDigest,
    /// Verified, by index.
    parts: BTreeMap<u8, Part>,
}

impl Unsealing {
    /// An attempt with nothing given yet. `table` may be unverified; devices of other nodes than `node` are
    /// left alone.
    pub fn new(table: &SlotTable, node: &str, entropy: &dyn Entropy) -> Result<Self, SealError> {
        let slots = table.slots.iter().map(|slot| SlotAttempt::new(table.cluster, slot)).collect();
        Ok(Self { cluster: table.cluster, node: node.to_owned(), nonce: nonce(entropy)?, slots })
    }

    /// Tells this attempt from the next: a UUID once a share has been given, else empty, as Vault has it.
    pub fn nonce(&self) -> &str {
        if self.progress().given > 0 { &self.nonce } else { "" }
    }

    /// How far the custodians are.
    pub fn progress(&self) -> Progress {
        let all = self.slots.iter().map(SlotAttempt::progress).filter(|progress| progress.n > 0);
        // The first of the best: a later slot has to be further on.
        all.reduce(|best, next| if next.given > best.given { next } else { best }).unwrap_or_default()
    }

    /// Takes the bytes of a share (see [`share::from_text`]) if it is right by itself.
    pub fn offer_share(&mut self, bytes: &[u8]) -> Result<Progress, ShareError> {
        let (digest, part) = share::decode(bytes)?;
        let mut groups = self.slots.iter_mut().flat_map(|slot| &mut slot.groups);
        let group = groups.find(|group| group.digest == digest).ok_or(ShareError::ForAnother)?;
        group.offer(part)?;
        Ok(self.progress())
    }

    /// What there is to ask the devices of this node: for [`Round::ask`], which does not hold up this attempt.
    pub fn round(&self) -> Round {
        let slots = self.slots.iter().map(|slot| SlotRound {
            groups: slot.groups.iter().map(GroupAttempt::round).collect(),
            damaged: slot.damaged,
        });
        Round { node: self.node.clone(), slots: slots.collect() }
    }

    /// Takes what the devices have answered: each part was verified when it came.
    pub fn take(&mut self, round: Round) {
        for (slot, asked) in self.slots.iter_mut().zip(round.slots) {
            for (group, asked) in slot.groups.iter_mut().zip(asked.groups) {
                group.parts.extend(asked.answers.into_iter().map(|part| (part.index, part)));
            }
        }
    }

    /// The slot whose people have all agreed: enough shares in each of its groups of custodians, and it has one. Where a
    /// device is needed as well the slot is not complete by that: this is about who wants something, not about keys.
    pub fn agreed(&self) -> Option<SlotId> {
        self.slots.iter().find(|slot| slot.has_agreed()).map(|slot| slot.slot.id)
    }

    /// The root key, if a slot is complete; then everything given is forgotten.
    ///
    /// [`SealError::SlotDamaged`] if a slot is complete and none opens.
    pub fn open(&mut self) -> Result<Option<Opened>, SealError> {
        let mut trouble = None;
        let mut opened = None;
        for slot in self.slots.iter_mut().filter(|slot| slot.is_complete()) {
            match slot.open(self.cluster) {
                Ok(root_key) => {
                    opened = Some(Opened { root_key, slot: slot.slot.id, name: slot.slot.name.clone() });
                    break;
                }
                Err(cause) => {
                    slot.damaged = true;
                    trouble.get_or_insert(cause);
                }
            }
        }
        match (opened, trouble) {
            (Some(opened), _) => {
                self.forget();
                Ok(Some(opened))
            }
            (None, Some(cause)) => Err(cause),
            (None, None) => Ok(None),
        }
    }

    /// Forgets everything given, devices' shares too; the next attempt has another nonce.
    pub fn reset(&mut self, entropy: &dyn Entropy) -> Result<(), SealError> {
        self.forget();
        self.nonce = nonce(entropy)?;
        Ok(())
    }

    fn forget(&mut self) {
        for slot in &mut self.slots {
            slot.damaged = false;
            slot.groups.iter_mut().for_each(|group| group.parts.clear());
        }
    }
}

impl SlotAttempt {
    fn new(cluster: ClusterId, slot: &Slot) -> Self {
        let place = Place { cluster, slot: slot.id };
        let attempt = |(number, group): (u8, &Group)| GroupAttempt {
            at: GroupPlace { place, group: number },
            group: group.clone(),
            digest: share::group_digest(place, number, &group.commitments),
            parts: BTreeMap::new(),
        };
        Self {
            slot: slot.clone(),
            groups: (0..=u8::MAX).zip(&slot.groups).map(attempt).collect(),
            damaged: false,
        }
    }

    fn progress(&self) -> Progress {
        let with_people = self.groups.iter().filter(|group| group.group.custodians() > 0);
        with_people.fold(Progress::default(), |sum, group| Progress {
            t: sum.t + usize::from(group.group.threshold),
            n: sum.n + group.group.holders.len(),
            given: sum.given + group.parts.len().min(group.group.threshold.into()),
        })
    }

    fn is_complete(&self) -> bool {
        self.groups.iter().all(GroupAttempt::is_complete)
    }

    fn has_agreed(&self) -> bool {
        let mut people = self.groups.iter().filter(|group| group.group.custodians() > 0).peekable();
        people.peek().is_some() && people.all(GroupAttempt::has_agreed)
    }

    /// The root key of a complete slot.
    fn open(&self, cluster: ClusterId) -> Result<Secret, SealError> {
        let damaged = || SealError::SlotDamaged { slot: self.slot.name.clone() };
        let place = Place { cluster, slot: self.slot.id };
        let combine = |group: &GroupAttempt| {
            sharing::combine(group.group.threshold, group.parts.values())?.ok_or_else(damaged)
        };
        let scalars = self.groups.iter().map(combine).collect::<Result<Vec<_>, _>>()?;
        let slot_key = keys::slot_key(place, &scalars)?;
        let Slot { public_key, wrapped_private_key, encapsulated_root_key, .. } = &self.slot;
        keys::open(place, &slot_key, public_key, wrapped_private_key, encapsulated_root_key)?
            .ok_or_else(damaged)
    }
}

impl GroupAttempt {
    fn is_complete(&self) -> bool {
        self.parts.len() >= self.group.threshold.into()
    }

    /// Whether its custodians alone are enough, whatever a device has given.
    fn has_agreed(&self) -> bool {
        let is_person =
            |holder: &&Holder| holder.device().is_none() && self.parts.contains_key(&holder.index());
        self.group.holders.iter().filter(is_person).count() >= self.group.threshold.into()
    }

    /// A custodian's part.
    fn offer(&mut self, part: Part) -> Result<(), ShareError> {
        let index = part.index;
        let holder = self.group.holders.iter().find(|holder| holder.index() == index);
        let is_custodian = holder.is_some_and(|holder| holder.device().is_none());
        if !is_custodian || !sharing::verify(&self.group.commitments, &part) {
            return Err(ShareError::Wrong { index });
        }
        if self.parts.contains_key(&index) {
            return Err(ShareError::AlreadyGiven { index });
        }
        self.parts.insert(index, part);
        Ok(())
    }

    fn round(&self) -> GroupRound {
        let known = self.parts.keys().copied().collect();
        GroupRound { at: self.at, group: self.group.clone(), known, answers: Vec::new() }
    }
}

/// A UUID for one attempt.
fn nonce(entropy: &dyn Entropy) -> Result<String, SealError> {
    Ok(RequestId::from_random(entropy.draw()?).to_string())
}
