//! New shares for the people of a keyslot, decided by a threshold of people.
//!
//! ```text
//! start ──▶ shares of now ──▶ new shares are handed out ─┬─ without verification: in force at once; the slot of those who
//!                                                        │  decided is kept until the new one has opened once
//!                                                        └─ with verification: nothing is changed ──▶ new shares are read
//!                                                           back ──▶ in force, and the old ones open nothing
//! ```
//!
//! The change is one batch ([`crate::lifecycle::slots`]). Without verification it may be committed and its answer lost: that
//! is why the old slot stays. At no point is there only a slot whose shares nobody has.

use std::sync::Arc;

use strongroom_seal::{GroupPlan, NewSlot, Slot, SlotId, SlotPlan, SlotTable, make_new, new_shares};
use strongroom_types::{Refusal, Secret};
use tokio::runtime::Handle;

use super::pgp::{Kept, Recipients};
use super::{Quorum, Whose, no_people, table};
use crate::lifecycle::init::people;
use crate::lifecycle::seal_fault;
use crate::lifecycle::slots::{self, Change};
use crate::perform::Scene;

/// An attempt.
pub struct Rekey {
    /// Who agrees.
    pub quorum: Quorum,
    /// Of the new shares.
    pub threshold: u8,
    /// Of the new shares.
    pub count: u8,
    /// Whether they are to be read back first.
    pub verify: bool,
    /// Whom they are encrypted for.
    pub recipients: Arc<Recipients>,
    /// Whether what is encrypted is kept, too.
    pub backup: bool,
    /// Handed out, to be read back.
    pub made: Option<Made>,
}

/// A slot that waits for its shares to be read back.
pub struct Made {
    slot: Slot,
    /// Kept once they are in force.
    kept: Option<Kept>,
    /// Those who read back.
    pub quorum: Quorum,
}

/// What is asked for.
pub struct RekeyWish {
    /// `None` is the usual number.
    pub shares: Option<i64>,
    /// Of these.
    pub threshold: Option<i64>,
    /// Whether the new shares are to be read back before they count.
    pub verify: bool,
    /// Keys of those whom the new shares are for, in order; none where they are handed out as they are.
    pub pgp_keys: Vec<String>,
    /// Whether what is encrypted for them is kept, too.
    pub backup: bool,
}

/// New shares.
pub struct HandedOut {
    /// Once: as they are, or encrypted.
    pub shares: Vec<Secret>,
    /// Of the verification, if there is to be one.
    pub verification_nonce: Option<String>,
    /// What is to be committed, if there is not.
    pub change: Option<InForce>,
}

/// What brings new shares into force.
pub struct InForce {
    /// The keyslots.
    pub change: Change,
    /// What is kept of them, encrypted, in the same batch.
    pub kept: Option<Kept>,
}

impl Rekey {
    /// Those who were last heard.
    pub(super) fn last_heard(&self) -> &Quorum {
        self.made.as_ref().map_or(&self.quorum, |made| &made.quorum)
    }
}

/// How many shares are needed to decide.
pub fn required(scene: &Scene<'_>) -> usize {
    scene.active.facts.load().t
}

/// Begins. Where nobody holds a share yet, nobody can be asked: a root token makes the first ones, to be read back. `None` waits
/// for shares.
pub fn start(
    scene: &Scene<'_>,
    whose: Whose,
    wish: &RekeyWish,
    what: &str,
) -> Result<Option<HandedOut>, Refusal> {
    let seal = format!("{what} seal");
    let numbers = people(wish.shares, wish.threshold, &seal)?;
    if wish.backup && wish.pgp_keys.is_empty() {
        return Err(Refusal::bad_request(
            "cannot request a backup of the new keys without providing PGP keys for encryption",
        ));
    }
    let (keys, entropy) = (("pgp_keys", wish.pgp_keys.as_slice()), scene.active.entropy.as_ref());
    let recipients = Arc::new(Recipients::parse(keys, (numbers.1.into(), &seal), scene.now, entropy)?);
    let table = table(scene)?;
    let theirs = whose.find(&table)?;
    let quorum = Quorum::new(scene, &table)?;
    let are_first = quorum.progress().t == 0;
    let asker = scene.request.stage.asker.as_ref();
    if are_first && (theirs.is_some() || !asker.is_some_and(|asker| asker.known.record.is_root())) {
        return Err(no_people());
    }
    {
        let mut held = scene.active.ceremonies.at(scene.now);
        let rekey = held.rekey(whose);
        match rekey {
            Some(under_way) if under_way.quorum.heard(scene) => {}
            Some(_) => return Err(Refusal::bad_request(format!("{what} already in progress"))),
            None => {
                let (threshold, count) = numbers;
                let verify = wish.verify || are_first;
                let backup = wish.backup;
                *rekey = Some(Rekey { quorum, threshold, count, verify, recipients, backup, made: None });
            }
        }
    }
    if !are_first {
        return Ok(None);
    }
    // An attempt that has no shares to read back could only be cancelled.
    make(scene, whose, &table, numbers).and_then(|made| read_back(scene, whose, &table, made)).inspect_err(
        |_| {
            let mut held = scene.active.ceremonies.at(scene.now);
            held.rekey(whose).take_if(|rekey| rekey.quorum.heard(scene));
        },
    )
}

