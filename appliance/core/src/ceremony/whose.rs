//! Whose shares a ceremony is about, and where they are.

use strongroom_seal::{Slot, SlotTable};
use strongroom_types::Refusal;

use crate::lifecycle::init::{BREAK_GLASS, DAILY};

/// Whose shares are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those who unseal.
    Unseal,
    /// Those of last resort.
    Recovery,
}

impl Whose {
    /// The name of their keyslot.
    pub fn slot(self) -> &'static str {
        match self {
            Self::Unseal => DAILY,
            Self::Recovery => BREAK_GLASS,
        }
    }

    /// Their keyslot; none where there are to be the first people of last resort beside devices. Or why it cannot be given
    /// new shares.
    pub fn find(self, table: &SlotTable) -> Result<Option<&Slot>, Refusal> {
        let slot = table.slots().iter().find(|slot| slot.name == self.slot());
        let are_devices =
            table.slots().iter().flat_map(|slot| &slot.groups).any(|g| g.devices().next().is_some());
        let text = match (self, slot) {
            (_, Some(slot)) if slot.people().is_some() => return Ok(Some(slot)),
            (Self::Recovery, None) if are_devices => return Ok(None),
            (Self::Recovery, None) => {
                "people unseal this appliance: there are no recovery keys, and rekey gives them new unseal keys"
            }
            (Self::Unseal, _) => {
                "devices unseal this appliance: there are no unseal keys to replace; recovery keys are, with \
                 -target=recovery"
            }
            (Self::Recovery, _) => "this keyslot has no group of people of its own",
        };
        Err(Refusal::bad_request(text))
    }
}
