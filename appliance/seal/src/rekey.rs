//! Other people for a slot, and another root key.
//!
//! ```text
//! new_shares       a slot beside those of the table: the devices of the one it stands in for, new custodians
//! with_slots       which slots the table is to have
//! replace_root_key another root key in each of them, and the next generation
//! ```
//!
//! Whoever drops a slot replaces the root key as well: the holders of the one that is gone could otherwise open a copy of
//! the table from before, and with its root key the keyring of today.

use std::collections::BTreeSet;

use strongroom_types::id::ClusterId;
use strongroom_types::{Entropy, Secret};
use zeroize::Zeroizing;

use crate::create::make_slot;
use crate::derive::Place;
use crate::keys::{self, ROOT_KEY_LEN};
use crate::model::{MAX_NAME, MAX_SLOTS};
use crate::plan::check_slot;
use crate::{
    Devices, Group, GroupPlan, Holder, HolderPlan, PlanError, SealError, Slot, SlotPlan, SlotTable,
    TableError, share, sharing,
};

/// What a slot is called, behind its name, while another set of people stands in for its own and has not opened yet.
const REPLACED: &str = ", replaced";

/// A slot that is in no table yet, and its custodians' shares.
pub struct NewSlot {
    /// The slot. Its root key is nobody's until [`replace_root_key`].
    pub slot: Slot,
    /// By index.
    pub shares: Vec<Secret>,
}

impl Slot {
    /// Custodians needed and custodians there are, if the slot has one group of people only.
    pub fn people(&self) -> Option<(u8, usize)> {
        let mut groups = self.groups.iter().filter(|group| group.custodians() > 0);
        match (groups.next(), groups.next()) {
            (Some(group), None) if group.custodians() == group.holders.len() => {
                Some((group.threshold, group.custodians()))
            }
            _ => None,
        }
    }

    /// The name of the slot that stands in for this one, if it is one that is kept until then.
    pub fn replaced(&self) -> Option<&str> {
        self.name.strip_suffix(REPLACED)
    }

    /// The same slot, kept until the one that stands in for it has opened.
    pub fn kept_until_then(self) -> Self {
        let name = self.replaced().unwrap_or(&self.name);
        Self { name: format!("{name}{REPLACED}").chars().take(MAX_NAME).collect(), ..self }
    }
}

/// A slot with the devices of `like` and `threshold` of `count` new custodians. As at init every wrap and every share is
/// proven before anything is returned; where people alone open it, it is opened with the shares that will be handed
/// out, once with the first of them and once with the last.
pub async fn new_shares(
    table: &SlotTable,
    like: &Slot,
    (threshold, count): (u8, u8),
    devices: &dyn Devices,
    entropy: &dyn Entropy,
) -> Result<NewSlot, SealError> {
    let as_before = |group: &Group| GroupPlan {
        threshold: group.threshold,
        holders: group.holders.iter().map(plan_of).collect(),
    };
    let groups = like.groups.iter().map(|group| match group.custodians() {
        0 => as_before(group),
        _ => GroupPlan::custodians(threshold, count),
    });
    let name = like.replaced().unwrap_or(&like.name).to_owned();
    make_new(table, SlotPlan { name, groups: groups.collect() }, devices, entropy).await
}

/// The slot of `plan`, which the table does not have yet.
pub async fn make_new(
    table: &SlotTable,
    plan: SlotPlan,
    devices: &dyn Devices,
    entropy: &dyn Entropy,
) -> Result<NewSlot, SealError> {
    check_slot(&plan)?;
    let root_key = new_root_key(entropy)?;
    let (slot, shares) = make_slot(table.cluster, &plan, &root_key, devices, entropy).await?;
    prove(table.cluster, &slot, shares.iter(), &root_key)?;
    prove(table.cluster, &slot, shares.iter().rev(), &root_key)?;
    Ok(NewSlot { slot, shares })
}

/// Opens `slot` with as many of `shares` as it takes, as they will be handed out. They fit the commitments: that was looked at
/// when they were made. A slot that needs a device is not opened: its wraps were proven one by one.
fn prove<'s>(
    cluster: ClusterId,
    slot: &Slot,
    shares: impl Iterator<Item = &'s Secret>,
    root_key: &Secret,
) -> Result<(), SealError> {
    let damaged = || SealError::SlotDamaged { slot: slot.name.clone() };
    let [group] = slot.groups.as_slice() else { return Ok(()) };
    if group.devices().next().is_some() {
        return Ok(());
    }
    let parts = shares.take(group.threshold.into()).map(|share| share::decode(share.expose()));
    let parts = parts.collect::<Result<Vec<_>, _>>().map_err(|_| damaged())?;
    let scalar =
        sharing::combine(group.threshold, parts.iter().map(|(_, part)| part))?.ok_or_else(damaged)?;
    let place = Place { cluster, slot: slot.id };
    let slot_key = keys::slot_key(place, &[scalar])?;
    let Slot { public_key, wrapped_private_key, encapsulated_root_key, .. } = slot;
    match keys::open(place, &slot_key, public_key, wrapped_private_key, encapsulated_root_key)? {
        Some(opened) if opened == *root_key => Ok(()),
        _ => Err(damaged()),
    }
}

fn plan_of(holder: &Holder) -> HolderPlan {
    match holder.device() {
        None => HolderPlan::Custodian,
        Some(device) => HolderPlan::Device {
            kind: device.kind,
            node: device.node.clone(),
            device: device.device.clone(),
            key: device.key.clone(),
        },
    }
}

impl SlotTable {
    /// The table with these slots, of the same generation: for [`replace_root_key`].
    pub fn with_slots(&self, slots: Vec<Slot>) -> Result<Self, PlanError> {
        let names: BTreeSet<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
        let ids: BTreeSet<_> = slots.iter().map(|slot| slot.id).collect();
        match (1..=MAX_SLOTS).contains(&slots.len()) {
            false => Err(PlanError::Slots),
            true if names.len() < slots.len() || ids.len() < slots.len() => Err(PlanError::SameSlotName),
            true => Ok(Self { slots, ..self.clone() }),
        }
    }
}

/// The same slots with another root key, and the next generation. Needs no holder: only public keys. It goes with the
/// barrier's `rewrap` in one batch.
///
/// `table` must be a verified one ([`crate::StoredTable::verify`]): whoever had put a public key of their own into it
/// would be given the root key.
pub fn replace_root_key(
    table: &SlotTable,
    root_key: &Secret,
    entropy: &dyn Entropy,
) -> Result<SlotTable, SealError> {
    let generation = table.generation.checked_add(1).ok_or(TableError::Generation)?;
    let mut next = SlotTable { generation, ..table.clone() };
    for slot in &mut next.slots {
        let place = Place { cluster: table.cluster, slot: slot.id };
        slot.encapsulated_root_key = keys::encapsulate(place, &slot.public_key, root_key, entropy)?;
    }
    Ok(next)
}

/// A root key.
pub fn new_root_key(entropy: &dyn Entropy) -> Result<Secret, SealError> {
    Ok(Secret::copy_of(Zeroizing::new(entropy.draw::<ROOT_KEY_LEN>()?).as_slice()))
}