/// Takes a share of those of now; `None` waits for more. With the last one the new ones are made; the devices of the slot, if it has some, are
/// asked to wrap theirs.
pub fn update(
    scene: &Scene<'_>,
    whose: Whose,
    (key, nonce): (&str, &str),
    what: &str,
) -> Result<Option<HandedOut>, Refusal> {
    let (by, numbers, verify) = {
        let mut held = scene.active.ceremonies.at(scene.now);
        let rekey = held.rekey(whose).as_mut().ok_or_else(|| none(what))?;
        rekey.quorum.check(nonce, &of(what))?;
        if rekey.made.is_some() {
            return Err(Refusal::bad_request(format!(
                "the new keys have been handed out: verify them, or cancel this {what}"
            )));
        }
        match rekey.quorum.offer(scene, key, what)? {
            None => return Ok(None),
            Some(by) => (by, (rekey.threshold, rekey.count), rekey.verify),
        }
    };
    let table = table(scene)?;
    must_have(&table, by)?;
    let made = make(scene, whose, &table, numbers)?;
    if verify {
        return read_back(scene, whose, &table, made);
    }
    let (shares, kept) = encrypted(scene, whose, made.shares)?;
    let (active, entropy) = (scene.active, scene.active.entropy.as_ref());
    let slots = with_new(&table, whose, made.slot, Some(by));
    let change = slots::change(&active.barrier, &table, slots, &*scene.snapshot, entropy, scene.now)?;
    Ok(Some(HandedOut { shares, verification_nonce: None, change: Some(InForce { change, kept }) }))
}

/// `shares` as they are handed out, and what is kept of them.
fn encrypted(
    scene: &Scene<'_>,
    whose: Whose,
    shares: Vec<Secret>,
) -> Result<(Vec<Secret>, Option<Kept>), Refusal> {
    let (recipients, nonce, backup) = {
        let mut held = scene.active.ceremonies.at(scene.now);
        let rekey = held.rekey(whose).as_ref();
        // Cancelled meanwhile: it must not come out in clear instead.
        let rekey = rekey.ok_or_else(|| Refusal::bad_request("this attempt has been cancelled"))?;
        (rekey.recipients.clone(), rekey.quorum.nonce.clone(), rekey.backup)
    };
    let entropy = scene.active.entropy.as_ref();
    let shares = recipients.hand_out(shares, entropy)?;
    let kept = backup.then(|| recipients.kept(&nonce, &shares));
    Ok((shares, kept))
}

fn make(
    scene: &Scene<'_>,
    whose: Whose,
    table: &SlotTable,
    (threshold, count): (u8, u8),
) -> Result<NewSlot, Refusal> {
    let (devices, entropy) = (scene.active.devices.as_ref(), scene.active.entropy.as_ref());
    let plan =
        || SlotPlan { name: whose.slot().to_owned(), groups: vec![GroupPlan::custodians(threshold, count)] };
    let like = whose.find(table)?;
    let making = async {
        match like {
            Some(like) => new_shares(table, like, (threshold, count), devices, entropy).await,
            None => make_new(table, plan(), devices, entropy).await,
        }
    };
    // Sharing among many computes for seconds: what else this thread has to do goes on elsewhere.
    let made = tokio::task::block_in_place(|| Handle::current().block_on(making));
    made.map_err(|cause| seal_fault(&cause))
}

