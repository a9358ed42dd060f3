//! What can go wrong, by who has to act.

use std::fmt;

use strongroom_device_api::{DeviceError, DeviceErrorKind};

/// Why a share was refused. The custodian is to blame, or whoever exchanged the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareError {
    /// Not a share at all: wrong length, wrong version, or neither hex nor base64.
    Malformed,
    /// A share of another cluster or slot, or the stored record was exchanged for another.
    ForAnother,
    /// Does not fit the commitments: it was altered.
    Wrong {
        /// The custodian's number, from 1, as the share says it.
        index: u8,
    },
    /// Was given before in this attempt.
    AlreadyGiven {
        /// The custodian's number, from 1.
        index: u8,
    },
}

impl fmt::Display for ShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str(
                "this is not an unseal key: give one exactly as it was handed out, in hexadecimal or base64",
            ),
            Self::ForAnother => f.write_str(
                "this key belongs to another cluster or another keyslot, or the stored record of this one was exchanged: \
                 look at the label of the key, then at the record",
            ),
            Self::Wrong { index } => {
                write!(f, "key {index} is wrong: it was altered since it was handed out; give the original")
            }
            Self::AlreadyGiven { index } => {
                write!(f, "key {index} has already been provided: give another one")
            }
        }
    }
}

impl std::error::Error for ShareError {}

/// Why slots could not be made, or a slot could not be opened.
#[derive(Debug)]
pub enum SealError {
    /// The wished slots make no sense.
    Plan(PlanError),
    /// The device does not answer or is not configured.
    DeviceMissing {
        /// As the slot table and the configuration name it.
        name: String,
        /// What the device or its bridge said.
        cause: DeviceError,
    },
    /// The device refuses the login, or its PIN is latched after a refusal. Not to be tried again by itself.
    DeviceLogin {
        /// As the slot table and the configuration name it.
        name: String,
        /// What the device or its bridge said.
        cause: DeviceError,
    },
    /// The device answers, and does not do it: another device, another PCR state, a key that is gone.
    DeviceRefused {
        /// As the slot table and the configuration name it.
        name: String,
        /// What the device or its bridge said.
        cause: DeviceError,
    },
    /// The device gave back other bytes than it had been given.
    DeviceWrong {
        /// As the slot table and the configuration name it.
        name: String,
    },
    /// All holders of the slot were right, and still its wraps do not open: the record was altered.
    SlotDamaged {
        /// The slot's name.
        slot: String,
    },
    /// The table cannot be written: it would be larger than its limits.
    Table(TableError),
    /// No randomness could be had.
    Entropy,
    /// A primitive failed that cannot fail for valid keys; its name.
    Crypto(&'static str),
}

impl SealError {
    /// Sorts what a device said by what the operator has to do.
    pub(crate) fn device(name: &str, cause: DeviceError) -> Self {
        let name = name.to_owned();
        match cause.kind {
            DeviceErrorKind::Retry | DeviceErrorKind::Gone | DeviceErrorKind::Unknown => {
                Self::DeviceMissing { name, cause }
            }
            DeviceErrorKind::Login => Self::DeviceLogin { name, cause },
            DeviceErrorKind::Refused | DeviceErrorKind::Misuse | DeviceErrorKind::Fatal => {
                Self::DeviceRefused { name, cause }
            }
        }
    }

    /// The device that it is about.
    pub fn device_name(&self) -> Option<&str> {
        match self {
            Self::DeviceMissing { name, .. }
            | Self::DeviceLogin { name, .. }
            | Self::DeviceRefused { name, .. }
            | Self::DeviceWrong { name } => Some(name),
            _ => None,
        }
    }

