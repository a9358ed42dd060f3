//! Slots, groups and holders, as stored. Nothing here is secret.

use std::collections::BTreeSet;
use std::fmt;

use data_encoding::HEXLOWER;
use strongroom_device_api::{KeyId, Wrapped};

use crate::SlotTable;
use crate::sharing::Commitment;

/// Most slots in a table.
pub const MAX_SLOTS: usize = 16;
/// Most groups in a slot.
pub const MAX_GROUPS: usize = 4;
/// Longest name of a slot, a node or a device, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest wrap by a device, in bytes.
pub const MAX_WRAPPED: usize = 8 * 1024;

/// A slot's identity: random, never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub [u8; 16]);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotId({self})")
    }
}

/// One independent way to get the root key back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Made with the slot.
    pub id: SlotId,
    /// For people; unique in its table.
    pub name: String,
    /// 1 to [`MAX_GROUPS`], all needed.
    pub groups: Vec<Group>,
    /// X-Wing public key.
    pub(crate) public_key: Vec<u8>,
    /// Its secret key under the slot key.
    pub(crate) wrapped_private_key: Vec<u8>,
    /// X-Wing ciphertext ‖ the root key under what it carries.
    pub(crate) encapsulated_root_key: Vec<u8>,
}

/// `threshold` of the holders are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// k, at least 1 and at most the number of holders.
    pub threshold: u8,
    /// n, 1 to 255; the holder at position i has the index i + 1.
    pub holders: Vec<Holder>,
    /// `threshold` Pedersen commitments.
    pub(crate) commitments: Vec<Commitment>,
}

/// Who holds a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A person. Nothing is stored but the number.
    Custodian {
        /// From 1.
        index: u8,
    },
    /// A device, with the share that it has wrapped.
    Device(DeviceHolder),
}

/// A device that holds a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceHolder {
    /// Its number in the group, from 1.
    pub index: u8,
    /// Its kind.
    pub kind: DeviceKind,
    /// The node that can reach it.
    pub node: String,
    /// As the configuration names it.
    pub device: String,
    /// The key on the device that wraps.
    pub key: KeyId,
    /// The share, wrapped.
    pub wrapped: Wrapped,
}

/// Kinds of devices, in the order in which [`kind`] names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// An HSM behind its PKCS#11 module.
    Pkcs11,
    /// A TPM 2.0.
    Tpm,
}

impl DeviceKind {
    /// As configuration and clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pkcs11 => "pkcs11",
            Self::Tpm => "tpm",
        }
    }
}

impl Holder {
    /// The number in the group, from 1.
    pub fn index(&self) -> u8 {
        match self {
            Self::Custodian { index } => *index,
            Self::Device(device) => device.index,
        }
    }

    /// The device, if it is one.
    pub fn device(&self) -> Option<&DeviceHolder> {
        match self {
            Self::Custodian { .. } => None,
            Self::Device(device) => Some(device),
        }
    }
}

impl Group {
    /// How many of the holders are people.
    pub fn custodians(&self) -> usize {
        self.holders.iter().filter(|holder| holder.device().is_none()).count()
    }

    /// The holders that are devices.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceHolder> {
        self.holders.iter().filter_map(Holder::device)
    }
}

/// Whether a name is one: 1 to [`MAX_NAME`] bytes, no control characters.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// What `sys/seal-status` shows as the seal's type, from the first slot: `shamir` for people only, else its
/// devices, and `shamir` after them if people are needed or may help: `pkcs11`, `pkcs11+tpm`, `pkcs11+shamir`.
pub fn kind(table: &SlotTable) -> String {
    let groups = table.slots().first().map(|slot| slot.groups.as_slice()).unwrap_or_default();
    let devices: BTreeSet<DeviceKind> =
        groups.iter().flat_map(Group::devices).map(|device| device.kind).collect();
    let mut names: Vec<&str> = devices.into_iter().map(DeviceKind::name).collect();
    if names.is_empty() || groups.iter().any(|group| group.custodians() > 0) {
        names.push("shamir");
    }
    names.join("+")
}

/// The smallest sets of holders that open one slot: from each group, any `threshold` of its holders.
///
/// `Display` gives one line for people: `hsm (pkcs11 on node-1) and any 2 of 5 custodians`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallestSet {
    /// The slot's name.
    pub slot: String,
    /// In the slot's order; all are needed.
    pub groups: Vec<GroupNeed>,
}

/// Any `threshold` of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNeed {
    /// How many are needed.
    pub threshold: u8,
    /// Devices among the holders, as `name (kind on node)`.
    pub devices: Vec<String>,
    /// How many custodians there are among the holders.
    pub custodians: usize,
}

/// For `operator slots`: what opens each slot.
pub fn smallest_sets(table: &SlotTable) -> Vec<SmallestSet> {
    let set = |slot: &Slot| SmallestSet {
        slot: slot.name.clone(),
        groups: slot.groups.iter().map(GroupNeed::of).collect(),
    };
    table.slots().iter().map(set).collect()
}

impl GroupNeed {
    fn of(group: &Group) -> Self {
        let name = |d: &DeviceHolder| format!("{} ({} on {})", d.device, d.kind.name(), d.node);
        Self {
            threshold: group.threshold,
            devices: group.devices().map(name).collect(),
            custodians: group.custodians(),
        }
    }
}

impl fmt::Display for GroupNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let k = self.threshold;
        match (self.devices.as_slice(), self.custodians) {
            ([], 1) => f.write_str("the custodian"),
            ([], n) => write!(f, "any {k} of {n} custodians"),
            ([only], 0) => f.write_str(only),
            (devices, 0) => write!(f, "any {k} of: {}", devices.join(", ")),
            (devices, n) => write!(f, "any {k} of: {}, {n} custodians", devices.join(", ")),
        }
    }
}

impl fmt::Display for SmallestSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let needs: Vec<String> = self.groups.iter().map(GroupNeed::to_string).collect();
        f.write_str(&needs.join(" and "))
    }
}