/// Hands out shares that are to be read back.
fn read_back(
    scene: &Scene<'_>,
    whose: Whose,
    table: &SlotTable,
    made: NewSlot,
) -> Result<Option<HandedOut>, Refusal> {
    let quorum = readers(scene, table, &made.slot)?;
    let verification_nonce = Some(quorum.nonce.clone());
    let (shares, kept) = encrypted(scene, whose, made.shares)?;
    if let Some(rekey) = scene.active.ceremonies.at(scene.now).rekey(whose) {
        rekey.made = Some(Made { slot: made.slot, kept, quorum });
    }
    Ok(Some(HandedOut { shares, verification_nonce, change: None }))
}

/// Those who read back the shares of `slot`.
fn readers(scene: &Scene<'_>, table: &SlotTable, slot: &Slot) -> Result<Quorum, Refusal> {
    let alone = table.with_slots(vec![slot.clone()]).map_err(|cause| seal_fault(&cause.into()))?;
    Quorum::new(scene, &alone)
}

/// Takes a share of the new ones. With the last one they are in force.
pub fn verify(
    scene: &Scene<'_>,
    whose: Whose,
    (key, nonce): (&str, &str),
    what: &str,
) -> Result<Option<InForce>, Refusal> {
    let (slot, kept) = {
        let mut held = scene.active.ceremonies.at(scene.now);
        let made = made(held.rekey(whose), what)?;
        made.quorum.check(nonce, "this verify operation")?;
        match made.quorum.offer(scene, key, "verify")? {
            None => return Ok(None),
            Some(_) => (made.slot.clone(), made.kept.clone()),
        }
    };
    let table = table(scene)?;
    let slots = with_new(&table, whose, slot, None);
    let active = scene.active;
    let entropy = active.entropy.as_ref();
    let change = slots::change(&active.barrier, &table, slots, &*scene.snapshot, entropy, scene.now)?;
    Ok(Some(InForce { change, kept }))
}

/// Forgets the new shares that were read back so far; what was handed out stays.
pub fn restart_verification(scene: &Scene<'_>, whose: Whose, what: &str) -> Result<(), Refusal> {
    let table = table(scene)?;
    let mut held = scene.active.ceremonies.at(scene.now);
    let made = made(held.rekey(whose), what)?;
    made.quorum = readers(scene, &table, &made.slot)?;
    Ok(())
}

/// Gives up. Whoever names an attempt means only that one.
pub fn cancel(scene: &Scene<'_>, whose: Whose, nonce: Option<&str>, what: &str) -> Result<(), Refusal> {
    let mut held = scene.active.ceremonies.at(scene.now);
    let rekey = held.rekey(whose);
    if let (Some(rekey), Some(nonce)) = (&*rekey, nonce) {
        rekey.quorum.check(nonce, &of(what))?;
    }
    *rekey = None;
    Ok(())
}

fn made<'a>(rekey: &'a mut Option<Rekey>, what: &str) -> Result<&'a mut Made, Refusal> {
    let rekey = rekey.as_mut().ok_or_else(|| none(what))?;
    let text = format!("no new keys to verify: this {what} has none, or not yet");
    rekey.made.as_mut().ok_or_else(|| Refusal::bad_request(text))
}

fn none(what: &str) -> Refusal {
    Refusal::bad_request(format!("no {what} in progress"))
}

/// What the nonce is of.
fn of(what: &str) -> String {
    if what == "rekey" { "this rekey operation".into() } else { what.to_owned() }
}

/// Those who have agreed must still be somebody.
pub(super) fn must_have(table: &SlotTable, by: SlotId) -> Result<(), Refusal> {
    match table.slots().iter().any(|slot| slot.id == by) {
        true => Ok(()),
        false => Err(Refusal::bad_request(
            "the keys that were given have been replaced meanwhile: cancel, and begin again with the new ones",
        )),
    }
}

/// The slots of `table` with `new` in the place of those of `whose`. Kept, under a name that says so, is the one whose
/// people have decided, for their shares were just there; if another slot's people have decided, the one that was in force.
fn with_new(table: &SlotTable, whose: Whose, new: Slot, kept: Option<SlotId>) -> Vec<Slot> {
    let name = whose.slot();
    let (theirs, mut slots): (Vec<Slot>, Vec<Slot>) =
        table.slots().iter().cloned().partition(|slot| slot.name == name || slot.replaced() == Some(name));
    let place = table.slots().iter().position(|slot| slot.name == name).unwrap_or(slots.len());
    slots.insert(place.min(slots.len()), new);
    if let Some(by) = kept {
        let decided = theirs.iter().find(|slot| slot.id == by);
        let in_force = || theirs.iter().find(|slot| slot.name == name);
        slots.extend(decided.or_else(in_force).cloned().map(Slot::kept_until_then));
    }
    slots
}
