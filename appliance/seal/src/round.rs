//! Asking the devices of a node for what an attempt still misses, apart from the attempt itself: a device may be silent
//! for long, and a custodian's share must not wait for it.
//!
//! [`Unsealing::round`](crate::Unsealing::round) begins one, [`Unsealing::take`](crate::Unsealing::take) brings back what
//! came of it.

use crate::holder::{GroupPlace, unwrap_part};
use crate::sharing::{self, Part};
use crate::{Devices, Group, SealError};

/// What is to be asked, and what was answered. Wiped on drop.
pub struct Round {
    pub(crate) node: String,
    pub(crate) slots: Vec<SlotRound>,
}

/// One slot's part of a round.
pub(crate) struct SlotRound {
    pub(crate) groups: Vec<GroupRound>,
    /// Complete, it would not open: no reason to stop asking.
    pub(crate) damaged: bool,
}

/// One group's part of a round.
pub(crate) struct GroupRound {
    pub(crate) at: GroupPlace,
    pub(crate) group: Group,
    /// The holders whose parts the attempt had when the round began.
    pub(crate) known: Vec<u8>,
    /// Verified.
    pub(crate) answers: Vec<Part>,
}

impl Round {
    /// Asks slot by slot, until a slot is complete. Returns what stood in the way, each device once; an empty list does
    /// not mean that a slot is complete.
    pub async fn ask(&mut self, devices: &dyn Devices) -> Vec<SealError> {
        let mut troubles = Vec::new();
        for slot in &mut self.slots {
            for group in &mut slot.groups {
                group.ask(&self.node, devices, &mut troubles).await;
            }
            if slot.groups.iter().all(GroupRound::is_complete) && !slot.damaged {
                break;
            }
        }
        troubles
    }
}

impl GroupRound {
    fn is_complete(&self) -> bool {
        self.known.len() + self.answers.len() >= self.group.threshold.into()
    }

    /// The parts of this node's devices, until there are enough.
    async fn ask(&mut self, node: &str, devices: &dyn Devices, troubles: &mut Vec<SealError>) {
        let holders: Vec<_> = self.group.devices().filter(|holder| holder.node == node).cloned().collect();
        for holder in holders {
            if self.is_complete() {
                return;
            }
            let useless = troubles.iter().any(|trouble| trouble.makes_useless(&holder.device));
            if useless || self.known.contains(&holder.index) {
                continue;
            }
            match unwrap_part(devices, &holder, self.at).await {
                Ok(part) if sharing::verify(&self.group.commitments, &part) => self.answers.push(part),
                Ok(_) => note(troubles, SealError::DeviceWrong { name: holder.device }),
                Err(trouble) => note(troubles, trouble),
            }
        }
    }
}

/// One trouble for each device is enough, however many of its keys were tried.
fn note(troubles: &mut Vec<SealError>, trouble: SealError) {
    if troubles.iter().all(|noted| noted.device_name() != trouble.device_name()) {
        troubles.push(trouble);
    }
}