    /// Whether it is about the device as a whole, so that its other keys need not be tried.
    pub(crate) fn makes_useless(&self, device: &str) -> bool {
        match self {
            Self::DeviceMissing { name, .. } | Self::DeviceLogin { name, .. } => name == device,
            _ => false,
        }
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(plan) => plan.fmt(f),
            Self::DeviceMissing { name, cause } => write!(
                f,
                "the device \"{name}\" is missing: {cause}. Put it back or start its bridge; it is tried again by itself"
            ),
            Self::DeviceLogin { name, cause } => write!(
                f,
                "the device \"{name}\" refuses the login: {cause}. It is not tried again until an operator clears the \
                 latch or changes the source of its PIN"
            ),
            Self::DeviceRefused { name, cause } => write!(
                f,
                "the device \"{name}\" refuses: {cause}. It is another device, or its state or its key has changed: \
                 restore it, or open another keyslot"
            ),
            Self::DeviceWrong { name } => write!(
                f,
                "the device \"{name}\" gave back other bytes than it was given: have it checked, and open another keyslot"
            ),
            Self::SlotDamaged { slot } => write!(
                f,
                "the record of the keyslot \"{slot}\" was altered: it does not open with the right keys. \
                 Restore the storage, or open another keyslot"
            ),
            Self::Table(table) => table.fmt(f),
            Self::Entropy => f.write_str(
                "the system's random generator fails: restart; if it stays so, replace the machine",
            ),
            Self::Crypto(primitive) => {
                write!(f, "{primitive} failed: this is a fault of the program or the machine")
            }
        }
    }
}

impl std::error::Error for SealError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Plan(cause) => Some(cause),
            Self::DeviceMissing { cause, .. }
            | Self::DeviceLogin { cause, .. }
            | Self::DeviceRefused { cause, .. } => Some(cause),
            Self::Table(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<PlanError> for SealError {
    fn from(cause: PlanError) -> Self {
        Self::Plan(cause)
    }
}

impl From<TableError> for SealError {
    fn from(cause: TableError) -> Self {
        Self::Table(cause)
    }
}

/// Why wished slots make no sense. Whoever wrote the configuration or called init is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Not 1 to 16 slots.
    Slots,
    /// Not 1 to 4 groups in a slot.
    Groups,
    /// Not 1 to 255 holders in a group.
    Holders,
    /// The threshold is 0 or more than there are holders.
    Threshold,
    /// A name is empty, longer than 64 bytes or has a control character.
    Name,
    /// Two slots have the same name.
    SameSlotName,
    /// One device is two holders of one group: it would count twice.
    SameDeviceTwice,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slots => "there must be 1 to 16 keyslots",
            Self::Groups => "a keyslot must have 1 to 4 groups",
            Self::Holders => "a group must have 1 to 255 holders",
            Self::Threshold => "the threshold must be at least 1 and at most the number of holders",
            Self::Name => "a name must have 1 to 64 bytes and no control characters",
            Self::SameSlotName => "two keyslots have the same name",
            Self::SameDeviceTwice => "one device may be only one holder of a group",
        })
    }
}

impl std::error::Error for PlanError {}

/// Why stored bytes are not a slot table. The storage is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Larger than [`crate::table::MAX_TABLE`].
    TooLarge,
    /// Written by a later version of the program.
    Version(u8),
    /// Not a table; what was being read.
    Malformed(&'static str),
    /// The MAC does not fit: altered, or of another cluster.
    Mac,
    /// There is no number left for another change.
    Generation,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("the keyslot table is larger than its limit"),
            Self::Version(version) => {
                write!(f, "the keyslot table has version {version}: it needs a later version of the program")
            }
            Self::Malformed(what) => {
                write!(f, "the keyslot table is damaged at its {what}: restore the storage")
            }
            Self::Mac => f.write_str("the keyslot table was altered: restore the storage"),
            Self::Generation => f.write_str("the keyslot table has been changed as often as it can be"),
        }
    }
}

impl std::error::Error for TableError {}

impl From<strongroom_types::NoEntropy> for SealError {
    fn from(_: strongroom_types::NoEntropy) -> Self {
        Self::Entropy
    }
}
