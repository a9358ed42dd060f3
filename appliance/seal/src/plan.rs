//! Slots, groups and holders, as wished for: what init and the configuration ask to be made.

use std::collections::BTreeSet;

use strongroom_device_api::KeyId;

use crate::model::{MAX_GROUPS, MAX_SLOTS, is_name};
use crate::{DeviceKind, PlanError};

/// A slot to be made.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    /// For people; 1 to 64 bytes, unique.
    pub name: String,
    /// 1 to 4, all needed.
    pub groups: Vec<GroupPlan>,
}

/// A group to be made.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// How many holders are needed.
    pub threshold: u8,
    /// 1 to 255.
    pub holders: Vec<HolderPlan>,
}

/// A holder to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HolderPlan {
    /// A person, who is handed a share.
    Custodian,
    /// A device, which wraps a share.
    Device {
        /// Its kind.
        kind: DeviceKind,
        /// The node that can reach it.
        node: String,
        /// As the configuration names it.
        device: String,
        /// The key on the device that wraps; made if it is not there.
        key: KeyId,
    },
}

impl GroupPlan {
    /// `threshold` of `count` people.
    pub fn custodians(threshold: u8, count: u8) -> Self {
        Self { threshold, holders: vec![HolderPlan::Custodian; count.into()] }
    }

    /// One device.
    pub fn device(kind: DeviceKind, node: &str, device: &str, key: KeyId) -> Self {
        let holder = HolderPlan::Device { kind, node: node.to_owned(), device: device.to_owned(), key };
        Self { threshold: 1, holders: vec![holder] }
    }
}

/// Whether the slots make sense together.
pub(crate) fn check(slots: &[SlotPlan]) -> Result<(), PlanError> {
    if !(1..=MAX_SLOTS).contains(&slots.len()) {
        return Err(PlanError::Slots);
    }
    let names: BTreeSet<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    if names.len() < slots.len() {
        return Err(PlanError::SameSlotName);
    }
    slots.iter().try_for_each(check_slot)
}

pub(crate) fn check_slot(slot: &SlotPlan) -> Result<(), PlanError> {
    if !is_name(&slot.name) {
        return Err(PlanError::Name);
    }
    if !(1..=MAX_GROUPS).contains(&slot.groups.len()) {
        return Err(PlanError::Groups);
    }
    slot.groups.iter().try_for_each(check_group)
}

fn check_group(group: &GroupPlan) -> Result<(), PlanError> {
    let count =
        u8::try_from(group.holders.len()).ok().filter(|count| *count > 0).ok_or(PlanError::Holders)?;
    if !(1..=count).contains(&group.threshold) {
        return Err(PlanError::Threshold);
    }
    let mut seen = BTreeSet::new();
    for holder in &group.holders {
        let HolderPlan::Device { node, device, .. } = holder else { continue };
        if !is_name(node) || !is_name(device) {
            return Err(PlanError::Name);
        }
        if !seen.insert((node, device)) {
            return Err(PlanError::SameDeviceTwice);
        }
    }
    Ok(())
}
