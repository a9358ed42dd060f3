//! Making the root key and its slots.

use strongroom_types::id::ClusterId;
use strongroom_types::{Entropy, Secret};

use crate::derive::Place;
use crate::holder::{GroupPlace, wrap_part};
use crate::keys;
use crate::rekey::new_root_key;
use crate::sharing::{Part, Split, split};
use crate::{
    DeviceHolder, Devices, Group, GroupPlan, Holder, HolderPlan, SealError, Slot, SlotId, SlotPlan,
    SlotTable, plan, share,
};

/// What init has made.
pub struct Created {
    /// 32 bytes; opens from every slot of `table`.
    pub root_key: Secret,
    /// Generation 1.
    pub table: SlotTable,
    /// For each slot with custodians, in the order of the plan, what to hand out.
    pub shares: Vec<SlotShares>,
}

/// The shares of one slot.
pub struct SlotShares {
    /// The slot.
    pub slot: SlotId,
    /// Its name.
    pub name: String,
    /// The custodians' shares (see [`share`]), by group and index.
    pub shares: Vec<Secret>,
}

/// A new root key and the slots of `plan`. Every device's wrap is proven by unwrapping, every share by the
/// commitments, every slot by opening it, before anything is returned.
pub async fn create(
    cluster: ClusterId,
    plan: &[SlotPlan],
    devices: &dyn Devices,
    entropy: &dyn Entropy,
) -> Result<Created, SealError> {
    plan::check(plan)?;
    let root_key = new_root_key(entropy)?;
    let mut table = SlotTable { cluster, generation: 1, slots: Vec::new() };
    let mut shares = Vec::new();
    for wish in plan {
        let (slot, of_slot) = make_slot(cluster, wish, &root_key, devices, entropy).await?;
        if !of_slot.is_empty() {
            shares.push(SlotShares { slot: slot.id, name: slot.name.clone(), shares: of_slot });
        }
        table.slots.push(slot);
    }
    Ok(Created { root_key, table, shares })
}

/// One slot, proven, and its custodians' shares.
pub(crate) async fn make_slot(
    cluster: ClusterId,
    wish: &SlotPlan,
    root_key: &Secret,
    devices: &dyn Devices,
    entropy: &dyn Entropy,
) -> Result<(Slot, Vec<Secret>), SealError> {
    let id = SlotId(entropy.draw()?);
    let place = Place { cluster, slot: id };
    let mut groups = Vec::new();
    let mut scalars = Vec::new();
    let mut shares = Vec::new();
    for (number, wish) in (0..=u8::MAX).zip(&wish.groups) {
        let count = u8::try_from(wish.holders.len()).map_err(|_| crate::PlanError::Holders)?;
        let Split { scalar, parts, commitments } = split(wish.threshold, count, entropy)?;
        let at = GroupPlace { place, group: number };
        let digest = share::group_digest(place, number, &commitments);
        let custodians =
            wish.holders.iter().zip(&parts).filter(|(holder, _)| **holder == HolderPlan::Custodian);
        shares.extend(custodians.map(|(_, part)| share::encode(&digest, part)));
        let holders = make_holders(wish, &parts, at, devices).await?;
        groups.push(Group { threshold: wish.threshold, holders, commitments });
        scalars.push(scalar);
    }
    let slot_key = keys::slot_key(place, &scalars)?;
    let (public_key, wrapped_private_key) = keys::make_pair(place, &slot_key, entropy)?;
    let encapsulated_root_key = keys::encapsulate(place, &public_key, root_key, entropy)?;

    let opened = keys::open(place, &slot_key, &public_key, &wrapped_private_key, &encapsulated_root_key)?;
    if opened.as_ref() != Some(root_key) {
        return Err(SealError::SlotDamaged { slot: wish.name.clone() });
    }
    let name = wish.name.clone();
    Ok((Slot { id, name, groups, public_key, wrapped_private_key, encapsulated_root_key }, shares))
}

/// The stored holders of a group: the devices wrap their parts here.
async fn make_holders(
    wish: &GroupPlan,
    parts: &[Part],
    at: GroupPlace,
    devices: &dyn Devices,
) -> Result<Vec<Holder>, SealError> {
    let mut holders = Vec::with_capacity(parts.len());
    for (holder, part) in wish.holders.iter().zip(parts) {
        let index = part.index;
        holders.push(match holder {
            HolderPlan::Custodian => Holder::Custodian { index },
            HolderPlan::Device { kind, node, device, key } => Holder::Device(DeviceHolder {
                index,
                kind: *kind,
                node: node.clone(),
                device: device.clone(),
                key: key.clone(),
                wrapped: wrap_part(devices, device, key, at, part).await?,
            }),
        });
    }
    Ok(holders)
}
